"""A dashboard as Superset 6.1 exports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from platform_plugin_aspects.dashboards.own_boards.archive import read_archive
from platform_plugin_aspects.dashboards.own_boards.problems import UnusableBoard
from platform_plugin_aspects.dashboards.own_boards.shapes import (
    CHART,
    DASHBOARD,
    DATABASE,
    DATASET,
    JSON,
    Key,
    taken,
)

METADATA, VERSION = "metadata.yaml", "1.0.0"
#: The type of an export of dashboards, in its metadata.
OF_DASHBOARDS = "Dashboard"


@dataclass(frozen=True)
class Export:
    """The parts of an export, with the keys that are kept. ``charts``, ``datasets``: {UUID: content}."""

    dashboard: JSON
    charts: Mapping[str, JSON]
    datasets: Mapping[str, JSON]
    database: JSON

    @property
    def title(self) -> str:
        """The dashboard's."""
        return str(self.dashboard["dashboard_title"])

    @property
    def files(self) -> dict[str, JSON]:
        """{path: content}, such that ``read_export`` reads the same from a zip of them."""
        files: dict[str, JSON] = {
            METADATA: {"version": VERSION, "type": OF_DASHBOARDS},
            "databases/database.yaml": self.database,
            "dashboards/dashboard.yaml": self.dashboard,
        }
        for folder, parts in (("charts", self.charts), ("datasets/database", self.datasets)):
            files |= {f"{folder}/{uuid}.yaml": content for uuid, content in parts.items()}
        return {path: {**content, "version": VERSION} for path, content in files.items()}


def read_export(data: bytes) -> Export:
    """The dashboard in a zip. Raises UnusableBoard for any other file, and for an export of several dashboards."""
    files = read_archive(data)
    metadata = files.get(METADATA)
    if metadata is None or metadata.get("type") != OF_DASHBOARDS:
        found = f"an export of the type {metadata.get('type')!r}" if metadata else f"a zip without {METADATA}"
        raise UnusableBoard([f"The file is {found}. Export a dashboard: in Superset's list of dashboards, Export."])
    if metadata.get("version") != VERSION:
        raise UnusableBoard([f"The export has the version {metadata.get('version')!r}, and only {VERSION!r} is known."])
    dashboards = _parts(files, "dashboards", DASHBOARD)
    databases = _parts(files, "databases", DATABASE)
    if len(dashboards) != 1:
        titles = ", ".join(sorted(repr(each["dashboard_title"]) for each in dashboards.values())) or "none"
        raise UnusableBoard([f"The export has {len(dashboards)} dashboards ({titles}). Export one at a time."])
    if len(databases) != 1:
        names = ", ".join(sorted(repr(each["database_name"]) for each in databases.values())) or "none"
        raise UnusableBoard(
            [f"The export reads {len(databases)} databases ({names}). A board reads ClickHouse through one connection."]
        )
    (dashboard,), (database,) = dashboards.values(), databases.values()
    return Export(dashboard, _parts(files, "charts", CHART), _parts(files, "datasets", DATASET), database)


def _parts(files: Mapping[str, JSON], folder: str, shape: Mapping[str, Key]) -> dict[str, JSON]:
    """The files of a folder, by UUID."""
    found: dict[str, JSON] = {}
    for path, content in files.items():
        if path.startswith(f"{folder}/"):
            part = taken(path, content, shape)
            if part["uuid"] in found:
                raise UnusableBoard([f"{path} has the UUID {part['uuid']} of another file in {folder}/."])
            found[part["uuid"]] = part
    return found
