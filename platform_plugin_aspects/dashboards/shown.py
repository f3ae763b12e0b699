"""Which dashboards people see: those that the settings list, and the plugin's own boards that are in Superset.

* An entry of a setting with a UUID is shown as it is.
* An entry without UUID names a board of the plugin by its slug.
* A setting that has its default value lists the plugin's boards, once they are in Superset; until then, Aspects'.

Boards are shown while ASPECTS_REPORTING_ENABLED is True only, each in the user's language, or else in English. A call
reads the table of the boards once, and only where an entry needs it. A board that is not in Superset is left out, with
a line in the log. All functions raise SupersetMisconfigured if a setting is invalid.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.dashboards.dashboard_settings import (
    FALLBACK_LANGUAGE,
    IN_CONTEXT,
    INSTRUCTOR,
    BoardEntry,
    Dashboard,
    Entry,
    default_filter_ids,
    in_context_entries,
    instructor_entries,
    is_default,
    language_of,
    localized,
    normalized,
    versions,
)
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, provisioned
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, reports_are_on

log = logging.getLogger(__name__)


def instructor_dashboards_for(user: Any) -> list[Dashboard]:
    """The dashboards of a course's Reports page, in order, in the user's language."""
    site = _Site(user)
    return site.seen(site.instructor())


def in_context_dashboard_for(user: Any, block_type: str) -> Dashboard | None:
    """The dashboard that Studio shows this user beside blocks of a type, or beside a "course"; None for other types."""
    site = _Site(user)
    entry = site.in_context().get(block_type)
    return next(iter(site.seen([entry])), None) if entry else None


def token_uuids_for(user: Any) -> list[str]:
    """The UUIDs that a guest token of a course opens, each once: what the settings list in every language, and the
    plugin's boards in the user's.

    Browsers send the token in a header, so it names no board that no page shows this user.
    """
    site = _Site(user)
    entries = [*site.instructor(), *site.in_context().values()]
    listed = versions(entry for entry in entries if isinstance(entry, Dashboard))
    own = site.seen(entry for entry in entries if isinstance(entry, BoardEntry))
    return list(dict.fromkeys(dashboard.uuid for dashboard in [*listed, *own]))


def offered_to(author: Any) -> list[Dashboard]:
    """The dashboards of the Reports page, for the editor of a component: named in the author's language.

    The UUIDs are those of the settings, and of the plugin's boards in English: ``in_language_of`` finds the board in
    the language of each reader.
    """
    site = _Site(author)
    found = []
    for entry in site.instructor():
        if isinstance(entry, Dashboard):
            found.append(entry)
        elif boards := site.boards_of(entry):
            name = entry.name or _in_language(boards, site.preferred).title
            found.append(_dashboard(entry, _in_language(boards, ""), name))
    return found


def in_language_of(user: Any, uuid: str) -> str:
    """The UUID of the plugin's board with this UUID in the user's language; any other UUID as it is."""
    site = _Site(user)
    slug = next((board.slug for board in site.boards if board.embedded_uuid == uuid), None)
    if slug is None:
        return uuid
    return _in_language([board for board in site.boards if board.slug == slug], site.preferred).embedded_uuid


@dataclass(frozen=True)
class Listed:
    """All that the settings list.

    ``dashboards``: in every language, by the setting's name, each UUID once in a setting. ``absent``: a text for each
    board that is not in Superset.
    """

    dashboards: dict[str, list[Dashboard]]
    absent: list[str]


def listed() -> Listed:
    """All dashboards that anybody may be shown."""
    site = _Site(None)
    entries: dict[str, Iterable[Entry]] = {INSTRUCTOR: site.instructor(), IN_CONTEXT: site.in_context().values()}
    found = {}
    for name, of_setting in entries.items():
        dashboards = [entry for entry in of_setting if isinstance(entry, Dashboard)]
        own = [
            _dashboard(entry, board)
            for entry in of_setting
            if isinstance(entry, BoardEntry)
            for board in site.boards_of(entry)
        ]
        found[name] = [*versions(dashboards), *own]
    return Listed(found, site.absent)


class _Site:
    """The entries of the settings, and the boards in Superset, as one request needs them."""

    def __init__(self, user: Any):
        self.user = user
        #: A text for each board that was asked for and is not there.
        self.absent: list[str] = []

    @cached_property
    def boards(self) -> Sequence[Provisioned]:
        """The boards that Superset embeds, in order; none, and no query, while reports are off."""
        return [board for board in provisioned() if board.embedded_uuid] if reports_are_on() else []

    @cached_property
    def preferred(self) -> str:
        """The language that the user chose; "" for none, or without a user."""
        return (self.user and edx_platform.preferred_language(self.user)) or ""

    @cached_property
    def language(self) -> str:
        """The language of dashboards that the settings list."""
        return language_of(self.user)

    def instructor(self) -> Sequence[Entry]:
        """The entries of the Reports page, or the boards in their place."""
        entries = instructor_entries()
        if is_default(INSTRUCTOR):
            own = dict.fromkeys(board.slug for board in self.boards if not board.block_type)
            return [BoardEntry(INSTRUCTOR, slug) for slug in own] or entries
        return entries

    def in_context(self) -> dict[str, Entry]:
        """The same for Studio, by type of block."""
        entries = in_context_entries()
        if entries and is_default(IN_CONTEXT):
            own = {board.block_type: BoardEntry(IN_CONTEXT, board.slug) for board in self.boards if board.block_type}
            return {**own} or entries
        return entries

    def boards_of(self, entry: BoardEntry) -> list[Provisioned]:
        """The board that the entry names, in each language."""
        found = [board for board in self.boards if board.slug == entry.slug]
        if not found:
            known = ", ".join(dict.fromkeys(board.slug for board in self.boards)) or "none"
            state = f"Boards in Superset: {known}" if reports_are_on() else f"{ENABLED_SETTING} is False"
            self.absent.append(f"{entry.place} names the board {entry.slug!r}, which is not in Superset. {state}.")
        return found

    def seen(self, entries: Iterable[Entry]) -> list[Dashboard]:
        """These dashboards in the user's language, without the absent ones."""
        found = []
        for entry in entries:
            if isinstance(entry, Dashboard):
                found.append(localized(entry, self.language))
            elif boards := self.boards_of(entry):
                found.append(_dashboard(entry, _in_language(boards, self.preferred)))
        for text in self.absent:
            log.error("%s Run aspects_provision, or correct the setting.", text)
        return found


def _in_language(boards: Sequence[Provisioned], preferred: str) -> Provisioned:
    """The one of these versions of a board in this language ("fr" also for "fr-ca"), or in English, or the first."""
    by_language = {normalized(board.language): board for board in boards}
    wanted = normalized(preferred)
    codes = (wanted, wanted.partition("_")[0], FALLBACK_LANGUAGE)
    return next((by_language[code] for code in codes if code in by_language), boards[0])


def _dashboard(entry: BoardEntry, board: Provisioned, name: str = "") -> Dashboard:
    of_course, of_block = default_filter_ids(board.block_type)
    return Dashboard(
        name=name or entry.name or board.title,
        slug=board.slug,
        uuid=board.embedded_uuid,
        allow_translations=False,
        course_filter_ids=of_course if entry.course_filter_ids is None else entry.course_filter_ids,
        block_filter_ids=of_block if entry.block_filter_ids is None else entry.block_filter_ids,
        language=board.language,
        is_own=True,
    )
