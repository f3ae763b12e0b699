"""One step of the benchmark of events in a process of its own: ``events_steps.py STEP ARGUMENTS`` (as JSON).

A step prepares, says "ready", waits for a line on standard input, measures, and prints what it found as a line of JSON.
Processor seconds are those of this process and of the processes in BENCHMARK_PROCESSES, by name.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import django

from benchmarks.events_data import COURSE, COURSE_NAME, events
from benchmarks.events_site import processor_secs

#: Events of one block of a step that measures several things in turn.
BLOCK = 500


def main(name: str, arguments: Mapping[str, Any]) -> None:
    """Prepare a step, wait for the start, and print what it measured."""
    django.setup()
    measure = STEPS[name](**arguments)
    gc.collect()
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(measure() or {}), flush=True)


class Meter:
    """Processor seconds of this process and of the servers, gathered by name of what was measured."""

    def __init__(self) -> None:
        self.pids = {**json.loads(os.environ["BENCHMARK_PROCESSES"]), "client": os.getpid()}
        self.secs: dict[str, Counter[str]] = {}

    def measure(self, what: str, run: Callable[[], Any]) -> Any:
        """Run it, and add what it took; returns what it returned."""
        before = processor_secs(self.pids)
        result = run()
        after = processor_secs(self.pids)
        spent = {name: after[name] - before[name] for name in after}
        self.secs.setdefault(what, Counter()).update(spent)
        return result


def prepare() -> Callable[[], None]:
    """The platform's tables, 20,000 learners with external ids, the course, and the tables in ClickHouse."""

    def run() -> None:
        from django.core.management import call_command

        from benchmarks.seed import seed
        from test_utils.factories import make_overview

        call_command("migrate", run_syncdb=True, verbosity=0)
        seed(20_000)
        make_overview(COURSE, display_name=COURSE_NAME)
        call_command("aspects_create_tables", stdout=sys.stderr)

    return run


def route(url: str, username: str, password: str) -> Callable[[], None]:
    """Configure ERB's router: where statements go."""

    def run() -> None:
        from event_routing_backends.models import RouterConfiguration

        values = {"username": username, "password": password, "auth_scheme": RouterConfiguration.AUTH_BASIC}
        RouterConfiguration.objects.all().delete()
        RouterConfiguration.objects.create(
            enabled=True, backend_name=RouterConfiguration.XAPI_BACKEND, route_url=url, configurations={}, **values
        )

    return run


