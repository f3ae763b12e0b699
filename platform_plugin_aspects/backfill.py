"""The backfill: walk the source in the order of its primary keys, and hand each batch to the sink."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from platform_plugin_aspects import delivery
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection
from platform_plugin_aspects.sinks.isolate import Outcome, write_what_can_be

#: Objects read at once, at least, when there is a limit.
LEAST_READ = 100


@dataclass(frozen=True)
class Walk:
    """Which objects a backfill takes, and how fast.

    ``keys``, ``skip``: only these, not these. ``after``: start behind this key. ``limit``: write at most so many
    objects.
    ``force``: also what the sink finds not to be due. ``batch_size``: objects per insert (None: the sink's own).
    ``sleep_secs``: pause between batches.
    """

    keys: Sequence[Any] | None = None
    skip: Sequence[Any] = ()
    after: Any = None
    limit: int | None = None
    force: bool = False
    batch_size: int | None = None
    sleep_secs: float = 0


@dataclass
class Summary:
    """What a backfill did so far. ``last_key``: everything up to it has been written or left out."""

    objects: int = 0
    skipped: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    last_key: Any = None
    seconds: float = 0


def backfill(
    sink: BaseSink,
    walk: Walk,
    summary: Summary,
    report: Callable[[str], None] = lambda line: None,
    explain: Callable[[str], None] = lambda line: None,
) -> None:
    """Write the objects of ``walk`` to ClickHouse, keeping ``summary`` up to date batch by batch.

    ``report`` gets one line per object that cannot be written or is not there, ``explain`` one per object that is up to
    date. Raises Unavailable and Misconfigured; what ``summary`` says is then
    written, and ``summary.last_key`` is where to go on.
    """
    started = time.monotonic()
    missing = dict.fromkeys(walk.keys or ())
    try:
        for stamp, read in _batches(sink, walk, summary):
            due = read if walk.force else _due(sink, read, summary, explain)
            room = None if walk.limit is None else walk.limit - summary.objects
            taken = due[:room]
            outcome = write_what_can_be(taken, partial(sink.bring, stamp=stamp))
            for key, error in outcome.rejected.items():
                report(f"{key} cannot be written: {error}")
            for key in read.keys:
                missing.pop(key, None)
            summary.objects += len(taken) - len(outcome.rejected)
            summary.outcome.add(outcome)
            summary.last_key = (read if len(taken) == len(due) else taken).keys[-1]
        if walk.limit is None:
            for key in missing:
                report(f"{key} is not there to be written")
    finally:
        summary.seconds = time.monotonic() - started


def _batches(sink: BaseSink, walk: Walk, summary: Summary) -> Iterator[tuple[datetime, Batch]]:
    """(time taken before reading, batch) after batch, until there are no more or ``walk.limit`` objects are written."""
    size = walk.batch_size or sink.batch_size
    after = walk.after
    while walk.limit is None or summary.objects < walk.limit:
        # Some of what is read may not be due.
        limit = size if walk.limit is None else min(size, max(walk.limit - summary.objects, LEAST_READ))
        stamp = delivery.take_stamp(sink.name)
        batch = sink.read(Selection(keys=walk.keys, skip=walk.skip, after=after, limit=limit))
        if not len(batch):
            return
        yield stamp, batch
        if len(batch) < limit:
            return
        after = batch.keys[-1]
        time.sleep(walk.sleep_secs)


def _due(sink: BaseSink, batch: Batch, summary: Summary, explain: Callable[[str], None]) -> Batch:
    reasons = sink.due(batch)
    for key, reason in zip(batch.keys, reasons, strict=True):
        if reason is not None:
            explain(f"{key} is up to date: {reason}")
    due = batch.only([reason is None for reason in reasons])
    summary.skipped += len(batch) - len(due)
    return due
