"""Boards that a site has drawn in Superset: checked, kept in ASPECTS_BOARDS_DIR, and bundled for Superset."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

from django.conf import settings
from django.utils.text import slugify

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.dashboards.boards.catalog import boards
from platform_plugin_aspects.dashboards.bundle.bundle import Bundle, languages, packed, to_yaml
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.bundle.identity import uuid_of
from platform_plugin_aspects.dashboards.own_boards.archive import MAX_BYTES
from platform_plugin_aspects.dashboards.own_boards.checks import problems, reads
from platform_plugin_aspects.dashboards.own_boards.export import Export, read_export
from platform_plugin_aspects.dashboards.own_boards.problems import UnusableBoard
from platform_plugin_aspects.dashboards.own_boards.rewriting import bundle_of
from platform_plugin_aspects.dashboards.own_boards.sql import Relation
from platform_plugin_aspects.reporting.layout import database_of
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.settings.common import defaults
from platform_plugin_aspects.sinks.registry import names_are_on, relations_of_own_boards

SETTING = "ASPECTS_BOARDS_DIR"
#: The place of the first of them: behind the plugin's boards.
FIRST_POSITION = 1_000
#: Characters of a slug without "own-"; the model has room for a hundred.
SLUG_LENGTH = 80
_MODE = 0o644

__all__ = ["MAX_BYTES", "KeptBoards", "OwnBoard", "UnusableBoard", "add", "own_boards", "own_bundles"]


@dataclass(frozen=True)
class OwnBoard:
    """A board of the site's own. ``path``: where it is kept."""

    path: Path
    export: Export

    @property
    def slug(self) -> str:
        """ "own-" and the name of its file."""
        return _slug(self.path)

    @property
    def title(self) -> str:
        """The dashboard's title."""
        return self.export.title


@dataclass
class KeptBoards:
    """The boards in ASPECTS_BOARDS_DIR.

    ``usable``: by position. ``problems``: texts, which begin with the path of a faulty one. ``standing``: slugs of
    faulty ones that stay in Superset as they are; others would show names that the site has turned off.
    """

    usable: dict[int, OwnBoard] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    standing: set[str] = field(default_factory=set)


def add(data: bytes) -> OwnBoard:
    """Check the export of a dashboard, and keep it in ASPECTS_BOARDS_DIR; a former version of it is replaced.

    Raises UnusableBoard with all that is wrong, and then nothing is kept.
    """
    folder = _folder()
    export = read_export(data)
    refused = list(_Site().problems(export))
    kept = {board.export.dashboard["uuid"]: board for board in map(_read, _paths(folder))}
    former = kept.pop(export.dashboard["uuid"], None)
    name = former.path.stem if former else _name(export)
    path = folder / f"{name}.zip"
    if former is None and path.exists():
        refused.append(
            f"Another dashboard is kept as {path}. Give this one another URL slug in Superset, or remove that file."
        )
    if refused:
        raise UnusableBoard(refused)
    try:
        _write(path, _zip(export))
    except OSError as error:
        raise UnusableBoard(
            [f"{path} cannot be written ({error.strerror}). Correct {SETTING}, or its rights."]
        ) from None
    return OwnBoard(path, export)


def own_boards() -> KeptBoards:
    """The boards that are kept, in the order of their files; none while ASPECTS_BOARDS_DIR is empty.

    Each is checked again, because files and what the reader may read can have changed. Raises UnusableBoard if the
    setting is not a folder.
    """
    kept = KeptBoards()
    if not settings.ASPECTS_BOARDS_DIR:
        return kept
    site = _Site()
    seen: dict[str, Path] = {}
    for position, path in enumerate(_paths(_folder()), FIRST_POSITION):
        try:
            board = _read(path)
        except UnusableBoard as unusable:
            kept.problems += unusable.problems
            kept.standing.add(_slug(path))
            continue
        refused = list(site.problems(board.export))
        if other := seen.get(board.export.dashboard["uuid"]):
            refused.append(f"It is the same dashboard as {other}.")
        if not refused:
            seen[board.export.dashboard["uuid"]] = path
            kept.usable[position] = board
            continue
        kept.problems += [f"{path}: {text} (Add it anew, or remove the file.)" for text in refused]
        if not site.shows_names(board.export):
            kept.standing.add(board.slug)
    return kept


