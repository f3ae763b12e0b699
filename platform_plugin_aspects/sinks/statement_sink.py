"""StatementSink: learning events, as xAPI statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, NeedsCommit, Selection, Written
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.xapi.events import unpack
from platform_plugin_aspects.xapi.processor import why_not_usable
from platform_plugin_aspects.xapi.transform import NewLearners, NotUsable, Statement, transform

#: Path of the stored bytes in a batch.
PAYLOAD = "payload"


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
        """See BaseSink. One insert; events that cannot be transformed are left out of it.

        Raises NeedsCommit when learners get their first external id. In the transaction that deletes the events, it
        might be rolled back after the insert; the next attempt would give them others, and their statements, too.
        """
        events, rejected = unpacked(batch)
        keys = list(events)
        try:
            statements, reasons = transform(list(events.values()), register=False)
        except NewLearners as error:
            raise NeedsCommit(error.register) from None
        except NotUsable as error:
            raise Misconfigured(f"No statements can be made: {error}") from None
        rejected.update({keys[position]: reason for position, reason in reasons.items()})
        rows = [statement for made in statements for statement in made]
        self.insert(rows)
        return Written({self.table.name: len(rows)}, rejected=rejected)

    def insert(self, statements: Sequence[Statement]) -> None:
        """Write statements to ClickHouse in one insert. Raises as ``write`` does."""
        if statements:
            self.clickhouse.insert(self.connection.xapi_table, self.table.types, list(zip(*statements, strict=True)))


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
