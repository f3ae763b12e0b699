"""The numbers that each chart of our boards must show, by the learners' scripts alone: no SQL, no Superset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from platform_plugin_aspects.dashboards.boards.parts import Chart, Kind
from platform_plugin_aspects.tests.dashboards.boards.expected_charts import expected_rows
from platform_plugin_aspects.tests.reporting.expected import Expected
from platform_plugin_aspects.tests.reporting.site import Class

Views = Mapping[str, Sequence[Mapping[str, Any]]]
Answer = list[tuple[Any, ...]]
#: The rule of the site.
SMALLEST_GROUP = 5
#: Numbers from here on are milliseconds since 1970.
MOMENTS = 10**11
#: How often a moment is looked for at which numbers stand still.
TRIES = 5


class Answers:
    """The rows that views and charts show of a class. ``former``: the run before."""

    def __init__(self, school: Class, former: Class | None = None):
        self.school = school
        self.former = former

    def views(self, names: Sequence[str], now: datetime) -> Views:
        """The rows of these views at a moment."""
        expected = Expected(self.school, self.former, smallest_group=SMALLEST_GROUP, now=now)
        return {name: expected.rows(name) for name in names}

    def beside(self, names: Sequence[str], ask: Callable[[], Any]) -> tuple[Views, Any]:
        """The rows of these views, and what ``ask`` returned while they were these: a threshold may pass meanwhile."""
        for _ in range(TRIES):
            before = self.views(names, datetime.now(UTC))
            found = ask()
            if before == self.views(names, datetime.now(UTC)):
                return before, found
        raise AssertionError(f"The numbers of {', '.join(names)} did not stand still")


def columns_of(chart: Chart) -> list[str]:
    """The columns of a chart's rows: those of a table, or groups and then measures."""
    if chart.kind is Kind.TABLE:
        return list(chart.columns)
    groups = [column for column in (chart.by, chart.split) if column]
    return groups + [measure.column for measure in chart.measures]


def answer(chart: Chart, views: Views) -> Answer:
    """The rows that a chart must show, as ``in_json`` has them."""
    columns = columns_of(chart)
    return in_json([tuple(row[column] for column in columns) for row in expected_rows(chart, views[chart.view])])


def in_json(rows: Sequence[tuple[Any, ...]]) -> Answer:
    """Rows as JSON has them: moments and days in whole milliseconds."""
    return [tuple(map(_plain, row)) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, date):
        return int(datetime.combine(value, time(), UTC).timestamp() * 1000)
    if isinstance(value, float) and value >= MOMENTS:
        return int(value)
    return value


def unlike(found: Answer, known: Answer) -> tuple[Answer, Answer]:
    """The rows that were found and not known, and those known and not found, in whatever order.

    Shares equal those that are rounded the other way, or not at all.
    """
    left: dict[Any, Answer] = {}
    for row in known:
        left.setdefault(_words(row), []).append(row)
    strange = []
    for row in found:
        of_words = left.get(_words(row), [])
        same = next((each for each in of_words if row == _about(each)), None)
        if same is None:
            strange.append(row)
        else:
            of_words.remove(same)
    return strange, [row for rows in left.values() for row in rows]


def _words(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """All but shares."""
    return tuple(value for value in row if isinstance(value, str) or (isinstance(value, int) and value >= MOMENTS))


def _about(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(pytest.approx(value, abs=1.01e-4, rel=0) if isinstance(value, float) else value for value in row)
