"""The faults of a dashboard as a board for guests, by name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from platform_plugin_aspects.dashboards.own_boards.export import Export
from platform_plugin_aspects.dashboards.own_boards.shapes import JSON
from platform_plugin_aspects.dashboards.own_boards.sql import (
    SCOPE,
    Relation,
    refusal_of_expression,
    refusal_of_select,
    unreadable,
)

#: SQLAlchemy's names of ClickHouse: of clickhouse-connect, and of clickhouse-sqlalchemy.
CLICKHOUSE = ("clickhousedb", "clickhouse")
#: Keys of charts and filters whose value is SQL.
_SQL_KEYS = ("sqlExpression", "where", "having")


def problems(export: Export, schema: str, readable: Collection[Relation]) -> Iterator[str]:
    """A text for each fault. ``schema``: the database of reports. ``readable``: (database, table or view) pairs."""
    uri, name = export.database["sqlalchemy_uri"], export.database["database_name"]
    if uri.partition(":")[0].partition("+")[0] not in CLICKHOUSE:
        kind = uri.partition(":")[0]
        yield f"The database {name!r} is {kind!r}. Boards read ClickHouse: build the charts on datasets of ClickHouse."
    for dataset in export.datasets.values():
        yield from _of_dataset(dataset, export, schema, readable)
    for chart in export.charts.values():
        yield from _of_chart(chart, export)
    yield from _of_dashboard(export)


def reads(export: Export, schema: str, relations: Collection[Relation]) -> bool:
    """Whether a dataset of the export reads one of these relations. A name of one anywhere in SQL counts as well."""
    return any(
        name in (dataset.get("sql") or "")
        or (database, name) == (dataset.get("schema") or schema, dataset["table_name"])
        for dataset in export.datasets.values()
        for database, name in relations
    )


def _of_dataset(dataset: JSON, export: Export, schema: str, readable: Collection[Relation]) -> Iterator[str]:
    name = f"Dataset {dataset['table_name']!r}"
    if dataset["database_uuid"] != export.database["uuid"]:
        yield f"{name} reads another database than {export.database['database_name']!r}. Build it on that one."
    stored = {column["column_name"] for column in dataset["columns"] if not column.get("expression")}
    if missing := [column for column in SCOPE if column not in stored]:
        yield (
            f"{name} has no column {' and no column '.join(missing)}, by which guests are limited to their course. "
            "Choose a table or view that has org and course_key (calculated columns do not count)."
        )
    if sql := dataset.get("sql"):
        reason = refusal_of_select(sql, dataset.get("schema") or schema, readable)
    else:
        reason = unreadable((dataset.get("schema") or schema, dataset["table_name"]), readable)
    if reason is not None:
        yield f"{name} {reason}."
    texts = [(f"column {column['column_name']!r}", column.get("expression")) for column in dataset["columns"]]
    texts += [(f"metric {metric['metric_name']!r}", metric["expression"]) for metric in dataset.get("metrics", ())]
    texts.append(("filter of values", dataset.get("fetch_values_predicate")))
    for part, text in texts:
        if text and (reason := refusal_of_expression(text)) is not None:
            yield f"{name}: its {part} {reason}."


def _of_chart(chart: JSON, export: Export) -> Iterator[str]:
    name = f"Chart {chart['slice_name']!r}"
    if chart["dataset_uuid"] not in export.datasets:
        yield f"{name} has a dataset that is not in the export. Choose one in Superset, and save the chart."
    try:
        query = json.loads(chart.get("query_context") or "null")
        sql = [*_sql(chart["params"]), *_sql(query)]
    except (ValueError, RecursionError):
        yield f"{name} has a query that cannot be read. Open the chart in Superset, and save it."
        return
    if not isinstance(query, dict) or not isinstance(query.get("queries"), list):
        yield f"{name} was never saved with its query, which guests need. Open the chart in Superset, and save it."
    for text in dict.fromkeys(sql):
        if (reason := refusal_of_expression(text)) is not None:
            yield f"{name}: its SQL {_short(text)} {reason}."
    others = [layer for layer in _list(chart["params"].get("annotation_layers")) if _kind(layer) != "FORMULA"]
    if others or chart["params"].get("deck_slices"):
        yield f"{name} shows other charts or annotations by their number, which differs here. Remove these layers."


def _of_dashboard(export: Export) -> Iterator[str]:
    shown = {uuid for uuid in _chart_uuids(export.dashboard["position"]) if uuid}
    if not shown:
        yield "The dashboard has no chart."
    for uuid in sorted(map(str, shown - export.charts.keys())):
        yield f"The dashboard has a chart that is not in the export ({uuid}). Remove it, or save the dashboard anew."
    metadata = export.dashboard.get("metadata", {})
    for native in filter(_is_dict, _list(metadata.get("native_filter_configuration"))):
        for target in filter(_is_dict, _list(native.get("targets"))):
            if target.get("datasetUuid", "") not in ("", *export.datasets) or "datasetId" in target:
                yield (
                    f"The filter {native.get('name')!r} reads a dataset that is not in the export. "
                    "Choose one in Superset, and save the dashboard."
                )
    for text in dict.fromkeys(_sql(metadata)):
        if (reason := refusal_of_expression(text)) is not None:
            yield f"A filter of the dashboard: its SQL {_short(text)} {reason}."


def _sql(value: Any) -> Iterator[str]:
    """The SQL in a tree, wherever it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _SQL_KEYS and isinstance(inner, str):
                if inner.strip():
                    yield inner
            else:
                yield from _sql(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sql(inner)


def _chart_uuids(position: JSON) -> Iterator[Any]:
    for part in filter(_is_dict, position.values()):
        if part.get("type") == "CHART":
            meta = part.get("meta")
            yield meta.get("uuid") if _is_dict(meta) and isinstance(meta.get("uuid"), str) else "without UUID"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _kind(layer: Any) -> Any:
    return layer.get("annotationType") if isinstance(layer, dict) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
