"""The house style of the boards: helpers that declare charts of the usual kinds, and colours."""

from __future__ import annotations

from typing import Any

from platform_plugin_aspects.dashboards.boards.parts import Aggregate, Chart, Kind, Measure, Order, Text, TimeRange

#: Colours of series, in order. Each differs from the next also for people who see no red or no green, and has a
#: contrast of at least 3 to white (WCAG 2.2, 1.4.11).
COLOURS = ("#0a58a3", "#c2570c", "#1b7f6b", "#8a3ffc", "#b3261e", "#5c6670")
#: Superset's colours of values that have no colour of ours, such as tracks.
SCHEME = "supersetColors"
#: Superset's colours of heat strips, and the colour of shaded cells of tables.
HEAT_SCHEME, SHADE = "blue_white_yellow", "#0a58a3"
#: The range of days that a board shows at first, in Superset's words; people change it by the one filter.
FIRST_RANGE = "No filter"


def number(name: str, question: Text, view: str, column: str, about: Text, empty: Text, **more: Any) -> Chart:
    """One number of a view with one row per course."""
    return Chart(name, Kind.NUMBER, question, view, about, empty, measures=(Measure(column),), **{"height": 20, **more})


def over_days(
    name: str, question: Text, view: str, measures: tuple[str, ...], about: Text, empty: Text, **more: Any
) -> Chart:
    """A line per measure, over days."""
    lines = tuple(Measure(column) for column in measures)
    return Chart(name, Kind.LINES, question, view, about, empty, measures=lines, by="day", **more)


def bars(
    name: str, question: Text, view: str, by: str, measures: tuple[str, ...], about: Text, empty: Text, **more: Any
) -> Chart:
    """A group of bars for each value of ``by``, one bar per measure."""
    found = tuple(Measure(column, Aggregate.SUM) for column in measures)
    return Chart(name, Kind.BARS, question, view, about, empty, measures=found, by=by, **more)


def table(
    name: str, question: Text, view: str, columns: tuple[str, ...], about: Text, empty: Text, **more: Any
) -> Chart:
    """The rows of a view, in the order of the course where it has one."""
    return Chart(name, Kind.TABLE, question, view, about, empty, columns=columns, **more)


def in_course_order() -> tuple[Order, ...]:
    """From the beginning of the course to its end."""
    return (Order("course_order"),)


def days(board: str, name: Text) -> TimeRange:
    """The one date range of a board."""
    return TimeRange(f"NATIVE_FILTER-aspects-{board}-days", name)
