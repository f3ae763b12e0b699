"""Every chart of every board shows of a class what the scripts of its learners say."""

from __future__ import annotations

from typing import Any

import pytest

from platform_plugin_aspects.dashboards.boards.catalog import ALL
from platform_plugin_aspects.dashboards.boards.parts import Aggregate, Chart, Condition, Kind, Measure, Order
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.dashboards.boards.expected_charts import expected_rows
from platform_plugin_aspects.tests.reporting.site import (
    COURSE,
    FORMER,
    FORMER_END,
    SMALLEST_GROUP,
    insert,
    make_class,
    plain,
)
from platform_plugin_aspects.tests.reporting.ways import about, known_answers

#: Enough for a learner at risk, for one who left, and for somebody in the forum.
LEARNERS, BEFORE = 8, 3


def shown(reports: Reports, chart: Chart) -> list[dict[str, Any]]:
    """The rows that ClickHouse gives for a chart, as Superset asks it for the class's course."""
    view = reports.layout.qualified(chart.view)
    conditions = [f"course_key = '{COURSE}'"]
    conditions += [f"{some.column} {some.operator.replace('==', '=')} {some.value!r}" for some in chart.where]
    where = " AND ".join(conditions)
    if chart.kind is Kind.TABLE:
        names = list(chart.columns)
        order = [f"{some.column} {'DESC' if some.descending else 'ASC'}" for some in chart.order]
        sql = f"SELECT {', '.join(names)} FROM {view} WHERE {where} ORDER BY {', '.join([*order, 'tuple()'])}"
    else:
        keys = [column for column in (chart.by, chart.split) if column]
        names = [*keys, *(measure.column for measure in chart.measures)]
        summaries = [f"{measure.aggregate}({measure.column})" for measure in chart.measures]
        groups = f" GROUP BY {', '.join(keys)} ORDER BY {', '.join(keys)}" if keys else ""
        sql = f"SELECT {', '.join([*keys, *summaries])} FROM {view} WHERE {where}{groups}"
    found = reports.client.select(f"{sql} LIMIT {chart.limit}")
    return [dict(zip(names, map(plain, row), strict=True)) for row in found]


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
def test_each_chart_shows_what_the_scripts_say(reports: Reports) -> None:
    school = make_class(LEARNERS, verticals=1)
    former = make_class(BEFORE, verticals=1, course=FORMER, end=FORMER_END)
    known = known_answers(school, SMALLEST_GROUP, former)
    insert([*former.statements, *school.statements], 5_000)
    for board in ALL:
        for chart in board.charts:
            expected = expected_rows(chart, known[chart.view])
            found = shown(reports, chart)
            if chart.kind is Kind.TABLE:
                # The order may leave places open.
                columns = [order.column for order in chart.order if order.column in chart.columns]
                assert [[row[column] for column in columns] for row in found] == [
                    [about(row)[column] for column in columns] for row in expected
                ], chart.name
                expected, found = sorted(expected, key=repr), sorted(found, key=repr)
            assert found == list(map(about, expected)), chart.name
            # Nothing would be compared.
            assert expected, chart.name


WEEKS = [
    {"run": "2026", "week": 1, "active": 3, "is_over": True},
    {"run": "2026", "week": 2, "active": None, "is_over": True},
    {"run": "2026", "week": 3, "active": 2, "is_over": False},
    {"run": "2025", "week": 2, "active": 5, "is_over": True},
    {"run": "2025", "week": 2, "active": 1, "is_over": True},
]
OVER = (Condition("is_over", "==", 1),)


def of_runs(kind: Kind, **fields: Any) -> Chart:
    """A chart of the view of WEEKS."""
    return Chart("runs", kind, "?", "run_comparison", ".", ".", **fields)


@pytest.mark.parametrize(
    ("chart", "rows"),
    [
        (
            of_runs(Kind.LINES, by="week", split="run", measures=(Measure("active"),), where=OVER),
            [
                {"week": 1, "run": "2026", "active": 3},
                {"week": 2, "run": "2025", "active": 5},
                {"week": 2, "run": "2026", "active": None},
            ],
        ),
        (
            of_runs(Kind.BARS, by="week", measures=(Measure("active", Aggregate.SUM),)),
            [{"week": 1, "active": 3}, {"week": 2, "active": 6}, {"week": 3, "active": 2}],
        ),
        (of_runs(Kind.NUMBER, measures=(Measure("active"),)), [{"active": 5}]),
        (
            of_runs(Kind.TABLE, columns=("week", "active"), order=(Order("active", descending=True),), limit=2),
            [{"week": 2, "active": 5}, {"week": 1, "active": 3}],
        ),
        (
            of_runs(Kind.TABLE, columns=("active",), order=(Order("week", True), Order("active"))),
            [{"active": 2}, {"active": 1}, {"active": 5}, {"active": None}, {"active": 3}],
        ),
    ],
)
def test_the_rows_of_a_chart_are_made_of_the_rows_of_its_view(chart: Chart, rows: list[dict[str, Any]]) -> None:
    assert expected_rows(chart, WEEKS) == rows
