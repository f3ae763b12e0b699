"""Each kind of chart as Superset draws it: its type, its form, and the query that its form asks.

A guest whose role may read the dataset is answered only if the browser asks what the chart was saved with (ADR 17). So
columns, measures and the order are, letter by letter, those that Superset's JavaScript makes of the form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from platform_plugin_aspects.dashboards.boards import house
from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.parts import Chart, Kind, Measure
from platform_plugin_aspects.dashboards.boards.values import VALUES
from platform_plugin_aspects.dashboards.bundle.columns import as_answered, as_asked, label, refuse_equal_names
from platform_plugin_aspects.dashboards.bundle.datasets import DAY, has_days

JSON = dict[str, Any]
#: A day and a moment, in the language of d3-time-format: without a name of a month, which would be English.
DATE_FORMAT, MOMENT_FORMAT = "%Y-%m-%d", "%Y-%m-%d %H:%M"
#: The least pixels of the columns of a table that would be too narrow otherwise.
WIDTHS = {"answer": 120, "email": 130, "flags": 80, "name": 80, "problem_name": 90, "reasons": 170, "username": 100}
#: Pixels of a row of a table, of what stands above and below the rows, and of a unit of a chart's height.
ROW, AROUND_ROWS, UNIT = 30, 215, 8
#: Lines of more points have no dots.
FEW = 1_000


@dataclass(frozen=True)
class Drawn:
    """A chart in Superset's words. ``params``: its form; ``query``: what the form asks."""

    viz_type: str
    params: Mapping[str, Any]
    query: Mapping[str, Any]


def draw(chart: Chart) -> Drawn:
    """The chart, in the active language. Raises InvalidBoard for one with two columns of a name."""
    refuse_equal_names(chart)
    viz_type, params, query = _KINDS[chart.kind](chart)
    common: JSON = {
        "viz_type": viz_type,
        "adhoc_filters": _conditions(chart),
        "row_limit": chart.limit,
        "time_range": house.FIRST_RANGE,
        "extra_form_data": {},
        "dashboards": [],
        "annotation_layers": [],
        "color_scheme": house.SCHEME,
    }
    if has_days(chart.relation):
        common["granularity_sqla"] = DAY
    filters = [{"col": condition.column, "op": condition.operator, "val": condition.value} for condition in chart.where]
    asked: JSON = {
        "filters": filters,
        "extras": {"having": "", "where": ""},
        "applied_time_extras": {},
        "columns": [],
        "orderby": [],
        "annotation_layers": [],
        "row_limit": chart.limit,
        "series_limit": 0,
        "order_desc": True,
        "url_params": {},
        "custom_params": {},
        "custom_form_data": {},
        "time_range": house.FIRST_RANGE,
        **({"granularity": DAY} if has_days(chart.relation) else {}),
    }
    return Drawn(viz_type, {**common, **params}, {**asked, **query})


def _conditions(chart: Chart) -> list[JSON]:
    return [
        {
            "expressionType": "SIMPLE",
            "clause": "WHERE",
            "subject": condition.column,
            "operator": condition.operator,
            "comparator": condition.value,
        }
        for condition in chart.where
    ]


def metric(measure: Measure) -> JSON:
    """A measure, as the form and the query name it."""
    return {
        "expressionType": "SIMPLE",
        "column": {"column_name": measure.column},
        "aggregate": measure.aggregate.upper(),
        "label": label(measure.column),
        "hasCustomLabel": True,
        "optionName": f"metric_{measure.column}",
    }


def _by(column: str) -> str | JSON:
    """The column of a horizontal axis, as the form names it. Superset knows an axis of days by its own name only."""
    return column if column == DAY else as_asked(column)


def _axis(column: str, **grain: str | None) -> JSON:
    """The column of a horizontal axis, as Superset's JavaScript makes it of the form's ``x_axis``."""
    found = _by(column)
    if isinstance(found, str):
        found = {"sqlExpression": found, "label": found, "expressionType": "SQL", "isColumnReference": True}
    return {**grain, "columnType": "BASE_AXIS", **found}


def _number(chart: Chart) -> tuple[str, JSON, JSON]:
    [measure] = chart.measures
    params = {
        "metric": metric(measure),
        "y_axis_format": LABELS[measure.column].format,
        # For moments; numbers have a format of their own.
        "time_format": MOMENT_FORMAT,
        "header_font_size": 0.5,
        "subtitle": "",
        "subtitle_font_size": 0.15,
        "show_metric_name": False,
    }
    return "big_number_total", params, {"metrics": [metric(measure)]}


