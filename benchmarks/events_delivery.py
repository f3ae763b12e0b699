"""The steps of the benchmark of events that deliver, each in a process of its own: see events_steps.py."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from benchmarks.events_data import SESSION, events
from benchmarks.events_meter import Meter
from benchmarks.memory import now_mb, peak_mb, reset_peak

#: Events of one block, which is a batch of the sink.
BLOCK = 1_000


def transform(number: int, users: int, month: str) -> Callable[[], dict[str, Any]]:
    """The cost of a delivery, beside ERB's processor alone for learners whom its cache knows; in blocks, in turn."""
    from event_routing_backends.processors.xapi.transformer_processor import XApiProcessor

    from platform_plugin_aspects.xapi.events import pack, unpack

    processor = XApiProcessor()
    begin = datetime.fromisoformat(month)

    def alike(first: int, of: int) -> list[dict[str, Any]]:
        return [unpack(pack(event)) for event in events(BLOCK, of, begin, first)]

    def through_erb(given: list[dict[str, Any]]) -> None:
        for event in given:
            if not processor([event]):
                raise SystemExit(f"{event['name']} gave no statement")

    through_erb(alike(0, 100)[:300])
    store(events(10, users, begin, number))
    deliver_all()
    meter = Meter()

    def run() -> dict[str, Any]:
        for first in range(0, number, BLOCK):
            meter.measure("erb warm", partial(through_erb, alike(first, 100)))
            # Beside them only, and it takes long.
            if users > 100 and first < 2 * BLOCK:
                meter.measure("erb cold", partial(through_erb, alike(first, users)))
                through_erb(alike(first, 100)[:300])
            store(events(BLOCK, users, begin, first))
            meter.measure("ours", deliver_all)
        return {"events": BLOCK, "secs": meter.best()}

    return run


def delivery(number: int, users: int, month: str, first: int) -> Callable[[], dict[str, Any]]:
    """The cost of a delivery into this table."""
    begin = datetime.fromisoformat(month)
    warm_up()
    store(events(1_000, users, begin, first))
    deliver_all()
    store(events(number, users, begin, first + 1_000))
    meter = Meter()

    def run() -> dict[str, Any]:
        return {"events": meter.measure("ours", deliver_all), "secs": meter.best()}

    return run


def store(given: Iterable[Mapping[str, Any]]) -> None:
    """Store events as requests do, in few statements."""
    from platform_plugin_aspects.models import TrackingEvent
    from platform_plugin_aspects.xapi.events import pack

    TrackingEvent.objects.bulk_create(
        [TrackingEvent(name=event["name"], payload=pack(event)) for event in given], batch_size=500
    )


def deliver_all() -> int:
    """Deliver until nothing waits; how many events were delivered. Ends the process when a delivery fails."""
    from platform_plugin_aspects.delivery.deliver import Status, deliver_changes

    delivered = 0
    while True:
        delivery = deliver_changes("xapi")
        if delivery.status is not Status.DELIVERED or delivery.outcome.rejected:
            raise SystemExit(f"The delivery ended as {delivery.status}: {delivery.error} {delivery.outcome.rejected}")
        delivered += delivery.objects
        if not delivery.more:
            return delivered


def stored(number: int, users: int, month: str) -> Callable[[], dict[str, Any]]:
    """Store events that others deliver."""

    def run() -> dict[str, Any]:
        for first in range(0, number, 10_000):
            store(events(min(10_000, number - first), users, datetime.fromisoformat(month), first))
        return {"events": number}

    return run


def drain() -> Callable[[], dict[str, Any]]:
    """Deliver what waits, beside others that do."""
    from django.db import OperationalError

    from platform_plugin_aspects.delivery.deliver import Status, deliver_changes

    warm_up()

    def run() -> dict[str, Any]:
        delivered, begun = 0, time.time()
        while True:
            try:
                delivery = deliver_changes("xapi", 1)
            except OperationalError:
                # A deadlock: nothing was changed. The task of a worker comes again, too.
                continue
            delivered += delivery.objects
            if delivery.status not in (Status.DELIVERED, Status.BUSY):
                raise SystemExit(f"The delivery ended as {delivery.status}: {delivery.error}")
            if not delivery.more:
                return {"events": delivered, "begin": begun, "end": time.time()}

    return run


def warm_up() -> None:
    """Import and connect to all that a delivery needs, without taking an event that waits."""
    from django.db import connection

    from platform_plugin_aspects.sinks import StatementSink
    from platform_plugin_aspects.xapi.events import canonical
    from platform_plugin_aspects.xapi.transform import transform as make

    connection.ensure_connection()
    made = make([canonical(event) for event in events(200, 100, datetime(2025, 1, 1, tzinfo=UTC))], register=False)
    StatementSink().insert([statement for each in made.statements for statement in each])


def memory(number: int, users: int, month: str) -> Callable[[], dict[str, Any]]:
    """The memory of a process that delivers many events: MB when it is idle, and the peaks of each tenth of them.

    It is idle after it has delivered a few events, as a worker is: what these import stays for the life of a process.
    """
    from django.db import connection

    from platform_plugin_aspects.delivery.deliver import deliver_changes
    from platform_plugin_aspects.models import TrackingEvent

    warm_up()
    store(events(SESSION, users, datetime.fromisoformat(month)))
    deliver_all()
    store(events(1_000, users, datetime.fromisoformat(month)))
    table = TrackingEvent._meta.db_table
    columns = "recorded_at, name, payload, attempts, error, retry_at"

    def run() -> dict[str, Any]:
        with connection.cursor() as cursor:
            there = TrackingEvent.objects.count()
            while there < number:
                more = min(there, number - there)
                # The same events again.
                cursor.execute(
                    f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table} ORDER BY id LIMIT {more}"
                )
                there += more
        gc.collect()
        idle, peaks, delivered = now_mb(), [], 0
        tenth = max(1, number // 10_000)
        while delivered < number:
            reset_peak()
            delivery = deliver_changes("xapi", tenth)
            delivered += delivery.objects
            if not delivery.objects:
                raise SystemExit(f"The delivery ended as {delivery.status} after {delivered}: {delivery.error}")
            peaks.append(peak_mb())
        return {"events": delivered, "idle": idle, "peaks": peaks}

    return run
