"""Counts of a backfill: objects, rows, errors, and how far it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from platform_plugin_aspects.delivery.isolate import Outcome
from platform_plugin_aspects.models import BackfillRange

#: Objects that cannot be written are all counted; the reasons of this many are kept, enough to see what is wrong.
KEPT_ERRORS = 100


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
