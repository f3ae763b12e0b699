"""The lines of the table: processor time per event by process, ratios with their targets, and other figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: The columns of processes, and the processes of each.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "platform": ("client", "worker"),
    "MariaDB": ("mariadb",),
    "Redis": ("broker", "cache"),
    "Ralph": ("ralph",),
    "ClickHouse": ("clickhouse",),
}
HEADINGS = ("measurement", "way", "events", *(f"{name} µs" for name in GROUPS), "all µs", "ratio", "at most", "other")


@dataclass(frozen=True)
class Cost:
    """Processor seconds by process for so many events."""

    events: int
    secs: Mapping[str, float]

    def micros(self, group: str) -> float:
        """Microseconds per event of a group of processes."""
        return 1e6 * sum(self.secs.get(name, 0.0) for name in GROUPS[group]) / self.events

    def per_event(self, leave_out: Sequence[str] = ()) -> float:
        """Microseconds per event of all processes."""
        return sum(self.micros(group) for group in GROUPS if group not in leave_out)


@dataclass(frozen=True)
class Figure:
    """A line of the table. ``other``: what is not processor time; ``at_most``: the target of the ratio or of ``value``.

    ``by``: by which cost, and its way, the ratio is; ``leave_out``: groups of processes that the ratio leaves out.
    """

    what: str
    way: str
    cost: Cost | None = None
    by: Cost | None = None
    leave_out: tuple[str, ...] = ()
    at_most: float | None = None
    other: str = ""
    value: float | None = None

    @property
    def ratio(self) -> float | None:
        """The cost by that of ``by``."""
        if self.cost is None or self.by is None:
            return None
        return self.cost.per_event(self.leave_out) / self.by.per_event(self.leave_out)

    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        groups = [f"{self.cost.micros(group):,.0f}" if self.cost else "" for group in GROUPS]
        total = f"{self.cost.per_event():,.0f}" if self.cost else ""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        limit = "" if self.at_most is None else f"{self.at_most:g}"
        number = f"{self.cost.events:,}" if self.cost else ""
        return (self.what, self.way, number, *groups, total, ratio, limit, self.other)

    @property
    def missed(self) -> str:
        """How it misses its target; empty when it does not."""
        found = self.value if self.ratio is None else self.ratio
        if self.at_most is None or found is None or found <= self.at_most:
            return ""
        return f"{self.way} {found:.2f}, more than {self.at_most:g}"
