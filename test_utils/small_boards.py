"""Small boards for tests of provisioning: a bundle of a few objects, whose files a real Superset takes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from platform_plugin_aspects.dashboards.bundle.bundle import BoardRow, Bundle
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection

COUNT = {"expressionType": "SQL", "sqlExpression": "COUNT(*)", "label": "Learners"}


def uuid_of(kind: str, name: str) -> str:
    """The UUID of an object of a small board."""
    return str(uuid5(NAMESPACE_URL, f"https://small-boards.invalid/{kind}/{name}"))


def small_database(host: str = "clickhouse.invalid") -> DatabaseConnection:
    """Superset's connection to ClickHouse at port 8123 of ``host``."""
    return DatabaseConnection(host, 8123, "reader", "aspects_reports", name="Small reports")


def small_bundle(boards: Mapping[str, Mapping[str, str]], language: str = "en", edition: str = "") -> Bundle:
    """Boards in one language: slug -> {chart: dataset}. Every dataset has the columns org and course_key.

    ``edition`` stands in the title of each chart.
    """
    database = small_database()
    datasets = {name: uuid_of("dataset", name) for charts in boards.values() for name in sorted(set(charts.values()))}
    charts = {name: uuid_of("chart", f"{name}/{language}") for board in boards.values() for name in board}
    contents: dict[str, Any] = {
        "metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/reports.yaml": database.content(),
    }
    for name, uuid in datasets.items():
        contents[f"datasets/reports/{name}.yaml"] = _dataset(name, uuid, database)
    rows = []
    for position, (slug, board) in enumerate(boards.items()):
        for name, dataset in board.items():
            contents[f"charts/{name}.yaml"] = _chart(f"{name} {edition}".strip(), charts[name], datasets[dataset])
        row = BoardRow(
            slug=slug,
            superset_slug=f"aspects-{slug}-{language}",
            title=slug.title(),
            dashboard_uuid=uuid_of("dashboard", f"{slug}/{language}"),
            block_type="",
            position=position,
            charts=tuple(charts[name] for name in board),
            datasets=tuple(datasets[name] for name in sorted(set(board.values()))),
        )
        contents[f"dashboards/{slug}.yaml"] = _dashboard(row, list(board))
        rows.append(row)
    dashboards = {row.superset_slug: row.dashboard_uuid for row in rows}
    return Bundle(language, contents, dashboards, charts, datasets, tuple(rows))


def _dataset(name: str, uuid: str, database: DatabaseConnection) -> dict[str, Any]:
    columns = [{"column_name": column, "type": "String"} for column in ("org", "course_key")]
    return {
        "table_name": name,
        "schema": database.database,
        "sql": None,
        "main_dttm_col": None,
        "columns": columns,
        "metrics": [],
        "database_uuid": database.uuid,
        "uuid": uuid,
        "version": "1.0.0",
    }


def _chart(title: str, uuid: str, dataset: str) -> dict[str, Any]:
    query = {"columns": ["course_key"], "metrics": [COUNT], "orderby": []}
    params = {"viz_type": "table", "query_mode": "aggregate", "groupby": ["course_key"], "metrics": [COUNT]}
    context = {"datasource": {"id": 0, "type": "table"}, "queries": [query], "form_data": params}
    return {
        "slice_name": title,
        "viz_type": "table",
        "params": params,
        "query_context": json.dumps(context),
        "dataset_uuid": dataset,
        "uuid": uuid,
        "version": "1.0.0",
    }


def _dashboard(row: BoardRow, charts: Sequence[str]) -> dict[str, Any]:
    places = [f"CHART-{name}" for name in charts]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": ["ROW-0"], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": row.title}},
        "ROW-0": _part("ROW", "ROW-0", places, {"background": "BACKGROUND_TRANSPARENT"}),
    }
    for place, name, uuid in zip(places, charts, row.charts, strict=True):
        meta = {"uuid": uuid, "chartId": 0, "sliceName": name, "width": 4, "height": 40}
        position[place] = _part("CHART", place, [], meta)
    return {
        "dashboard_title": row.title,
        "slug": row.superset_slug,
        "position": position,
        "metadata": {"native_filter_configuration": []},
        "published": True,
        "uuid": row.dashboard_uuid,
        "version": "1.0.0",
    }


def _part(kind: str, name: str, children: Sequence[str], meta: Mapping[str, Any]) -> dict[str, Any]:
    parents = ["ROOT_ID", "GRID_ID", *(["ROW-0"] if kind == "CHART" else [])]
    return {"type": kind, "id": name, "children": list(children), "parents": parents, "meta": dict(meta)}
