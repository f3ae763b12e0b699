"""The boards as the files that Superset imports, in one language."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from django.utils.translation import override, to_language, to_locale

from platform_plugin_aspects.dashboards.boards.own_catalog import LOCALE
from platform_plugin_aspects.dashboards.boards.parts import Board
from platform_plugin_aspects.dashboards.bundle.columns import ENGLISH
from platform_plugin_aspects.dashboards.bundle.dashboard import chart_content, dashboard_content
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.bundle.datasets import VERSION, dataset
from platform_plugin_aspects.dashboards.bundle.identity import slug_of, uuid_of
from platform_plugin_aspects.reporting.relation import relations

#: The folder in the zip that holds all files; Superset takes any.
ROOT = "aspects"
#: The moment of each file in the zip, so that equal files are an equal zip; the first that a zip can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)
JSON = dict[str, Any]


@dataclass(frozen=True)
class BoardRow:
    """A board in a bundle. ``slug`` is the board's own, such as "course"; ``superset_slug`` is "aspects-course-en".

    ``datasets``: those that stay in Superset as long as the board does. All boards of the plugin have the same.
    """

    slug: str
    superset_slug: str
    title: str
    dashboard_uuid: str
    block_type: str
    position: int
    charts: tuple[str, ...]
    datasets: tuple[str, ...]


@dataclass(frozen=True)
class Bundle:
    """The files of an import into Superset.

    ``contents``: {path without the root folder: the content of the file}. ``dashboards``: {Superset's slug: UUID}.
    ``charts``: {name: UUID}. ``datasets``: {view: UUID}, one for each view
    for boards; those with names of learners only where a board uses them.
    """

    language: str
    contents: Mapping[str, JSON]
    dashboards: Mapping[str, str]
    charts: Mapping[str, str]
    datasets: Mapping[str, str]
    rows: tuple[BoardRow, ...]

    @cached_property
    def files(self) -> dict[str, str]:
        """{path: YAML}."""
        return {path: to_yaml(content) for path, content in self.contents.items()}

    @cached_property
    def zip(self) -> bytes:
        """The files in a zip. Equal files are equal bytes."""
        return packed(self.files)

    @cached_property
    def hash(self) -> str:
        """64 hexadecimal digits, which change with what Superset stores, and with nothing else."""
        stored = sorted(json.dumps(content, sort_keys=True) for content in self.contents.values())
        return hashlib.sha256("\n".join(stored).encode()).hexdigest()


def packed(files: Mapping[str, str], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The files ({path: text}) in a zip as Superset imports it. Equal files are equal bytes.

    ``compression``: one of zipfile's constants.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{ROOT}/{path}", _EPOCH), text.encode(), compression)
    return made.getvalue()


def languages() -> tuple[str, ...]:
    """The languages of boards: English, then those that the package has a catalog for, such as "es-419"."""
    found = sorted(to_language(path.parts[-3]) for path in LOCALE.glob("*/LC_MESSAGES/django.mo"))
    return (ENGLISH, *(language for language in found if language != ENGLISH))


def bundle(boards: Sequence[Board], language: str, database: DatabaseConnection) -> Bundle:
    """The bundle of the boards in a language. ``language``: one of ``languages``.

    Raises InvalidBoard for a chart whose labels are equal in the language, and Misconfigured for an invalid rule.
    """
    used = {view for board in boards for view in board.views}
    # Also those that no board uses: Superset closes the rows of a view only if it has a dataset under the row rule.
    views = {
        relation.name: relation
        for relation in relations()
        if relation.is_for_boards and (relation.name in used or not relation.is_personal)
    }
    datasets = {view: uuid_of("dataset", view) for view in sorted(views)}
    contents = head(database)
    for view in datasets:
        contents[f"datasets/aspects_reports/{view}.yaml"] = dataset(views[view], database.uuid, database.database)
    rows = []
    charts = {}
    with override(to_locale(language).replace("_", "-").lower()):
        for place, board in enumerate(boards):
            for chart in board.charts:
                content = chart_content(chart, language)
                charts[chart.name] = content["uuid"]
                contents[f"charts/{chart.name}.{language}.yaml"] = content
            content = dashboard_content(board, language)
            contents[f"dashboards/{board.slug}.{language}.yaml"] = content
            rows.append(
                BoardRow(
                    slug=board.slug,
                    superset_slug=slug_of(board.slug, language),
                    title=content["dashboard_title"],
                    dashboard_uuid=content["uuid"],
                    block_type=board.block_type,
                    position=place,
                    charts=tuple(charts[chart.name] for chart in board.charts),
                    datasets=tuple(datasets.values()),
                )
            )
    return Bundle(
        language,
        contents,
        {row.superset_slug: row.dashboard_uuid for row in rows},
        charts,
        datasets,
        tuple(rows),
    )


def head(database: DatabaseConnection) -> dict[str, JSON]:
    """The files that begin each bundle: path -> content."""
    return {
        "metadata.yaml": {"version": VERSION, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/aspects_reports.yaml": database.content(),
    }


def to_yaml(content: JSON) -> str:
    """The content of a file as YAML, in its order."""
    return yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)


#: libyaml's, where PyYAML was built with it: several times as fast.
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_SafeDumper):
    """Writes each value in full where it stands."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True
