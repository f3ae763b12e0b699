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
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import django

from benchmarks.events_data import COURSE, COURSE_NAME, events
from benchmarks.events_delivery import delivery, drain, memory, stored, transform
from benchmarks.events_meter import Meter, processor_secs

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
    from platform_plugin_aspects.xapi.events import pack

    made = list(events(number, users, datetime.fromisoformat(month)))
    insert = _insert("default")
    rows = [(event["name"], pack(event), timezone.now().replace(tzinfo=None), 0, "", None) for event in made]
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
        return {"events": number, "secs": meter.in_all()}

    return run


def _select(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def emit(
    number: int,
    users: int,
    month: str,
    via: str,
    rate: float = 0,
    now: bool = False,
    first: int = 0,
    each: int = 1,
    twice: int = 0,
) -> Callable[[], dict[str, Any]]:
    """Emit events by one backend of the tracker, each in a request of its own.

    ``rate``: so many a second; ``now``: at the moment when they are emitted; ``each``: one of so many, ``number`` in
    all; ``twice``: one of so many a second time.
    """
    from django.db import transaction
    from eventtracking.tracker import get_tracker

    from platform_plugin_aspects.delivery.tracking import switch

    switch.is_on()
    send = get_tracker().routing_backend.backends[via].send
    made = list(events(number * each, users, datetime.fromisoformat(month), first))[::each]
    own = {"client": os.getpid()}

    def run() -> dict[str, Any]:
        before = processor_secs(own)["client"]
        begun = time.monotonic()
        for position, event in enumerate(made):
            if rate:
                time.sleep(max(0, begun + position / rate - time.monotonic()))
            if now:
                event["timestamp"] = datetime.now(UTC)
            with transaction.atomic():
                send(event)
                if twice and position % twice == 0:
                    send(event)
        result = {"events": number, "secs": processor_secs(own)["client"] - before, "wall": time.monotonic() - begun}
        # A thread of the process sends the request that follows the last commit.
        time.sleep(0.5)
        return result

    return run


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
