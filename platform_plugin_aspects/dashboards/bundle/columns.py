"""A column as a chart names it: by its name in English, and in other languages as an expression with a label.

Datasets serve all languages, so theirs are English: the values that views write, and the headings of a CSV. A column
with an expression of its own has both in the language of the chart (ADR 17).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language

from platform_plugin_aspects.dashboards.access.literals import literal
from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.parts import Chart, InvalidBoard
from platform_plugin_aspects.dashboards.boards.values import VALUES
from platform_plugin_aspects.dashboards.bundle.datasets import DAY
from platform_plugin_aspects.reporting.rules import Rules

#: The language of datasets and of the values that views write.
ENGLISH = "en"


def label(column: str) -> str:
    """The label of a column in the active language."""
    return str(LABELS[column].text)


def as_asked(column: str) -> str | dict[str, Any]:
    """The column as a form and its query name it, in the active language. Raises Misconfigured for an invalid rule."""
    if as_answered(column) == column:
        return column
    return {"expressionType": "SQL", "label": label(column), "sqlExpression": expression(column)}


def as_answered(column: str) -> str:
    """The name of the column in Superset's answer to ``as_asked``."""
    return column if get_language() == ENGLISH else label(column)


def refuse_equal_names(chart: Chart) -> None:
    """Raise InvalidBoard for a chart whose answer would have two columns of a name in the active language."""
    # Superset knows an axis of days by its own name only.
    groups = ["" if chart.by == DAY else chart.by, chart.split, *chart.columns]
    names = [as_answered(column) for column in groups if column]
    names += [label(measure.column) for measure in chart.measures]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidBoard(
                f"chart {chart.name}: in the language {get_language()}, two of its columns are called {name!r}, which"
                " is one name in SQL; leave one out, or give them different labels in labels.py and the catalog"
            )


def expression(column: str) -> str:
    """The column in the active language, as SQL: its name, unless views write texts of ours into it.

    Raises Misconfigured for an invalid rule.
    """
    # Superset finds the column of a click in a table by the expression, which must be the bare name.
    values = VALUES.get(column)
    return column if values is None else replaced(column, values.translated(Rules.from_settings()), values.separator)


def replaced(column: str, texts: Mapping[str, str], separator: str = "") -> str:
    """SQL of a column in which each of these values ({value: text}) is its text, and others stay as they are.

    ``separator``: what stands between the values in one text; empty: each text is one value.
    """
    written = ", ".join(map(literal, texts))
    shown = ", ".join(map(literal, texts.values()))

    def one(value: str) -> str:
        return f"transform({value}, [{written}], [{shown}], {value})"

    if not separator:
        return one(column)
    parts = f"arrayMap(value -> {one('value')}, splitByString({literal(separator)}, {column}))"
    return f"arrayStringConcat({parts}, {literal(separator)})"