def _series(chart: Chart) -> tuple[JSON, JSON]:
    """The form and the query of charts with a horizontal axis."""
    metrics = [metric(measure) for measure in chart.measures]
    groups = [as_asked(chart.split)] if chart.split else []
    grain = "P1D" if chart.by == DAY else None
    # Days and texts say themselves what they are.
    has_title = chart.by != DAY and chart.by not in VALUES
    params = {
        "x_axis": _by(chart.by),
        "time_grain_sqla": grain,
        "x_axis_time_format": DATE_FORMAT,
        "tooltipTimeFormat": DATE_FORMAT,
        "metrics": metrics,
        "groupby": groups,
        "order_desc": True,
        "show_legend": len(metrics) > 1 or bool(groups),
        "legendType": "scroll",
        "legendOrientation": "top",
        "rich_tooltip": True,
        "truncate_metric": True,
        "y_axis_format": LABELS[chart.measures[0].column].format,
        "y_axis_bounds": [0, None],
        "truncateYAxis": True,
        "x_axis_title": label(chart.by) if has_title else "",
        "x_axis_title_margin": 30 if has_title else 0,
    }
    query = {
        "columns": [_axis(chart.by, timeGrain=grain), *groups],
        "metrics": metrics,
        "series_columns": groups,
        "orderby": [[metrics[0], False]],
        "extras": {"time_grain_sqla": grain, "having": "", "where": ""},
    }
    return params, query


def _lines(chart: Chart) -> tuple[str, JSON, JSON]:
    params, query = _series(chart)
    return "echarts_timeseries_line", {**params, "markerEnabled": chart.limit <= FEW, "markerSize": 5}, query


def _areas(chart: Chart) -> tuple[str, JSON, JSON]:
    params, query = _series(chart)
    return "echarts_area", {**params, "stack": "Stack", "opacity": 0.6}, query


def _bars(chart: Chart) -> tuple[str, JSON, JSON]:
    params, query = _series(chart)
    # Texts of ours are long in some languages, and Superset leaves out those that have no room below a bar.
    orientation = "horizontal" if chart.by in VALUES else "vertical"
    return "echarts_timeseries_bar", {**params, "orientation": orientation}, query


def _heat(chart: Chart) -> tuple[str, JSON, JSON]:
    [measure] = chart.measures
    params = {
        "x_axis": _by(chart.by),
        "groupby": as_asked(chart.split),
        "metric": metric(measure),
        "sort_x_axis": "alpha_asc",
        # Superset draws the first at the bottom.
        "sort_y_axis": "alpha_desc",
        "linear_color_scheme": house.HEAT_SCHEME,
        "y_axis_format": LABELS[measure.column].format,
        "normalize_across": "heatmap",
        "show_legend": True,
        "show_percentage": False,
        "show_values": False,
        "xscale_interval": -1,
        "yscale_interval": -1,
        "left_margin": 200,
        "bottom_margin": "auto",
        "value_bounds": [0, None],
    }
    query = {
        "columns": [_axis(chart.by), as_asked(chart.split)],
        "metrics": [metric(measure)],
        "orderby": [[_by(chart.by), True], [as_asked(chart.split), False]],
    }
    return "heatmap_v2", params, query


def _table(chart: Chart) -> tuple[str, JSON, JSON]:
    columns = [as_asked(column) for column in chart.columns]
    config = {as_answered(column): _column_config(column) for column in chart.columns}
    orders = [[order.column, not order.descending] for order in chart.order]
    params = {
        "query_mode": "raw",
        "all_columns": columns,
        "order_by_cols": [json.dumps(order) for order in orders],
        "groupby": [],
        "metrics": [],
        "percent_metrics": [],
        "table_timestamp_format": DATE_FORMAT,
        "page_length": _page(chart),
        "include_search": True,
        "show_cell_bars": False,
        "color_pn": False,
        "allow_rearrange_columns": False,
        "server_pagination": False,
        "column_config": config,
        "conditional_formatting": [
            {"column": as_answered(column), "operator": ">", "targetValue": 0, "colorScheme": house.SHADE}
            for column in chart.shaded
        ],
    }
    # With measures, even none, Superset groups the rows.
    query = {"columns": columns, "orderby": orders}
    return "table", params, query


def _page(chart: Chart) -> int:
    """The rows of a page: as many as there would be room for, with a line each."""
    return max(3, (chart.height * UNIT - AROUND_ROWS) // ROW)


def _column_config(column: str) -> JSON:
    config: JSON = {"customColumnName": label(column)}
    if form := LABELS[column].format:
        config |= {"d3NumberFormat": form, "d3SmallNumberFormat": form}
    if column in WIDTHS:
        config["columnWidth"] = WIDTHS[column]
    return config


_KINDS: dict[Kind, Callable[[Chart], tuple[str, JSON, JSON]]] = {
    Kind.NUMBER: _number,
    Kind.LINES: _lines,
    Kind.AREAS: _areas,
    Kind.BARS: _bars,
    Kind.HEAT: _heat,
    Kind.TABLE: _table,
}
