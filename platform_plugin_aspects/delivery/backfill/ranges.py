"""A backfill's selection, its ranges of keys with their progress in the database, and its counts.

By the ranges it can be resumed, and shared among workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Self

from django.db import models, transaction

from platform_plugin_aspects.delivery.isolate import Outcome
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink, ModelBaseSink, Selection

Status = BackfillRange.Status
#: Objects that cannot be written are all counted; the reasons of this many are kept, enough to see what is wrong.
KEPT_ERRORS = 100


@dataclass(frozen=True)
class Walk(Selection):
    """The objects that a backfill takes, and how it writes them.

    ``limit``: objects to write, at most. ``force``: write also objects that are up to date. ``batch_size``: objects per
    insert (None: the sink's own). ``sleep_secs``: pause between inserts. ``max_rate``: objects written per second, at
    most. ``read_from``: alias of the database to read from. ``even_if_off``: write also if the sink is off.
    ``dry_run``: read and convert, but write nothing.
    """

    force: bool = False
    batch_size: int | None = None
    sleep_secs: float | None = None
    max_rate: float | None = None
    read_from: str | None = None
    even_if_off: bool = False
    dry_run: bool = False

    def to_json(self) -> dict[str, Any]:
        """The options that differ from their defaults, without ``after`` and ``upto``."""
        default = Walk()
        found = {name: value for name, value in vars(self).items() if value != getattr(default, name)}
        for name in ("after", "upto"):
            found.pop(name, None)
        for name in ("keys", "skip"):
            if name in found:
                found[name] = list(map(str, found[name]))
        if "since" in found:
            found["since"] = found["since"].isoformat()
        return found

    @classmethod
    def from_json(cls, options: Mapping[str, Any], sink: BaseSink, after: str = "", upto: str = "") -> Self:
        """The walk that ``to_json`` gave, between two keys as text; ValueError for an invalid key or date."""
        values = dict(options)
        for name in ("keys", "skip"):
            if name in values:
                values[name] = [sink.parse_key(text) for text in values[name]]
        if "since" in values:
            values["since"] = datetime.fromisoformat(values["since"])
        return cls(
            after=sink.parse_key(after) if after else None, upto=sink.parse_key(upto) if upto else None, **values
        )


def plan(sink: BaseSink, walk: Walk, pieces: int = 1) -> list[BackfillRange]:
    """The keys of a walk in at most ``pieces`` ranges, which ``save_ranges`` saves."""
    bounds = [walk.after, *split_keys(sink, pieces, walk.after), None]
    return [
        BackfillRange(sink=sink.name, after=key_text(low), upto=key_text(high), options=walk.to_json())
        for low, high in pairwise(bounds)
    ]


def key_range(sink: BaseSink, after: Any = None) -> tuple[int, int] | None:
    """The least and the greatest key above ``after``; None if there are none or keys are not whole numbers."""
    if not isinstance(sink, ModelBaseSink):
        return None
    low, high = _above(sink, after).aggregate(low=models.Min("pk"), high=models.Max("pk")).values()
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def split_keys(sink: BaseSink, pieces: int, after: Any = None) -> list[Any]:
    """Keys, in order, that split those above ``after`` into at most so many pieces of about the same size.

    The range of whole numbers is split evenly. Other keys, which are few, are all read.
    """
    if pieces < 2 or not isinstance(sink, ModelBaseSink):
        return []
    if bounds := key_range(sink, after):
        low, high = bounds
        return sorted({low + (high - low) * piece // pieces for piece in range(1, pieces)})
    keys = list(_above(sink, after).order_by("pk").values_list("pk", flat=True))
    return list(dict.fromkeys(keys[len(keys) * piece // pieces] for piece in range(1, pieces) if keys))


def _above(sink: ModelBaseSink, after: Any) -> Any:
    objects = sink.manager.all() if sink.database is None else sink.manager.using(sink.database)
    return objects if after is None else objects.filter(pk__gt=after)


def save_ranges(sink: BaseSink, ranges: Iterable[BackfillRange]) -> None:
    """Save the ranges of a backfill in place of those of the sink's last one."""
    with transaction.atomic():
        saved_ranges(sink).delete()
        for row in ranges:
            row.save()


def saved_ranges(sink: BaseSink) -> models.QuerySet[BackfillRange]:
    """The ranges of the sink's last backfill, in order."""
    return BackfillRange.objects.filter(sink=sink.name).order_by("pk")


def key_text(key: Any) -> str:
    """A key as a range has it; empty for None."""
    return "" if key is None else str(key)


@dataclass
class Summary:
    """The counts of a backfill until now.

    ``objects`` were written, ``skipped`` were up to date, ``rejected`` cannot be written; ``errors`` has {key: reason}
    of the first rejected ones. ``rows`` per ClickHouse table. Everything up to ``last_key`` is done. ``missing``: the
    requested keys that do not exist. ``answered``: whether ClickHouse has answered an insert of this backfill.
    """

    objects: int = 0
    skipped: int = 0
    rejected: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    rows: Counter[str] = field(default_factory=Counter)
    last_key: Any = None
    seconds: float = 0
    stopped: bool = False
    missing: list[str] = field(default_factory=list)
    answered: bool = False

    def add(self, outcome: Outcome) -> None:
        """Count the outcome of a write."""
        self.rows.update(outcome.rows)
        self.rejected += len(outcome.rejected)
        for key, reason in outcome.rejected.items():
            if len(self.errors) < KEPT_ERRORS:
                self.errors[str(key)] = reason


def summary_of(ranges: Iterable[BackfillRange]) -> Summary:
    """The counts of these ranges together; ``last_key`` is the last range's."""
    summary = Summary()
    for row in ranges:
        summary.objects += row.objects_written
        summary.skipped += row.objects_skipped
        summary.rejected += row.objects_rejected
        summary.errors |= dict(list(row.errors.items())[: KEPT_ERRORS - len(summary.errors)])
        summary.rows.update(row.rows)
        summary.seconds += row.seconds
        summary.last_key = row.last_key or summary.last_key
    return summary
