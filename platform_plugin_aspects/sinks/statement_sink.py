"""StatementSink: learning events, as xAPI statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, Selection
from platform_plugin_aspects.xapi.events import unpack

#: Path of the stored bytes in a batch.
PAYLOAD = "payload"


class StatementSink(BaseSink):
    """The statements of the tracking events that wait in TrackingEvent; an event's key is its row's primary key."""

    name = "xapi"
    model = "xapi"
    needs_model: ClassVar[bool] = False
    has_objects: ClassVar[bool] = False
    batch_size: ClassVar[int] = 1_000

    def parse_key(self, text: str) -> int:
        """See BaseSink."""
        return int(text)

    def read(self, selection: Selection) -> Batch:
        """The stored events, compressed: their bytes are unpacked when they are written."""
        wanted = TrackingEvent.objects.filter(pk__in=selection.keys or ())
        rows = list(wanted.order_by("pk").values_list("pk", PAYLOAD))
        return Batch([pk for pk, _ in rows], {PAYLOAD: [bytes(payload) for _, payload in rows]})


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