def own_bundles(kept: KeptBoards, database: DatabaseConnection) -> list[Bundle]:
    """A bundle for each board that is usable."""
    return [bundle_of(board.export, board.slug, position, database) for position, board in kept.usable.items()]


def _folder() -> Path:
    folder = settings.ASPECTS_BOARDS_DIR
    if not folder or not isinstance(folder, str | Path):
        raise UnusableBoard(
            [f"{SETTING} is {folder!r}. Set it to a folder that stays, such as '/openedx/data/boards', and create it."]
        )
    if not Path(folder).is_dir():
        raise UnusableBoard(
            [f"{SETTING} is {str(folder)!r}, which is not a folder. Create it, or correct the setting."]
        )
    return Path(folder)


def _paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.zip"))


def _slug(path: Path) -> str:
    return f"own-{path.stem}"


def _read(path: Path) -> OwnBoard:
    """A board that is kept. Raises UnusableBoard with texts that begin with its path."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        return OwnBoard(path, read_export(data))
    except OSError as error:
        raise UnusableBoard([f"{path} cannot be read ({error.strerror}). Correct its rights."]) from None
    except UnusableBoard as unusable:
        raise UnusableBoard(f"{path}: {text} (Remove the file.)" for text in unusable.problems) from None


class _Site:
    """This site, for the checks: what Superset's reader may read, and which dashboards are not its own."""

    def __init__(self) -> None:
        connection = Connection.from_settings()
        self.database = database_of(connection)
        personal = names_are_on()
        views = [view for view in relations() if view.is_for_boards]
        listed = Reader.from_settings(relations_of_own_boards(connection)).relations
        self.closed = {(self.database, view.name) for view in views if view.is_personal and not personal}
        self.readable: set[Relation] = {*listed, *({(self.database, view.name) for view in views} - self.closed)}
        spoken = languages()
        theirs = {UUID(entry["uuid"]) for entry in _dashboards_of_aspects()}
        theirs |= {uuid5(uuid5(uuid, "superset"), language.replace("-", "_")) for uuid in theirs for language in spoken}
        own = {uuid_of("dashboard", board.slug, language) for board in boards(personal=True) for language in spoken}
        self.taken = {**dict.fromkeys(map(str, theirs), "Aspects'"), **dict.fromkeys(own, "the plugin's")}

    def problems(self, export: Export) -> Iterator[str]:
        """A text for each fault of an export."""
        if owner := self.taken.get(export.dashboard["uuid"]):
            yield f"The dashboard is {owner} own. In Superset, save it as a dashboard of your own, and export that."
        yield from problems(export, self.database, self.readable)

    def shows_names(self, export: Export) -> bool:
        """Whether an export reads views with names, which the site has turned off."""
        return reads(export, self.database, self.closed)


def _dashboards_of_aspects() -> Sequence[dict[str, str]]:
    found = defaults()
    return [*found["ASPECTS_INSTRUCTOR_DASHBOARDS"], *found["ASPECTS_IN_CONTEXT_DASHBOARDS"].values()]


def _name(export: Export) -> str:
    """The name of the file: by the dashboard's slug, its title, or else its UUID."""
    slugs = [slugify(text)[:SLUG_LENGTH].strip("-_") for text in (export.dashboard.get("slug") or "", export.title)]
    return next(filter(None, slugs), str(export.dashboard["uuid"])[:8])


def _zip(export: Export) -> bytes:
    return packed({path: to_yaml(content) for path, content in export.files.items()}, zipfile.ZIP_DEFLATED)


def _write(path: Path, data: bytes) -> None:
    """Write the file, whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _MODE)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
