"""Encodes what a backfill read, and writes it to ClickHouse."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.utils import timezone

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.errors import Rejected
from platform_plugin_aspects.delivery.isolate import NOT_THE_OBJECT, Outcome, write_what_can_be
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, Written

#: The greatest lag of a replica. Rows read from one are dated back by it, because rows delivered meanwhile are newer.
REPLICA_LAG = timedelta(hours=1)


@dataclass
class ReadBatch:
    """Objects with keys above ``after``. With ``encoded``, ``batch`` holds only what cleaning up needs."""

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
    result: Future[Outcome | None] | None = None

    def __len__(self) -> int:
        return sum(len(each.batch) for each in self.batches)


class Inserter:
    """Writes the batches of a selection by its sink; in a dry run, only finds what cannot be written."""

    def __init__(self, sink: BaseSink, selection: Selection, dry_run: bool):
        self.sink = sink
        self.selection = selection
        self.dry_run = dry_run

    def begin(self, after: Any) -> PendingInsert:
        """A new insert of objects above a key, with the time_last_dumped of what is read from now on."""
        if self.dry_run:
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
        if self.dry_run:
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

    def start_insert(self, insert: PendingInsert) -> Outcome | None:
        """Write an insert in a thread; None if the sink must write in the calling thread, or nothing is written."""
        if self.sink.writes_only_to_clickhouse and not self.dry_run:
            return self.write(insert.batches, insert.stamp)
        return None

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
                whole = replace(self.selection, after=each.after, upto=each.batch.keys[-1])
                outcome.add(self._write_batch(self.sink.read(whole), insert.stamp))
        return outcome

    def _write_batch(self, batch: Batch, stamp: datetime) -> Outcome:
        def write(some: Batch) -> Written:
            databases.check_before_use()
            return self.sink.rehearse(some) if self.dry_run else self.sink.write(some, stamp)

        return write_what_can_be(batch, write)

    def clean_up(self, insert: PendingInsert, retry: Callable[[Callable[[], None]], None]) -> None:
        """Let the sink delete obsolete rows of all keys that the insert covers, through ``retry``."""
        if self.dry_run:
            return
        databases.check_before_use()
        batches = [self.sink.keys_and_learners(each.batch) for each in insert.batches]
        batch = Batch.joined(batches) if batches else Batch((), {})
        upto = self.selection.upto if insert.last else insert.upto
        asked = Selection(self.selection.keys, after=insert.after, upto=upto, since=self.selection.since)
        retry(partial(self.sink.clean_up, batch, insert.stamp, asked))
