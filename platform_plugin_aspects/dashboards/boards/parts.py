"""The parts of a board: a board has tabs, a tab has rows, a row has charts, and a chart asks a view of the reports.

A chart is checked when it is declared: its columns exist in its view, and have a label. Texts are lazy translations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise

from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.reporting.relation import Relation, relations

Text = str | Promise

#: A row of a Superset dashboard is divided into so many columns.
COLUMNS = 12


class InvalidBoard(Exception):
    """A declaration is invalid. The text says which one, and why."""


class Kind(StrEnum):
    """How a chart is drawn."""

    #: One number. One measure.
    NUMBER = "number"
    #: Lines over ``by``, one for each measure, or for each value of ``split``.
    LINES = "lines"
    #: Areas over ``by``, one upon the other.
    AREAS = "areas"
    #: Upright bars, one group for each value of ``by``, in its order.
    BARS = "bars"
    #: A strip of coloured cells: ``by`` from left to right, ``split`` from top to bottom, one measure as colour.
    HEAT = "heat"
    #: A table of the view's rows, with ``columns``.
    TABLE = "table"


class Aggregate(StrEnum):
    """How a measure summarizes the rows of a group, as ClickHouse's function."""

    SUM = "sum"
    #: Also for views with one row in each group.
    MAX = "max"
    AVG = "avg"


@dataclass(frozen=True)
class Measure:
    """A number of a chart: a column, summarized. Its label is the column's."""

    column: str
    aggregate: Aggregate = Aggregate.MAX


@dataclass(frozen=True)
class Condition:
    """Rows that a chart leaves out: those for which ``column operator value`` does not hold.

    ``operator``: Superset's name of a comparison, such as "==", ">" or "IS NOT NULL", which takes no value.
    """

    column: str
    operator: str
    value: str | float | bool | None = None


@dataclass(frozen=True)
class Order:
    """The order of rows, by a column."""

    column: str
    descending: bool = False


@dataclass(frozen=True)
class Chart:
    """A question to a view of the reports, and how the answer is drawn.

    ``name``: unique in the package, for UUIDs; never changed. ``question``: the title. ``about``: the definition of
    the numbers and whom they count. ``empty``: the sentence for course teams while there is no row. ``width``: of
    COLUMNS, 0: an equal share of what is left in the row. ``height``: in Superset's units of 8 pixels. ``shaded``:
    columns of a table whose cells are coloured by their number.
    """

    name: str
    kind: Kind
    question: Text
    view: str
    about: Text
    empty: Text
    measures: tuple[Measure, ...] = ()
    by: str = ""
    split: str = ""
    columns: tuple[str, ...] = ()
    shaded: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = 1_000
    width: int = 0
    height: int = 50

    def __post_init__(self) -> None:
        used = [measure.column for measure in self.measures]
        used += [self.by, self.split, *self.columns, *self.shaded]
        used += [condition.column for condition in self.where]
        used += [order.column for order in self.order]
        _check(f"chart {self.name}", self.view, used)
        needs_columns = self.kind is Kind.TABLE
        if needs_columns != bool(self.columns) or needs_columns == bool(self.measures):
            raise InvalidBoard(
                f"chart {self.name}: a {self.kind} has {'columns' if needs_columns else 'measures'} only"
            )

    @property
    def relation(self) -> Relation:
        """The view."""
        return _views()[self.view]


@dataclass(frozen=True)
class TimeRange:
    """The filter with which people choose days, for all charts of a board whose view has days. ``id``: Superset's."""

    id: str
    name: Text


@dataclass(frozen=True)
class Choice:
    """A filter of values of a column, for all charts of a board whose view has the column. ``id``: Superset's."""

    id: str
    name: Text
    view: str
    column: str

    def __post_init__(self) -> None:
        _check(f"filter {self.id}", self.view, [self.column])


@dataclass(frozen=True)
class Tab:
    """A tab of a board: rows of charts."""

    name: str
    title: Text
    rows: tuple[tuple[Chart, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            fixed = sum(chart.width for chart in row)
            if (fixed != COLUMNS) if all(chart.width for chart in row) else (fixed >= COLUMNS):
                names = ", ".join(chart.name for chart in row)
                raise InvalidBoard(f"tab {self.name}: the widths of {names} must be {COLUMNS} together, not {fixed}")

    @property
    def charts(self) -> Iterator[Chart]:
        """All charts, from top to bottom."""
        return (chart for row in self.rows for chart in row)


@dataclass(frozen=True)
class Board:
    """A dashboard. ``slug``: unique in the package; never changed.

    ``block_type``: Studio shows the board beside blocks of this type, or beside the "course"; empty: the Reports tab
    shows it.
    """

    slug: str
    title: Text
    about: Text
    tabs: tuple[Tab, ...]
    filters: tuple[TimeRange | Choice, ...] = ()
    block_type: str = ""

    @property
    def charts(self) -> tuple[Chart, ...]:
        """All charts of all tabs."""
        return tuple(chart for tab in self.tabs for chart in tab.charts)

    @property
    def views(self) -> tuple[str, ...]:
        """The views that charts and filters read, each once."""
        chosen = [choice.view for choice in self.filters if isinstance(choice, Choice)]
        return tuple(dict.fromkeys([*(chart.view for chart in self.charts), *chosen]))

    @property
    def is_personal(self) -> bool:
        """Whether it shows who learners are."""
        return any(_views()[view].is_personal for view in self.views)


def _views() -> dict[str, Relation]:
    """The views that boards may read, by name."""
    return {relation.name: relation for relation in relations() if relation.is_for_boards}


def _check(owner: str, view: str, columns: list[str]) -> None:
    """Raise InvalidBoard for a view that boards may not read, and for columns without a place or a label."""
    relation = _views().get(view)
    if relation is None:
        raise InvalidBoard(f"{owner}: {view} is not a view for boards; those are {', '.join(sorted(_views()))}")
    known = {column.name for column in relation.columns}
    for column in filter(None, columns):
        if column not in known:
            raise InvalidBoard(f"{owner}: {view} has no column {column}; it has {', '.join(sorted(known))}")
        if column not in LABELS:
            raise InvalidBoard(f"{owner}: column {column} has no label in labels.py")
