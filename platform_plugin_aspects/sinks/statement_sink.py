"""StatementSink: learning events, as xAPI statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, ClassVar

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, NeedsCommit, Selection, Written, chunks
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.xapi.events import unpack, unpacked_size
from platform_plugin_aspects.xapi.processor import why_not_usable
from platform_plugin_aspects.xapi.transform import NewLearners, NotUsable, Statement, transform

#: Path of the stored bytes in a batch.
PAYLOAD = "payload"
#: How much JSON is unpacked at once, in bytes. 1,000 events have about 1 MB.
PART_BYTES = 16_000_000
#: The months of one insert. ClickHouse refuses one for more than 100 partitions (max_partitions_per_insert_block), and
#: a clock of its own may see two in one month. Mobile apps say when their events were, so they may be of any month.
MOST_MONTHS = 50


class StatementSink(BaseSink):
    """A row: an xAPI statement about a learner's act, as edx-event-routing-backends makes it of a tracking event.

    Trigger: the platform emits a tracking event. A statement that is written twice has the same key both times; FINAL
    shows it once. Personal data: who the actor is, by the setting XAPI_AGENT_IFI_TYPE: an external id, or an address.
    """

    name = "xapi"
    model = "xapi"
    needs_model: ClassVar[bool] = False
    has_objects: ClassVar[bool] = False
    database_key: ClassVar[str] = "xapi_database"
    batch_size: ClassVar[int] = 1_000
    table: ClassVar[Table] = Table(
        "xapi_events_all",
        (Column("event_id", "UUID"), Column("emission_time", "DateTime64(6)"), Column("event", "String")),
        order_by=("emission_time", "event_id"),
        partition_by="toYYYYMM(emission_time)",
    )
    tables: ClassVar[tuple[Table, ...]] = (table,)

    @classmethod
    def tables_at(cls, connection: Connection) -> Sequence[Table]:
        """See BaseSink. ``xapi_table`` names the table."""
        return (replace(cls.table, name=connection.xapi_table),)

    @classmethod
    def why_unusable(cls) -> str:
        """See Switch."""
        return why_not_usable()

    def parse_key(self, text: str) -> int:
        """The primary key of a stored event."""
        return int(text)

    def read(self, selection: Selection) -> Batch:
        """The stored events, compressed: their bytes are unpacked when they are written."""
        wanted = TrackingEvent.objects.filter(pk__in=selection.keys or ())
        rows = list(wanted.order_by("pk").values_list("pk", PAYLOAD))
        return Batch([pk for pk, _ in rows], {PAYLOAD: [bytes(payload) for _, payload in rows]})

    def write(self, batch: Batch, stamp: datetime) -> Written:
        """See BaseSink. One insert, unless events are very large; those that cannot be transformed are left out of it.

        Raises NeedsCommit when learners get their first external id. In the transaction that deletes the events, it
        might be rolled back after the insert; the next attempt would give them others, and their statements, too. Very
        large events before those are in ClickHouse then; the next attempt gives their statements the same ids.
        """
        written = Written({self.table.name: 0})
        for part in _parts(batch):
            self._write(part, written)
        return written

    def _write(self, batch: Batch, written: Written) -> None:
        # The events themselves are gone before the insert is made: both at once would double the memory of a batch.
        rows, rejected = _statements(batch)
        self.insert(rows)
        written.rows[self.table.name] += len(rows)
        written.rejected.update(rejected)

    def insert(self, statements: Sequence[Statement]) -> None:
        """Write statements to ClickHouse, in one insert unless they are of many months. Raises as ``write`` does."""
        for some in _of_few_months(statements):
            self.clickhouse.insert(self.connection.xapi_table, self.table.types, list(zip(*some, strict=True)))


def _statements(batch: Batch) -> tuple[list[Statement], dict[int, str]]:
    """The statements of a batch, and why events cannot be transformed, by key. Raises as ``StatementSink.write``."""
    events, rejected = unpacked(batch)
    keys = list(events)
    try:
        made, reasons = transform(list(events.values()), register=False)
    except NewLearners as error:
        new = error

        def register() -> dict[int, str]:
            return {keys[position]: reason for position, reason in new.register().items()}

        raise NeedsCommit(register) from None
    except NotUsable as error:
        raise Misconfigured(f"No statements can be made: {error}") from None
    rejected.update({keys[position]: reason for position, reason in reasons.items()})
    return list(chain.from_iterable(made)), rejected


def _parts(batch: Batch) -> Iterator[Batch]:
    """The batch in parts whose events have PART_BYTES of JSON, or are single ones."""
    first = total = 0
    for position, payload in enumerate(batch.columns[PAYLOAD]):
        size = unpacked_size(payload)
        if total + size > PART_BYTES and position > first:
            yield batch[first:position]
            first, total = position, 0
        total += size
    yield batch[first : len(batch)]


def _of_few_months(statements: Sequence[Statement]) -> Iterator[Sequence[Statement]]:
    """The statements in portions of at most MOST_MONTHS."""
    months: dict[tuple[int, int], list[Statement]] = {}
    for statement in statements:
        months.setdefault((statement.emission_time.year, statement.emission_time.month), []).append(statement)
    if len(months) <= MOST_MONTHS:
        if statements:
            yield statements
        return
    for some in chunks(list(months.values()), MOST_MONTHS):
        yield list(chain.from_iterable(some))


def unpacked(batch: Batch) -> tuple[Mapping[int, Mapping[str, Any]], dict[int, str]]:
    """The events of a batch by key, and why others cannot be read, by key."""
    events: dict[int, Mapping[str, Any]] = {}
    rejected: dict[int, str] = {}
    payloads: Sequence[bytes] = batch.columns[PAYLOAD]
    for key, payload in zip(batch.keys, payloads, strict=True):
        try:
            events[key] = unpack(payload)
        except ValueError as error:
            rejected[key] = str(error)
    return events, rejected
