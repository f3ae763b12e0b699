"""The backfill: walk the source in the order of its primary keys, and bring it to ClickHouse by the sink.

What is read at once is packed as it travels, which takes a fraction of its memory, and several packs go with one
insert: the fewer inserts, the less ClickHouse has to merge. Reading and packing the next ones overlaps sending the last
ones: a thread sends, and at most one insert waits for it. Only the calling thread touches the platform's database.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.errors import Rejected, Unavailable
from platform_plugin_aspects.delivery.isolate import NOT_THE_OBJECT, Outcome, write_what_can_be
from platform_plugin_aspects.delivery.sink_lock import take_stamp, wait_after
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, Written

#: Objects read at once, at least, when there is a limit: some of them may not be due.
LEAST_READ = 100
#: Objects that cannot be written are counted; of so many the reason is kept, enough to see what is wrong.
KEPT_ERRORS = 100
#: How far a replica may lag. Rows read from one are dated back by it, for what was delivered meanwhile is newer.
REPLICA_LAG = timedelta(hours=1)
#: Whoever watches hears at least this often, in seconds, that the backfill is alive.
BEAT_SECS = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Walk(Selection):
    """Which objects a backfill takes, and how fast.

    ``limit``: write at most so many objects. ``force``: also what the sink finds not to be due. ``batch_size``: objects
    per insert (None: the sink's own). ``sleep_secs``: pause between batches. ``max_rate``: objects written per second,
    at most.
    """

    force: bool = False
    batch_size: int | None = None
    sleep_secs: float = 0
    max_rate: float | None = None


@dataclass
class Summary:
    """What a backfill did so far.

    ``objects`` written, ``skipped`` for they were up to date, ``rejected`` for they cannot be written; ``errors``:
    {key: reason} of the first of those. ``rows`` per ClickHouse table. ``last_key``: everything up to it is done.
    ``missing``: the keys, of those that were chosen one by one, that are not there.
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

    def add(self, outcome: Outcome) -> None:
        """Take in what became of a batch."""
        self.rows.update(outcome.rows)
        self.rejected += len(outcome.rejected)
        for key, reason in outcome.rejected.items():
            if len(self.errors) < KEPT_ERRORS:
                self.errors[str(key)] = reason


class Watcher:
    """Who watches a backfill: is told what happens, and may stop it. This one is silent and never stops it.

    All of it is called in the thread that called ``backfill``.
    """

    #: Whether to read only, and write nothing.
    dry_run = False
    #: Whether to wait for a ClickHouse that is away; becomes True when it has answered once.
    patient = False

    def tell(self, line: str) -> None:
        """Something a person should know: an object that is not there, ClickHouse away."""

    def explain(self, line: str) -> None:
        """Why an object is left out; in a dry run, what would be written."""

    def progress(self, summary: Summary) -> None:
        """A batch has been written, and what it holds need not be written again."""

    def beat(self) -> None:
        """The backfill is alive, though there may be no progress."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass; may return early when the backfill is to stop."""
        time.sleep(seconds)

    def wants_to_stop(self) -> bool:
        """Whether to end after the batch at hand."""
        return False


@dataclass
class _Portion:
    """What was read at once, after the key ``after``; where it is ``packed``, ``batch`` is all that is left to know."""

    after: Any
    batch: Batch
    packed: bytes | None = None


@dataclass
class _Flight:
    """Portions on their way to ClickHouse together.

    ``after``, ``upto``: the keys between which the source is done when they arrive; ``skipped``: objects left out in
    between; ``last``: the source has no more.
    """

    stamp: datetime
    after: Any
    upto: Any
    portions: list[_Portion] = field(default_factory=list)
    dump_id: uuid.UUID = field(default_factory=uuid.uuid4)
    skipped: int = 0
    last: bool = False
    outcome: Future[Outcome] | None = None

    def __len__(self) -> int:
        return sum(len(portion.batch) for portion in self.portions)


def backfill(sink: BaseSink, walk: Walk, summary: Summary, watcher: Watcher | None = None) -> None:
    """Write the objects of ``walk`` to ClickHouse, keeping ``summary`` up to date batch by batch.

    While ClickHouse is away it waits, unless the watcher is not patient and ClickHouse has not answered yet. Raises
    Unavailable and Misconfigured, and errors of the platform's database; what ``summary`` says is then written, and
    ``summary.last_key`` is where to go on.
    """
    _Backfill(sink, walk, summary, watcher or Watcher()).run()


def next_insert(sink: BaseSink, taken: int) -> int:
    """How many objects go with the next insert when ``taken`` are on their way or written, if nobody says otherwise.

    The first ones are small, for while they are sent the next are read; large ones spare ClickHouse work.
    """
    return max(sink.batch_size, min(sink.insert_size, max(2 * sink.batch_size, taken)))


class _Backfill:
    def __init__(self, sink: BaseSink, walk: Walk, summary: Summary, watcher: Watcher):
        self.sink = sink
        self.walk = walk
        self.summary = summary
        self.watcher = watcher
        self.flight: _Flight | None = None
        self.taken = 0
        self.missing = dict.fromkeys(walk.keys or ())
        self.started = self.due_at = watcher.now()
        self.seconds_before = summary.seconds
        self.writer = ThreadPoolExecutor(1, "aspects-writer")

    def run(self) -> None:
        """See ``backfill``."""
        self.summary.stopped = False
        try:
            with self.writer:
                try:
                    self._fly()
                finally:
                    self._land()
            if self.walk.limit is None and not self.summary.stopped:
                self._tell_missing()
        finally:
            self._clock()

    def _tell_missing(self) -> None:
        """Name the keys that are not there, whatever else was chosen."""
        if not self.missing:
            return
        databases.check_before_use()
        for key in self.sink.read(Selection(keys=list(self.missing))).keys:
            self.missing.pop(key, None)
        for key in self.missing:
            self.summary.missing.append(str(key))
            self.watcher.tell(f"{key} is not there to be written")

    def _fly(self) -> None:
        """Read flight after flight, each while the one before is being written."""
        after = self.walk.after
        while True:
            if self._stops():
                return
            room = self._room()
            if room is not None and room <= 0:
                if self.flight is None:
                    return
                # What it could not write makes room.
                self._land()
                continue
            flight = self._board(after, room)
            self._land()
            if self._stops():
                return
            if not (flight.portions or flight.skipped):
                self._settle(flight)
                return
            self._take_off(flight)
            if flight.last:
                return
            after = flight.upto
            self._pace(len(flight))

    def _sizes(self) -> tuple[int, int]:
        """How many objects are written together, and how many of them are read at once."""
        sink = self.sink
        together = self.walk.batch_size or sink.batch_size
        at_once = min(together, sink.batch_size)
        if self.watcher.dry_run:
            return at_once, at_once
        # Who wants pauses wants short ones.
        if not (self.walk.batch_size or self.walk.sleep_secs or self.walk.max_rate):
            together = next_insert(sink, self.taken)
        return together, at_once

    def _board(self, after: Any, room: int | None) -> _Flight:
        """Read the objects after a key, at most ``room`` of those that are due, as many as are written together."""
        together, at_once = self._sizes()
        flight = _Flight(self._stamp(), after=after, upto=after)
        seen = 0
        while seen < together and (room is None or len(flight) < room) and not self.watcher.wants_to_stop():
            left = None if room is None else room - len(flight)
            size = min(at_once, together - seen)
            if left is not None:
                size = min(size, max(left, LEAST_READ))
            # The last insert, or the pause, may have taken long.
            databases.check_before_use()
            # Reading may ask ClickHouse which tables it has.
            read = self._patiently(partial(self.sink.read, replace(self.walk, after=flight.upto, limit=size)))
            for key in read.keys if self.missing else ():
                self.missing.pop(key, None)
            due = self._due(read)
            taken = due if left is None else due[:left]
            if len(taken):
                flight.portions.append(self._portion(flight, taken))
            flight.skipped += len(read) - len(due)
            if len(taken) < len(due):
                flight.upto = taken.keys[-1]
            elif len(read):
                flight.upto = read.keys[-1]
            if len(read) < size and len(taken) == len(due):
                flight.last = True
                break
            seen += len(read)
            self.watcher.beat()
        return flight

    def _portion(self, flight: _Flight, batch: Batch) -> _Portion:
        """What was read at once, packed where it can be."""
        if self.watcher.dry_run:
            return _Portion(flight.upto, batch)
        try:
            packed = self.sink.encode(batch, flight.stamp, flight.dump_id)
        except NOT_THE_OBJECT:
            raise
        except Exception:
            # Something in it cannot be written: it is found, and named, when the batch is.
            packed = None
        return _Portion(flight.upto, batch if packed is None else self.sink.keys_and_learners(batch), packed)

    def _stops(self) -> bool:
        """Whether to go no further."""
        self.summary.stopped = self.watcher.wants_to_stop()
        return self.summary.stopped

    def _stamp(self) -> datetime:
        """The time_last_dumped of what is read next."""
        if self.watcher.dry_run:
            return timezone.now()
        databases.check_before_use()
        stamp = take_stamp(self.sink.name)
        return stamp if self.sink.database in (None, DEFAULT_DB_ALIAS) else stamp - REPLICA_LAG

    def _take_off(self, flight: _Flight) -> None:
        """Send portions on their way. Sinks that read while they write do so when they land."""
        if self.sink.writes_only_to_clickhouse and not self.watcher.dry_run:
            flight.outcome = self.writer.submit(self._write, flight.portions, flight.stamp)
        self.flight = flight
        self.taken += len(flight)

    def _write(self, portions: Sequence[_Portion], stamp: datetime) -> Outcome:
        """Write portions: those that are packed in one insert, the others in one ``write``.

        Raises Rejected when ClickHouse refuses what is packed.
        """
        outcome = Outcome()
        packs = [portion.packed for portion in portions if portion.packed is not None]
        if packs:
            self.sink.insert_encoded(packs)
            outcome.writes = 1
            outcome.rows[self.sink.tables[0].name] = sum(
                len(each.batch) for each in portions if each.packed is not None
            )
        as_read = [portion.batch for portion in portions if portion.packed is None]
        if as_read:
            outcome.add(self._write_batch(Batch.joined(as_read), stamp))
        return outcome

    def _write_batch(self, batch: Batch, stamp: datetime) -> Outcome:
        def write(some: Batch) -> Written:
            databases.check_before_use()
            return self.sink.rehearse(some) if self.watcher.dry_run else self.sink.write(some, stamp)

        return write_what_can_be(batch, write)

    def _write_apart(self, flight: _Flight) -> Outcome:
        """Write each portion on its own, and read those again that ClickHouse refuses, to find what is wrong."""
        outcome = Outcome()
        for portion in flight.portions:
            try:
                outcome.add(self._write([portion], flight.stamp))
            except Rejected:
                databases.check_before_use()
                whole = replace(self.walk, after=portion.after, upto=portion.batch.keys[-1])
                outcome.add(self._write_batch(self.sink.read(whole), flight.stamp))
        return outcome

    def _land(self) -> None:
        """Wait for what is being written, and account for it."""
        flight, self.flight = self.flight, None
        if flight is None:
            return
        outcome = self._patiently(partial(self._arrive, flight))
        databases.check_before_use()
        if self.watcher.dry_run:
            for portion in flight.portions:
                for key in portion.batch.keys:
                    if key not in outcome.rejected:
                        self.watcher.explain(f"{key} would be written")
        else:
            self.watcher.patient = True
            self._settle(flight)
        self.summary.objects += len(flight) - len(outcome.rejected)
        self.summary.skipped += flight.skipped
        self.summary.add(outcome)
        self.summary.last_key = flight.upto
        self._clock()
        self.watcher.progress(self.summary)

    def _settle(self, flight: _Flight) -> None:
        """Let the sink take out what must not be there, of all keys that the flight was to bring."""
        if self.watcher.dry_run:
            return
        batches = [portion.batch for portion in flight.portions] or [Batch((), {})]
        # What was not read, before, between and after the portions, belongs to one of them.
        cuts = [flight.after, *(portion.after for portion in flight.portions[1:])]
        end = self.walk.upto if flight.last else flight.upto
        for batch, after, upto in zip(batches, cuts, [*cuts[1:], end], strict=True):
            databases.check_before_use()
            asked = Selection(keys=self.walk.keys, after=after, upto=upto)
            self._patiently(partial(self.sink.clean_up, batch, flight.stamp, asked))

    def _arrive(self, flight: _Flight) -> Outcome:
        """What became of a flight; asked again after a failure, it is written again."""
        try:
            if flight.outcome is None:
                return self._write(flight.portions, flight.stamp)
            while not wait([flight.outcome], BEAT_SECS).done:
                self.watcher.beat()
            outcome, flight.outcome = flight.outcome, None
            return outcome.result()
        except Rejected:
            return self._write_apart(flight)

    def _patiently(self, act: Callable[[], T]) -> T:
        """Do something; while ClickHouse is away, say so, wait and do it again."""
        failures = 0
        while True:
            try:
                return act()
            except Unavailable as error:
                databases.check_before_use()
                if not self.watcher.patient or self.watcher.wants_to_stop():
                    raise
                failures += 1
                seconds = wait_after(failures).total_seconds()
                self.watcher.tell(f"{error}; trying again in {seconds:.0f} s")
                self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        """Wait, with signs of life."""
        while seconds > 0 and not self.watcher.wants_to_stop():
            self.watcher.wait(min(seconds, BEAT_SECS))
            databases.check_before_use()
            self.watcher.beat()
            seconds -= BEAT_SECS

    def _room(self) -> int | None:
        """How many more objects may be written; None: any number."""
        if self.walk.limit is None:
            return None
        return self.walk.limit - self.summary.objects - (len(self.flight) if self.flight else 0)

    def _due(self, batch: Batch) -> Batch:
        if self.walk.force:
            return batch
        reasons = self._patiently(partial(self.sink.skip_reasons, batch))
        if not any(reasons):
            return batch
        for key, reason in zip(batch.keys, reasons, strict=True):
            if reason is not None:
                self.watcher.explain(f"{key} is up to date: {reason}")
        return batch.only([reason is None for reason in reasons])

    def _pace(self, objects: int) -> None:
        """Pause as long as the operator wants, now that so many objects are on their way."""
        if not (self.walk.sleep_secs or self.walk.max_rate):
            return
        pause = self.walk.sleep_secs
        if self.walk.max_rate:
            # From now, if that is later than it was to be: time lost is not made up for by a rush.
            self.due_at = max(self.due_at, self.watcher.now()) + objects / self.walk.max_rate
        # A pause is one for ClickHouse only when it has nothing to do.
        self._land()
        self._wait(max(pause, self.due_at - self.watcher.now()))

    def _clock(self) -> None:
        self.summary.seconds = self.seconds_before + self.watcher.now() - self.started
