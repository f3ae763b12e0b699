"""The saved query of each chart runs in ClickHouse with a guest's clauses, and types of datasets are ClickHouse's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import User
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.access.clauses import clauses_for
from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.bundle.bundle import bundle
from platform_plugin_aspects.dashboards.bundle.datasets import type_of
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.dashboards.bundle.small_board import DATABASE, LANGUAGES

COURSE = CourseKey.from_string("course-v1:Org+Sky+2026")
#: The types of ClickHouse that a type of Superset's dataset stands for.
STANDS_FOR = {
    "String": r"(LowCardinality\()?String\)?",
    "Int64": r"U?Int\d+",
    "Float64": r"Float64",
    "Bool": r"Bool|UInt8",
    "Date": r"Date",
    "DateTime64(6)": r"DateTime64\(6, 'UTC'\)",
}


_AROUND = re.compile(r"^(?:Nullable\(|SimpleAggregateFunction\(\w+, )(.*)\)$")


def sql_of(query: Mapping[str, Any], view: str, clauses: list[str]) -> str:
    """The statement that Superset makes of a query."""
    columns = {}
    for column in query["columns"]:
        if isinstance(column, str):
            columns[column] = column
        elif column.get("timeGrain"):
            columns[column["label"]] = f"dateTrunc('DAY', toDateTime({column['sqlExpression']}))"
        else:
            columns[column["label"]] = column["sqlExpression"]
    metrics = {
        metric["label"]: f"{metric['aggregate'].lower()}(`{metric['column']['column_name']}`)"
        for metric in query.get("metrics", ())
    }
    selected = ", ".join(f"{expression} AS `{name}`" for name, expression in {**columns, **metrics}.items())
    filters = [f"({some['col']} {some['op'].replace('==', '=')} {some['val']!r})" for some in query["filters"]]
    where = " AND ".join([*filters, *(f"({clause})" for clause in clauses)])
    group = f" GROUP BY {', '.join(f'`{name}`' for name in columns)}" if "metrics" in query and columns else ""
    names = [(some if isinstance(some, str) else some["label"], up) for some, up in query["orderby"]]
    order = ", ".join(f"`{name}` {'ASC' if up else 'DESC'}" for name, up in names)
    return (
        f"SELECT {selected} FROM {view} WHERE {where}{group}"
        f"{f' ORDER BY {order}' if order else ''} LIMIT {query['row_limit']}"
    )


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_saved_query_is_valid_with_the_clauses_of_a_guest(reports: Reports, language: str) -> None:
    clauses = clauses_for(User(username="estelle"), COURSE)
    views = {relation.name: reports.layout.qualified(relation.name) for relation in reports.relations}
    found = bundle(ALL, language, DATABASE)
    names = {uuid: name for name, uuid in found.datasets.items()}
    charts = [content for path, content in found.contents.items() if path.startswith("charts/")]
    assert charts
    for chart in charts:
        [query] = json.loads(chart["query_context"])["queries"]
        # ClickHouse resolves all names and types, and reads nothing.
        reports.client.select(f"EXPLAIN QUERY TREE {sql_of(query, views[names[chart['dataset_uuid']]], clauses)}")


@pytest.mark.django_db
def test_types_of_datasets_are_those_of_clickhouse(reports: Reports) -> None:
    faults = []
    for relation in reports.relations:
        if relation.is_for_boards:
            described = reports.client.select(f"DESCRIBE TABLE {reports.layout.qualified(relation.name)}")
            for name, full, *_rest in described:
                bare = _AROUND.sub(r"\1", _AROUND.sub(r"\1", full))
                if not re.fullmatch(STANDS_FOR[type_of(relation, name)], bare):
                    faults.append(f"{relation.name}.{name} is {full}")
    assert not faults, ", ".join(faults)
