"""The house style of the boards: helpers that declare charts of the usual kinds, and colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import (
    Aggregate,
    Board,
    Chart,
    Choice,
    Kind,
    Measure,
    Order,
    Tab,
    Text,
    TimeRange,
)

#: Colours of series, in order. Each differs from the next also for people who see no red or no green, and has a
#: contrast of at least 3 to white and to Superset's dark #141414 (WCAG 2.2, 1.4.11).
COLOURS = ("#2472c8", "#d1630f", "#1f8a74", "#9355ff", "#d0392f", "#727d88")
#: Superset's colours of values that have no colour of ours, such as tracks.
SCHEME = "d3Category10"
#: Superset's colours of heat strips, and the colour of shaded cells of tables.
HEAT_SCHEME, SHADE = "schemeBlues", "#2472c8"
#: The range of days that a board shows at first, in Superset's words; people change it by the one filter.
FIRST_RANGE = "No filter"


def number(name: str, question: Text, view: str, column: str, about: Text, empty: Text, **more: Any) -> Chart:
    """One number of a view with one row per course."""
    return Chart(name, Kind.NUMBER, question, view, about, empty, measures=(Measure(column),), **{"height": 20, **more})


def numbers(
    board: str, view: str, columns: Mapping[str, tuple[Text, Text]], empty: Text, **more: Any
) -> tuple[Chart, ...]:
    """A row of numbers of a view. ``columns``: the question and the definition of each column."""
    return tuple(
        number(f"{board}-{column.replace('_', '-')}", question, view, column, about, empty, **more)
        for column, (question, about) in columns.items()
    )


def over_days(
    name: str, question: Text, view: str, measures: tuple[str, ...], about: Text, empty: Text, **more: Any
) -> Chart:
    """A line per measure, over days."""
    return lines(name, question, view, "day", measures, about, empty, **more)


def lines(
    name: str, question: Text, view: str, by: str, measures: tuple[str, ...], about: Text, empty: Text, **more: Any
) -> Chart:
    """A line per measure, or per value of ``split``."""
    found = tuple(Measure(column) for column in measures)
    return Chart(name, more.pop("kind", Kind.LINES), question, view, about, empty, measures=found, by=by, **more)


def heat(
    name: str, question: Text, view: str, by: str, split: str, measure: str, about: Text, empty: Text, **more: Any
) -> Chart:
    """Coloured cells: ``by`` from left to right, ``split`` from top to bottom."""
    measures = (Measure(measure),)
    more = {"height": 64, **more}
    return Chart(name, Kind.HEAT, question, view, about, empty, measures=measures, by=by, split=split, **more)


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
    return Chart(name, Kind.TABLE, question, view, about, empty, columns=columns, **{"height": 62, **more})


def in_course_order() -> tuple[Order, ...]:
    """From the beginning of the course to its end."""
    return (Order("course_order"),)


def worst_first() -> tuple[Order, ...]:
    """Problems with remarks first, then those that few get right at first."""
    return Order("flags", descending=True), Order("first_try_share")


def for_studio(
    block_type: str,
    title: Text,
    rows: tuple[tuple[Chart, ...], ...],
    course_filter: str,
    block_filter: str = "",
    view: str = "",
) -> Board:
    """A board that Studio shows beside blocks of a type.

    The filters have the ids of Aspects' boards, so that Studio's sidebar fills in both. ``view`` has the blocks to
    choose from. A block is named by the last part of its usage key, in the column block_id of each chart's view.
    """
    filters = [Choice(f"NATIVE_FILTER-{course_filter}", _("Course"), "course_names", "course_key")]
    if block_filter:
        filters.append(Choice(f"NATIVE_FILTER-{block_filter}", _("Block"), view, "block_id"))
    about = _("The activity of learners here, and the places where the content loses them.")
    return Board(f"in-context-{block_type}", title, about, (Tab(block_type, title, rows),), tuple(filters), block_type)


def days(board: str, name: Text) -> TimeRange:
    """The one date range of a board."""
    return TimeRange(f"NATIVE_FILTER-aspects-{board}-days", name)
