"""The rows that a chart must show of a class, made of the rows that its view must show: no SQL, and no Superset."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from platform_plugin_aspects.dashboards.boards.parts import Aggregate, Chart, Condition, Kind

Row = Mapping[str, Any]

#: Comparisons, by Superset's names.
HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {"==": operator.eq, ">": operator.gt}
#: Summaries of numbers, of which there is at least one.
SUMMARIES: Mapping[Aggregate, Callable[[Sequence[Any]], Any]] = {Aggregate.SUM: sum, Aggregate.MAX: max}


def expected_rows(chart: Chart, of_view: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows of a chart, by the names of columns; a measure has the name of its column.

    ``of_view``: the rows of the chart's view, from ``Expected.rows`` in tests/reporting/expected.py. Rows of a table
    are in its order; those that it leaves open are in the order of ``of_view``. Rows of other charts are in order of
    ``by`` and ``split``.
    """
    kept = [row for row in of_view if all(_holds(condition, row) for condition in chart.where)]
    if chart.kind is Kind.TABLE:
        for order in reversed(chart.order):
            known = [row for row in kept if row[order.column] is not None]
            unknown = [row for row in kept if row[order.column] is None]
            kept = sorted(known, key=lambda row: row[order.column], reverse=order.descending) + unknown
        return [{column: row[column] for column in chart.columns} for row in kept][: chart.limit]
    keys = [column for column in (chart.by, chart.split) if column]

    def key(row: Row) -> list[Any]:
        return [row[column] for column in keys]

    made = []
    for values, group in groupby(sorted(kept, key=key), key):
        rows = list(group)
        summaries = {
            measure.column: _summary(measure.aggregate, [row[measure.column] for row in rows])
            for measure in chart.measures
        }
        made.append({**dict(zip(keys, values, strict=True)), **summaries})
    return made


def _holds(condition: Condition, row: Row) -> bool:
    return HOLDS[condition.operator](row[condition.column], condition.value)


def _summary(aggregate: Aggregate, found: Sequence[Any]) -> Any:
    """As ClickHouse summarizes: unknown numbers are left out, and nothing else is unknown."""
    known = [value for value in found if value is not None]
    return SUMMARIES[aggregate](known) if known else None
