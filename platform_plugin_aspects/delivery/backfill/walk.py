"""The backfill: reads the source in the order of its primary keys, and writes it to ClickHouse by the sink.

Each batch is encoded when it has been read, which takes a fraction of its memory. Several batches share one insert,
because ClickHouse merges less with fewer inserts. Reading and encoding the next insert overlaps sending the last one,
which a thread does. Only the calling thread uses the platform's database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from platform_plugin_aspects import databases
from platform_plugin_aspects.delivery.backfill.insert import Inserter, PendingInsert
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.watcher import Watcher, wait_with_beats
from platform_plugin_aspects.delivery.reading import ahead, read_in_batches
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection

#: Objects read at once, at least, when there is a limit, because some of them may be up to date.
LEAST_READ = 100
#: Ids that are named in one line, at most.
SHOWN = 10


def backfill(
    sink: BaseSink, walk: Walk, summary: Summary, watcher: Watcher | None = None, *, patient: bool = False
) -> None:
    """Write the objects of ``walk`` to ClickHouse, and update ``summary`` after each insert.

    While ClickHouse is unavailable the backfill retries, if ``patient`` or once ClickHouse has answered. Raises
    Unavailable and Misconfigured, and errors of the platform's database. ``summary`` then counts what is written, and
    the backfill can be resumed after ``summary.last_key``.
    """
    _Backfill(Inserter(sink, walk, summary, watcher or Watcher(), patient)).run()


def next_insert(sink: BaseSink, taken: int) -> int:
    """The default number of objects of the next insert, when ``taken`` are being written or written already.

    The first inserts are small, because the next ones are read while they are sent. Large ones spare ClickHouse work.
    """
    return max(sink.batch_size, min(sink.insert_size, max(2 * sink.batch_size, taken)))


class _Backfill:
    def __init__(self, inserter: Inserter):
        self.inserter = inserter
        self.sink, self.walk = inserter.sink, inserter.walk
        self.summary, self.watcher = inserter.summary, inserter.watcher
        self.under_way: PendingInsert | None = None
        self.taken = 0
        self.missing = dict.fromkeys(self.walk.keys or ())
        self.started = self.due_at = self.watcher.now()
        self.seconds_before = self.summary.seconds

    def run(self) -> None:
        """Read insert after insert, each while the one before is being written."""
        self.summary.stopped = False
        try:
            with closing(ahead(self.inserts(), self.inserter.start)) as started:
                for insert, result in started:
                    self.under_way = None
                    self.inserter.finish(insert, result)
                    self._count_seconds()
                    self.watcher.progress(self.summary)
            if self.walk.limit is None and not self.summary.stopped:
                self._tell_missing()
        finally:
            self._count_seconds()

    def inserts(self) -> Iterator[PendingInsert | None]:
        """The inserts, in order; None to finish the one under way before going on."""
        after = self.walk.after
        while not self._stops():
            room = self._room()
            if room is not None and room <= 0:
                if self.under_way is None:
                    return
                # Objects that cannot be written do not count towards the limit.
                yield None
                continue
            insert = self.read_next_insert(after, room)
            yield None
            if self._stops():
                return
            if not (insert.batches or insert.skipped):
                self.inserter.clean_up(insert)
                return
            self.under_way = insert
            self.taken += len(insert)
            yield insert
            if insert.last:
                return
            after = insert.upto
            if self.walk.sleep_secs or self.walk.max_rate:
                if self.walk.max_rate:
                    # The wait begins now if the backfill is late, so a burst never makes up for lost time.
                    self.due_at = max(self.due_at, self.watcher.now()) + len(insert) / self.walk.max_rate
                # ClickHouse has a pause only when no insert is under way.
                yield None
                wait_with_beats(self.watcher, max(self.walk.sleep_secs or 0, self.due_at - self.watcher.now()))

    def read_next_insert(self, after: Any, room: int | None) -> PendingInsert:
        """Read the objects after a key that are written together, at most ``room`` that are not up to date."""
        together, at_once = self._sizes()
        insert = self.inserter.begin(after)

        def sizes() -> Iterator[int]:
            while insert.read < together and not self.watcher.wants_to_stop():
                size = min(at_once, together - insert.read)
                if room is None:
                    yield size
                elif len(insert) < room:
                    yield min(size, max(room - len(insert), LEAST_READ))
                else:
                    return

        rest = replace(self.walk, after=after)
        # Reading may ask ClickHouse which tables it has.
        for read, last in read_in_batches(partial(self.inserter.retry, self.sink.read), rest, sizes()):
            for key in read.keys if self.missing else ():
                self.missing.pop(key, None)
            due = self._due(read)
            taken = due if room is None else due[: room - len(insert)]
            if len(taken):
                self.inserter.add(insert, taken)
            insert.read += len(read)
            insert.skipped += len(read) - len(due)
            insert.last = last and len(taken) == len(due)
            if len(taken) < len(due):
                insert.upto = taken.keys[-1]
            elif len(read):
                insert.upto = read.keys[-1]
            if not insert.last:
                self.watcher.beat()
        return insert

    def _sizes(self) -> tuple[int, int]:
        """The number of objects that are written together, and the number that are read at once."""
        together = self.walk.batch_size or self.sink.batch_size
        at_once = min(together, self.sink.batch_size)
        if self.walk.dry_run:
            return at_once, at_once
        # Pauses between inserts are short and frequent.
        if not (self.walk.batch_size or self.walk.sleep_secs or self.walk.max_rate):
            together = next_insert(self.sink, self.taken)
        return together, at_once

    def _due(self, batch: Batch) -> Batch:
        """The objects that are not up to date; all of them with ``force``."""
        if self.walk.force:
            return batch
        reasons = self.inserter.retry(self.sink.skip_reasons, batch)
        if not any(reasons):
            return batch
        for key, reason in zip(batch.keys, reasons, strict=True):
            if reason is not None:
                self.watcher.explain(f"{self.sink.name} {key} is up to date: {reason}")
        return batch.only([reason is None for reason in reasons])

    def _stops(self) -> bool:
        self.summary.stopped = self.watcher.wants_to_stop()
        return self.summary.stopped

    def _room(self) -> int | None:
        """How many more objects may be written; None: any number."""
        if self.walk.limit is None:
            return None
        return self.walk.limit - self.summary.objects - (len(self.under_way) if self.under_way else 0)

    def _tell_missing(self) -> None:
        """Name the requested keys that do not exist, and those that other options leave out."""
        if not self.missing:
            return
        databases.check_before_use()
        left_out = list(map(str, self.sink.read(Selection(keys=list(self.missing))).keys))
        if left_out:
            more = ", ..." if len(left_out) > SHOWN else ""
            named = f"{', '.join(left_out[:SHOWN])}{more}"
            self.watcher.tell(f"{self.sink.name}: the other options leave out {len(left_out)} of the ids: {named}")
        self.summary.missing = [key for key in map(str, self.missing) if key not in left_out]
        for key in self.summary.missing:
            self.watcher.tell(f"{self.sink.name} {key} is not there to be written")

    def _count_seconds(self) -> None:
        self.summary.seconds = self.seconds_before + self.watcher.now() - self.started
