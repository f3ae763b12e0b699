"""Encodes the batches of a backfill, writes them to ClickHouse, and counts them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.errors import Rejected
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.watcher import BEAT_SECS, Watcher, retry_while_unavailable
from platform_plugin_aspects.delivery.isolate import NOT_THE_OBJECT, Outcome, write_what_can_be
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, Written

#: The greatest lag of a replica. Rows read from one are dated back by it, because rows delivered meanwhile are newer.
REPLICA_LAG = timedelta(hours=1)

T = TypeVar("T")


@dataclass
class ReadBatch:
    """Objects with keys above ``after``. With ``encoded``, ``batch`` holds only keys and learners, for cleaning up."""

    after: Any
    batch: Batch
    encoded: bytes | None = None


@dataclass
class PendingInsert:
    """Batches that are written together.

    ``after``, ``upto``: the keys between which the source is done when they are written. ``read``: objects read in
    between, ``skipped``: those of them that were left out. ``last``: the source has no more.
    """

    stamp: datetime
    after: Any
    upto: Any
    batches: list[ReadBatch] = field(default_factory=list)
    dump_id: uuid.UUID = field(default_factory=uuid.uuid4)
    read: int = 0
    skipped: int = 0
    last: bool = False

    def __len__(self) -> int:
        return sum(len(each.batch) for each in self.batches)


@dataclass
class Inserter:
    """Writes the batches of a walk by its sink, and counts them; in a dry run, only finds what cannot be written.

    ``patient``: whether to retry while ClickHouse is unavailable, also before it has answered an insert.
    """

    sink: BaseSink
    walk: Walk
    summary: Summary
    watcher: Watcher
    patient: bool

    def retry(self, act: Callable[..., T], *args: Any) -> T:
        """The result of ``act(*args)``, with retries while ClickHouse is unavailable, if they are wanted."""
        call = partial(act, *args)
        return retry_while_unavailable(call, self.watcher) if self.patient else call()

    def begin(self, after: Any) -> PendingInsert:
        """A new insert of objects above a key, with the time_last_dumped for objects that are read from now on."""
        if self.walk.dry_run:
            return PendingInsert(timezone.now(), after, after)
        databases.check_before_use()
        stamp = take_stamp(self.sink.name)
        if self.sink.database not in (None, DEFAULT_DB_ALIAS):
            stamp -= REPLICA_LAG
        return PendingInsert(stamp, after, after)

    def add(self, insert: PendingInsert, batch: Batch) -> None:
        """Add a batch to an insert, encoded if possible: that takes a fraction of the memory."""
        read = ReadBatch(insert.upto, batch)
        insert.batches.append(read)
        if self.walk.dry_run:
            return
        try:
            read.encoded = self.sink.encode(batch, insert.stamp, insert.dump_id)
        except NOT_THE_OBJECT:
            raise
        except Exception:
            # Writing the batch will isolate and name the object that cannot be encoded.
            return
        if read.encoded is not None:
            read.batch = self.sink.keys_and_learners(batch)

    def start(self, insert: PendingInsert) -> Outcome | None:
        """Write an insert in a thread; None if the sink must write in the calling thread, or nothing is written."""
        if self.sink.writes_only_to_clickhouse and not self.walk.dry_run:
            return self.write(insert.batches, insert.stamp)
        return None

    def finish(self, insert: PendingInsert, result: Future[Outcome | None]) -> None:
        """Wait until an insert is written, and count it; ``result``: what ``start`` returns in its thread."""
        results = [result]
        outcome = self.retry(self._outcome, insert, results)
        databases.check_before_use()
        if self.walk.dry_run:
            for each in insert.batches:
                for key in each.batch.keys:
                    if key not in outcome.rejected:
                        self.watcher.explain(f"{self.sink.name} {key} would be written")
        else:
            self.patient = self.summary.answered = True
            self.clean_up(insert)
        self.summary.objects += len(insert) - len(outcome.rejected)
        self.summary.skipped += insert.skipped
        self.summary.add(outcome)
        self.summary.last_key = insert.upto

    def _outcome(self, insert: PendingInsert, results: list[Future[Outcome | None]]) -> Outcome:
        """The outcome of an insert. It is written here if the thread did not write it, or failed before."""
        try:
            if results:
                while not wait(results, BEAT_SECS).done:
                    self.watcher.beat()
                outcome = results.pop().result()
                if outcome is not None:
                    return outcome
            return self.write(insert.batches, insert.stamp)
        except Rejected:
            return self.write_apart(insert)

    def write(self, batches: Sequence[ReadBatch], stamp: datetime) -> Outcome:
        """Write batches: the encoded ones in one insert, the others in one ``write``.

        Raises Rejected when ClickHouse refuses the encoded ones.
        """
        outcome = Outcome()
        encoded = [each.encoded for each in batches if each.encoded is not None]
        if encoded:
            self.sink.insert_encoded(encoded)
            outcome.writes = 1
            rows = sum(len(each.batch) for each in batches if each.encoded is not None)
            outcome.rows[self.sink.tables[0].name] = rows
        as_read = [each.batch for each in batches if each.encoded is None]
        if as_read:
            outcome.add(self._write_batch(Batch.joined(as_read), stamp))
        return outcome

    def write_apart(self, insert: PendingInsert) -> Outcome:
        """Write each batch by itself, and read those again that ClickHouse refuses, to isolate the bad objects."""
        outcome = Outcome()
        for each in insert.batches:
            try:
                outcome.add(self.write([each], insert.stamp))
            except Rejected:
                databases.check_before_use()
                whole = replace(self.walk, after=each.after, upto=each.batch.keys[-1])
                outcome.add(self._write_batch(self.sink.read(whole), insert.stamp))
        return outcome

    def _write_batch(self, batch: Batch, stamp: datetime) -> Outcome:
        def write(some: Batch) -> Written:
            databases.check_before_use()
            return self.sink.rehearse(some) if self.walk.dry_run else self.sink.write(some, stamp)

        return write_what_can_be(batch, write)

    def clean_up(self, insert: PendingInsert) -> None:
        """Let the sink delete obsolete rows of all keys that the insert covers."""
        if self.walk.dry_run:
            return
        databases.check_before_use()
        batches = [self.sink.keys_and_learners(each.batch) for each in insert.batches]
        batch = Batch.joined(batches) if batches else Batch((), {})
        upto = self.walk.upto if insert.last else insert.upto
        asked = Selection(self.walk.keys, after=insert.after, upto=upto, since=self.walk.since)
        self.retry(self.sink.clean_up, batch, insert.stamp, asked)