def request(number: int, users: int, month: str) -> Callable[[], dict[str, Any]]:
    """The cost of an event in its request: a bare INSERT, ours, and ERB's publish to Celery; in blocks, in turn.

    Each event is in a transaction of its own, as a request is. The bare INSERT has the same table and bytes.
    """
    from django.db import connection, transaction
    from django.utils import timezone
    from eventtracking.tracker import get_tracker

    from platform_plugin_aspects.delivery.tracking import OutboxBackend, _insert
    from platform_plugin_aspects.models import TrackingEvent
    from platform_plugin_aspects.xapi.events import canonical, pack

    made = list(events(number, users, datetime.fromisoformat(month)))
    insert = _insert("default")
    rows = [(event["name"], pack(canonical(event)), timezone.now().replace(tzinfo=None), 0, "", None) for event in made]
    ours = OutboxBackend()
    publish = get_tracker().routing_backend.backends["event_transformer"].send

    def bare_insert(row: tuple[Any, ...]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(insert, row)

    ways: dict[str, tuple[Callable[[Any], None], list[Any]]] = {
        "bare": (bare_insert, rows),
        "ours": (ours.send, made),
        "publish": (publish, made),
    }

    def run_block(act: Callable[[Any], None], block: list[Any]) -> None:
        for each in block:
            with transaction.atomic():
                act(each)

    for act, everything in ways.values():
        run_block(act, everything[:10])
    meter = Meter()
    # The transaction alone, which all three have.
    ways["transaction"] = (lambda _each: _select(connection), made)

    def run() -> dict[str, Any]:
        for start in range(0, number, BLOCK):
            for name, (act, everything) in ways.items():
                block = everything[start : start + BLOCK]
                meter.measure(name, partial(run_block, act, block))
        TrackingEvent.objects.all().delete()
        return {"events": number, "secs": meter.secs}

    return run


def _select(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def transform(number: int, users: int, month: str) -> Callable[[], dict[str, Any]]:
    """The cost of a delivery, beside ERB's processor alone for learners whom its cache knows; in blocks, in turn."""
    from event_routing_backends.processors.xapi.transformer_processor import XApiProcessor

    from platform_plugin_aspects.xapi.events import canonical, pack, unpack

    processor = XApiProcessor()
    begin = datetime.fromisoformat(month)
    size = 1_000

    def alike(first: int, of: int) -> list[dict[str, Any]]:
        return [unpack(pack(canonical(event))) for event in events(size, of, begin, first)]

    def through_erb(given: list[dict[str, Any]]) -> None:
        for event in given:
            if not processor([event]):
                raise SystemExit(f"{event['name']} gave no statement")

    through_erb(alike(0, 100)[:300])
    store(events(10, users, begin, number))
    deliver_all()
    meter = Meter()

    def run() -> dict[str, Any]:
        done = 0
        for first in range(0, number, size):
            meter.measure("erb warm", partial(through_erb, alike(first, 100)))
            if users > 100:
                meter.measure("erb cold", partial(through_erb, alike(first, users)))
                through_erb(alike(first, 100)[:300])
            store(events(size, users, begin, first))
            done += meter.measure("ours", deliver_all)
        return {"events": done, "secs": meter.secs}

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
        return {"events": meter.measure("ours", deliver_all), "secs": meter.secs}

    return run


def store(given: Iterable[Mapping[str, Any]]) -> None:
    """Store events as requests do, in few statements."""
    from platform_plugin_aspects.models import TrackingEvent
    from platform_plugin_aspects.xapi.events import canonical, pack

    TrackingEvent.objects.bulk_create(
        [TrackingEvent(name=event["name"], payload=pack(canonical(event))) for event in given], batch_size=500
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
    from platform_plugin_aspects.delivery.deliver import Status, deliver_changes

    warm_up()

    def run() -> dict[str, Any]:
        delivered, begun = 0, time.time()
        while True:
            delivery = deliver_changes("xapi")
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


def emit(
    number: int, users: int, month: str, via: str, rate: float = 0, first: int = 0
) -> Callable[[], dict[str, Any]]:
    """Emit events by one backend of the tracker, each in a request; ``rate``: so many a second, at their moments."""
    from django.db import transaction
    from eventtracking.tracker import get_tracker

    from platform_plugin_aspects.delivery.tracking import switch

    switch.is_on()
    send = get_tracker().routing_backend.backends[via].send
    made = list(events(number, users, datetime.fromisoformat(month), first))
    own = {"client": os.getpid()}

    def run() -> dict[str, Any]:
        before = processor_secs(own)["client"]
        begun = time.monotonic()
        for position, event in enumerate(made):
            if rate:
                time.sleep(max(0, begun + position / rate - time.monotonic()))
                event["timestamp"] = datetime.now(UTC)
            with transaction.atomic():
                send(event)
        result = {"events": number, "secs": processor_secs(own)["client"] - before, "wall": time.monotonic() - begun}
        # A thread of the process sends the request that follows the last commit.
        time.sleep(0.5)
        return result

    return run


def memory(number: int, users: int, month: str) -> Callable[[], dict[str, Any]]:
    """The memory of a process that delivers many events: MB when it is idle, and the peaks of each tenth of them."""
    from django.db import connection

    from platform_plugin_aspects.delivery.deliver import deliver_changes
    from platform_plugin_aspects.models import TrackingEvent

    warm_up()
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
        idle, peaks, delivered = _memory("VmRSS"), [], 0
        tenth = max(1, number // 10_000)
        while delivered < number:
            Path("/proc/self/clear_refs").write_text("5")
            delivery = deliver_changes("xapi", tenth)
            delivered += delivery.objects
            if not delivery.objects:
                raise SystemExit(f"The delivery ended as {delivery.status} after {delivered}: {delivery.error}")
            peaks.append(_memory("VmHWM"))
        return {"events": delivered, "idle": idle, "peaks": peaks}

    return run


def _memory(what: str) -> float:
    """MB of this process, as its status tells them."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[what].split()[0]) / 1000


STEPS: dict[str, Callable[..., Callable[[], Any]]] = {
    "prepare": prepare,
    "route": route,
    "request": request,
    "transform": transform,
    "delivery": delivery,
    "stored": stored,
    "drain": drain,
    "emit": emit,
    "memory": memory,
}

if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
