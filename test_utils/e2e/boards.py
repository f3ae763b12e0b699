"""Superset's content: a dataset over the enrollments, charts, and the dashboards that the plugin embeds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from test_utils.show.superset import Superset, SupersetApi

#: The latest row of each enrollment, with the columns that the plugin's row-level clauses name.
DATASET_SQL = """
SELECT
    extract(course_key, '^(?:course-v1:|ccx-v1:)?([^+/]+)') AS org,
    course_key,
    -- For the filters of Studio's dashboards: as if there were a problem per mode. Aspects' datasets, too, hold the
    -- last part of the usage key.
    mode AS block_id,
    username,
    mode,
    is_active
FROM event_sink.course_enrollment
ORDER BY time_last_dumped DESC
LIMIT 1 BY id
"""
COUNT = {"expressionType": "SQL", "sqlExpression": "COUNT(*)", "label": "Enrollments"}
#: A dashboard is this wide.
COLUMNS = 12


@dataclass(frozen=True)
class Chart:
    """A chart over the dataset: ``viz_type`` and ``params`` are Superset's names, ``query`` what it asks for."""

    name: str
    viz_type: str
    params: Mapping[str, Any]
    query: Mapping[str, Any]


COUNTS = Chart(
    "Enrollments by course and mode",
    "table",
    {"query_mode": "aggregate", "groupby": ["course_key", "mode"], "metrics": [COUNT], "row_limit": 1000},
    {"columns": ["course_key", "mode"], "metrics": [COUNT], "orderby": [[COUNT, False]]},
)
TOTAL = Chart("Enrollments", "big_number_total", {"metric": COUNT}, {"columns": [], "metrics": [COUNT]})
MODES = Chart(
    "Modes",
    "echarts_timeseries_bar",
    {"x_axis": "mode", "metrics": [COUNT], "groupby": [], "x_axis_sort_asc": True, "truncate_metric": True},
    {"columns": ["mode"], "metrics": [COUNT], "orderby": [[COUNT, False]]},
)
LEARNERS = Chart(
    "Learners",
    "table",
    {"query_mode": "raw", "all_columns": ["username", "course_key", "mode"], "row_limit": 1000},
    {"columns": ["username", "course_key", "mode"], "metrics": [], "orderby": []},
)


@dataclass(frozen=True)
class Board:
    """A dashboard: its title, the UUID with which it is embedded, its charts in rows, {native filter: column}."""

    title: str
    uuid: str
    rows: Sequence[Sequence[Chart]]
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def charts(self) -> list[Chart]:
        return [chart for row in self.rows for chart in row]


def fill(
    superset: Superset, clickhouse_url: str, boards: Sequence[Board], allowed_domains: Sequence[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Make the boards in an empty Superset. ``clickhouse_url`` is SQLAlchemy's; ``allowed_domains`` may embed them.

    Returns what a browser sends for the data of each chart, by the UUID of the board and the name of the chart.
    """
    contexts = {}
    api = superset.api()
    database = api.post("database/", database_name="ClickHouse, by hand", sqlalchemy_uri=clickhouse_url)["id"]
    dataset = api.post("dataset/", database=database, table_name="enrollments_by_hand", sql=DATASET_SQL)["id"]
    for board in boards:
        dashboard = api.post("dashboard/", dashboard_title=board.title, published=True)["id"]
        charts = []
        for chart in board.charts:
            number, context = _make_chart(api, chart, dataset, dashboard)
            charts.append(number)
            contexts[board.uuid, chart.name] = context
        metadata = {
            "native_filter_configuration": [_filter(name, dataset, board.filters[name]) for name in board.filters]
        }
        api.put(
            f"dashboard/{dashboard}",
            position_json=json.dumps(_layout(board, charts)),
            json_metadata=json.dumps(metadata),
        )
        embedded = api.post(f"dashboard/{dashboard}/embedded", allowed_domains=list(allowed_domains))["result"]["uuid"]
        _know_as(superset, embedded, board.uuid)
    return contexts


def _make_chart(api: SupersetApi, chart: Chart, dataset: int, dashboard: int) -> tuple[int, dict[str, Any]]:
    form = {"viz_type": chart.viz_type, "datasource": f"{dataset}__table", **chart.params}
    # A guest may ask for what the chart was saved with, nothing else.
    context = {"datasource": {"id": dataset, "type": "table"}, "queries": [chart.query], "form_data": form}
    number = api.post(
        "chart/",
        slice_name=chart.name,
        viz_type=chart.viz_type,
        datasource_id=dataset,
        datasource_type="table",
        params=json.dumps(form),
        query_context=json.dumps(context),
        dashboards=[dashboard],
    )["id"]
    return number, {**context, "form_data": {**form, "dashboardId": dashboard, "slice_id": number}}


def _filter(name: str, dataset: int, column: str) -> dict[str, Any]:
    """A native filter, by the values of a column, over all charts."""
    return {
        "id": name,
        "name": column,
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "targets": [{"datasetId": dataset, "column": {"name": column}}],
        "controlValues": {"multiSelect": True},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
    }


def _layout(board: Board, charts: Sequence[int]) -> dict[str, Any]:
    """Superset's ``position_json``; ``charts`` are the numbers of the board's."""
    numbers = iter(charts)
    layout: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": board.title}},
    }
    for place, row in enumerate(board.rows):
        row_id, parents = f"ROW-{place}", ["ROOT_ID", "GRID_ID"]
        held = []
        for chart, number in zip(row, numbers, strict=False):
            held.append(f"CHART-{number}")
            meta = {"chartId": number, "sliceName": chart.name, "width": COLUMNS // len(row), "height": 40}
            layout[held[-1]] = {
                "type": "CHART",
                "id": held[-1],
                "children": [],
                "parents": [*parents, row_id],
                "meta": meta,
            }
        style = {"background": "BACKGROUND_TRANSPARENT"}
        layout[row_id] = {"type": "ROW", "id": row_id, "children": held, "parents": parents, "meta": style}
        layout["GRID_ID"]["children"].append(row_id)
    return layout


def _know_as(superset: Superset, made: str, known: str) -> None:
    """Embed with a known UUID: the API only makes new ones, so operators import theirs past it."""
    with sqlite3.connect(superset.metadata, timeout=30) as database:
        change = "UPDATE embedded_dashboards SET uuid = ? WHERE uuid = ?"
        count = database.execute(change, (UUID(known).bytes, UUID(made).bytes)).rowcount
    database.close()
    assert count == 1, f"Superset has no embedded dashboard {made}"
