"""An export as the files that Superset imports: under UUIDs of our own, and on the connection of the reports.

UUIDs are made of the board's slug and the export's UUIDs, so a board that is added anew replaces its former version,
and nothing is ever written over an object of somebody else. Datasets become ``SELECT * FROM`` their relation, because
Superset takes a table only once for each connection, and the plugin's own boards may have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.dashboards.bundle.bundle import BoardRow, Bundle, head
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.bundle.datasets import VERSION
from platform_plugin_aspects.dashboards.bundle.identity import uuid_of
from platform_plugin_aspects.dashboards.own_boards.export import Export
from platform_plugin_aspects.dashboards.own_boards.shapes import JSON

#: Characters of a dataset's name, in Superset's metadata.
NAME_LENGTH = 250


def bundle_of(export: Export, slug: str, position: int, database: DatabaseConnection) -> Bundle:
    """The bundle of a board. ``slug``: the board's, such as "own-labs". It has one language, "", for everybody."""

    def renamed(kind: str, uuid: str) -> str:
        return uuid_of(kind, f"{slug}/{uuid}")

    datasets = {uuid: renamed("dataset", uuid) for uuid in export.datasets}
    charts = {uuid: renamed("chart", uuid) for uuid in export.charts}
    own = renamed("dashboard", export.dashboard["uuid"])
    superset_slug = f"aspects-{slug}"
    contents = head(database)
    names: dict[str, str] = {}
    for uuid, dataset in sorted(export.datasets.items()):
        names[uuid] = f"{slug} {uuid[:8]}: {dataset['table_name']}"[:NAME_LENGTH]
        contents[f"datasets/aspects_reports/{datasets[uuid]}.yaml"] = {
            **dataset,
            "table_name": names[uuid],
            "schema": dataset.get("schema") or database.database,
            "sql": dataset.get("sql") or _all_of(dataset, database),
            "uuid": datasets[uuid],
            "database_uuid": database.uuid,
            "version": VERSION,
        }
    for uuid, chart in sorted(export.charts.items()):
        contents[f"charts/{charts[uuid]}.yaml"] = {
            **chart,
            "params": _renamed(chart["params"], charts),
            "query_context": json.dumps(_renamed(json.loads(chart["query_context"]), charts)),
            "uuid": charts[uuid],
            "dataset_uuid": datasets[chart["dataset_uuid"]],
            "version": VERSION,
        }
    contents[f"dashboards/{superset_slug}.yaml"] = {
        **_renamed(export.dashboard, {**datasets, **charts}),
        "metadata": _renamed(export.dashboard.get("metadata", {}), datasets),
        "slug": superset_slug,
        "uuid": own,
        "published": True,
        "version": VERSION,
    }
    row = BoardRow(
        slug=slug,
        superset_slug=superset_slug,
        title=export.title,
        dashboard_uuid=own,
        block_type="",
        position=position,
        charts=tuple(charts.values()),
        datasets=tuple(datasets.values()),
    )
    return Bundle(
        "",
        contents,
        {superset_slug: own},
        {f"{slug}.{uuid}": new for uuid, new in charts.items()},
        {names[uuid]: new for uuid, new in datasets.items()},
        (row,),
    )


def _all_of(dataset: JSON, database: DatabaseConnection) -> str:
    return f"SELECT * FROM {quote(dataset.get('schema') or database.database)}.{quote(dataset['table_name'])}"


def _renamed(value: Any, uuids: Mapping[str, str]) -> Any:
    """A tree in which each text that is one of these UUIDs is the new one."""
    if isinstance(value, dict):
        return {key: _renamed(inner, uuids) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, uuids) for inner in value]
    return uuids.get(value, value) if isinstance(value, str) else value
