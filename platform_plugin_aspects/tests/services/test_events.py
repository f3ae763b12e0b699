"""Learning events on MariaDB: delivered by several workers at once, whatever is killed or restarted."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.utils import timezone
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.pending import EVENTS
from platform_plugin_aspects.delivery.slots import make_slots, take_slot, workers_at_once
from platform_plugin_aspects.models import DeliverySlot, SinkState, TrackingEvent
from platform_plugin_aspects.sinks import StatementSink
from test_utils.factories import make_external_id, make_user
from test_utils.processes import ADMIN, until
from test_utils.services.events import COURSE, committed
from test_utils.services.processes import Learners

from .conftest import PATIENCE_SECS, Site, deliver_all

pytestmark = pytest.mark.services

#: Events in all, and the processes and learners that emit them.
EVENTS_IN_ALL, PROCESSES, LEARNERS = 20_000, 3, 3
#: A delivery of so many events, and what killing adds to it, on a busy machine.
DRILL_SECS = 600


@pytest.fixture(autouse=True)
def _on(site: Site, settings: Any) -> Iterator[None]:
    """The sink is on, with two workers at once, and nothing is stored."""
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    TrackingEvent.objects.all().delete()
    administrator().command("TRUNCATE TABLE xapi.xapi_events_all")
    yield
    TrackingEvent.objects.all().delete()


def administrator() -> ClickHouse:
    return get_client(Connection.from_settings({"username": ADMIN[0], "password": ADMIN[1]}))


def emit(user_id: int, number: int) -> None:
    for millisecond in range(number):
        tracking.OutboxBackend().send(
            {
                "name": "edx.course.enrollment.activated",
                "timestamp": datetime(2026, 3, 1, microsecond=millisecond * 1_000, tzinfo=UTC),
                "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
                "context": {"user_id": user_id, "course_id": COURSE, "org_id": "Services"},
            }
        )


def statements() -> list[tuple[str, datetime]]:
    """(actor, moment) of each statement, as readers see them."""
    found = administrator().select(
        "SELECT JSONExtractString(event, 'actor', 'account', 'name'), emission_time FROM xapi.xapi_events_all FINAL"
    )
    return [(name, moment.replace(tzinfo=UTC)) for name, moment in found]


def learner() -> int:
    user = make_user(f"learner_{time.monotonic_ns()}")
    make_external_id(user)
    return int(user.pk)


class Worker:
    """Another worker, in a thread, that holds what it has taken until ``end``."""

    def __init__(self, take: Callable[[], Any]):
        self._taken, self._end = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._result = self._pool.submit(self._run, take)
        assert self._taken.wait(PATIENCE_SECS)

    def _run(self, take: Callable[[], Any]) -> Any:
        try:
            with transaction.atomic():
                result = take()
                self._taken.set()
                assert self._end.wait(PATIENCE_SECS)
                return result
        finally:
            self._taken.set()
            connection.close()

    def end(self) -> Any:
        self._end.set()
        result = self._result.result()
        self._pool.shutdown()
        return result


def claim() -> list[int]:
    return [row.pk for row in EVENTS.read(StatementSink, timezone.now(), claim=True).ready]


def test_events_that_another_worker_has_claimed_are_left_to_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workers_at_once("xapi") == 2
    emit(learner(), 5)
    first, second, *others = TrackingEvent.objects.order_by("pk").values_list("pk", flat=True)
    monkeypatch.setattr(StatementSink, "batch_size", 2)
    other = Worker(claim)
    delivered = deliver_changes("xapi")
    assert (delivered.status, delivered.objects, delivered.more) == ("delivered", 3, False)
    assert other.end() == [first, second]
    assert set(TrackingEvent.objects.values_list("pk", flat=True)) == {first, second}
    assert deliver_changes("xapi").objects == 2
    assert len(others) == 3
    assert len(statements()) == 5


def test_a_request_never_waits_for_a_delivery(site: Site) -> None:
    user_id = learner()
    emit(user_id, 3)
    other = Worker(claim)
    with connection.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 1")
    emit(user_id, 3)
    assert TrackingEvent.objects.count() == 6
    assert len(other.end()) == 3


def test_no_more_workers_deliver_at_once_than_there_are_slots(site: Site, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_WORKERS = 1
    emit(learner(), 1)
    make_slots("xapi", 1)
    other = Worker(lambda: take_slot("xapi", 1))
    assert deliver_changes("xapi").status == "busy"
    assert other.end()
    assert deliver_changes("xapi").objects == 1
    DeliverySlot.objects.all().delete()


def test_a_worker_deletes_its_events_while_another_holds_as_many(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """MariaDB looks through a whole table for keys that are half of it, and would wait for the rows of the other."""
    emit(learner(), 400)
    monkeypatch.setattr(StatementSink, "batch_size", 200)
    other = Worker(claim)
    with connection.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 1")
    assert deliver_changes("xapi", 1).objects == 200
    assert len(other.end()) == 200
    assert TrackingEvent.objects.count() == 200


def test_events_that_come_while_others_are_delivered_are_gathered_for_a_window(site: Site) -> None:
    emit(learner(), 2)
    site.clickhouse.fail("slow", seconds=PATIENCE_SECS)

    def deliver() -> int:
        try:
            return deliver_changes("xapi").objects
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        delivered = pool.submit(deliver)
        until(lambda: not site.clickhouse.pending_faults(), PATIENCE_SECS, "the insert is under way")
        emit(learner(), 3)
        site.clickhouse.heal()
        assert delivered.result() == 2
    assert TrackingEvent.objects.count() == 3


def test_two_workers_that_fail_at_once_count_as_one_failure(site: Site) -> None:
    emit(learner(), 4)
    SinkState.objects.filter(sink="xapi").delete()
    site.clickhouse.stop()
    begin = threading.Barrier(2)

    def deliver() -> str:
        try:
            begin.wait(PATIENCE_SECS)
            return deliver_changes("xapi").status
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setattr(StatementSink, "batch_size", 2)
        ended = [pool.submit(deliver) for _ in range(2)]
        said = [each.result() for each in ended]
    site.clickhouse.start()
    assert set(said) <= {"failed", "waiting"}
    assert SinkState.objects.get(sink="xapi").failures == 1
    assert TrackingEvent.objects.count() == 4


@pytest.mark.parametrize("last", [True, False])
def test_a_transaction_that_the_database_ended_fails(site: Site, last: bool) -> None:
    """A deadlock rolls back all that the request has done: to commit the rest would keep half of it."""
    user_id = learner()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER deadlock BEFORE INSERT ON platform_plugin_aspects_trackingevent FOR EACH ROW "
            "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'"
        )
    try:
        with pytest.raises(Error):
            _request_with_an_event(user_id, last)
    finally:
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER deadlock")
    assert not Group.objects.filter(name__endswith="the deadlock").exists()


@transaction.atomic
def _request_with_an_event(user_id: int, last: bool) -> None:
    Group.objects.create(name="before the deadlock")
    emit(user_id, 1)
    if not last:
        Group.objects.create(name="after the deadlock")


def test_an_insert_that_is_refused_alone_costs_the_request_nothing(site: Site) -> None:
    user_id = learner()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER refused BEFORE INSERT ON platform_plugin_aspects_trackingevent FOR EACH ROW "
            "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1644, MESSAGE_TEXT = 'refused'"
        )
    try:
        with transaction.atomic():
            Group.objects.create(name="before the refusal")
            emit(user_id, 1)
            Group.objects.create(name="after the refusal")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refused")
    found = Group.objects.filter(name__endswith="the refusal")
    assert sorted(found.values_list("name", flat=True)) == ["after the refusal", "before the refusal"]
    found.delete()


def test_no_event_is_lost_and_none_is_twice_whatever_is_killed(site: Site, tmp_path: Path) -> None:
    chance = random.Random(13)
    # Without external ids: workers make them, several at once.
    users = [make_user(f"act_{time.monotonic_ns()}").pk for _ in range(PROCESSES * LEARNERS)]
    site.start_workers(window=0.2, sweep=2, EVENT_SINK_CLICKHOUSE_XAPI_ENABLED=True)
    each = EVENTS_IN_ALL // len(users) + 1
    log = tmp_path / "tracking.log"
    environment = {**site.environment, "STANDIN_TRACKING_LOG": str(log)}
    crowds = [Learners(users[number::PROCESSES], each, site.servers.folder, environment) for number in range(PROCESSES)]
    try:
        for crowd in crowds:
            crowd.launch()
        strokes = 0
        while not all(crowd.ended for crowd in crowds):
            _strike(site, chance, strokes)
            strokes += 1
        emitted = set[tuple[int, datetime]]().union(*(crowd.emitted() for crowd in crowds))
    finally:
        for crowd in crowds:
            crowd.kill()
    connection.close()
    until(lambda: not TrackingEvent.objects.exists(), DRILL_SECS, "no event waits", site.state)
    kept = set(committed(users))
    assert strokes >= 5
    # Learners also skip events, while the database is gone.
    assert len(emitted) > len(kept) > EVENTS_IN_ALL // 2
    assert emitted > kept
    live = stored()
    assert sorted(live.values()) == sorted(statements_of(kept))

    # The log alone knows of the events that were rolled back: they are new. All others are there already.
    load(log, len(emitted))
    loaded = stored()
    assert live.items() <= loaded.items()
    assert sorted(loaded.values()) == sorted(statements_of(emitted))
    load(log, len(emitted))
    assert stored() == loaded


def test_the_tracking_log_of_events_that_came_in_live_adds_not_one(site: Site, tmp_path: Path) -> None:
    users = [make_user(f"act_{time.monotonic_ns()}").pk for _ in range(LEARNERS)]
    site.layer.write_text(json.dumps({"EVENT_SINK_CLICKHOUSE_XAPI_ENABLED": True}))
    log = tmp_path / "tracking.log"
    environment = {**site.environment, "STANDIN_TRACKING_LOG": str(log)}
    crowd = Learners(users, 300, site.servers.folder, environment, rolled_back=0)
    try:
        crowd.launch()
        emitted = crowd.emitted()
    finally:
        crowd.kill()
    connection.close()
    deliver_all()
    assert not TrackingEvent.objects.exists()
    live = stored()
    assert len(live) >= 900
    assert sorted(live.values()) == sorted(statements_of(emitted))
    load(log, len(emitted))
    assert stored() == live


def stored() -> dict[UUID, tuple[str, datetime]]:
    """(actor, moment) of each statement by its id; AssertionError when an id is there twice."""
    found = administrator().select(
        "SELECT event_id, JSONExtractString(event, 'actor', 'account', 'name'), emission_time "
        "FROM xapi.xapi_events_all FINAL"
    )
    by_id = {event_id: (name, moment.replace(tzinfo=UTC)) for event_id, name, moment in found}
    assert len(by_id) == len(found)
    return by_id


def statements_of(events: set[tuple[int, datetime]]) -> list[tuple[str, datetime]]:
    """(actor, moment) of the statements that these events of (user id, moment) become."""
    users = {user_id for user_id, _ in events}
    names = dict(ExternalId.objects.filter(user__in=users).values_list("user_id", "external_user_id"))
    return [(str(names[user_id]), moment) for user_id, moment in events]


def load(log: Path, lines: int) -> None:
    """Load the tracking log, which has so many lines."""
    assert len(log.read_text().splitlines()) == lines
    call_command("aspects_load_tracking_logs", str(log), no_progress=True, verbosity=0)


def _strike(site: Site, chance: random.Random, number: int) -> None:
    """Kill a process of a worker, or restart a server; each in its turn."""
    time.sleep(chance.uniform(0.2, 1))
    worker = chance.choice(site.workers)
    turn = number % 6
    if turn in (0, 2, 4):
        children = _processes_for_tasks(worker.process.pid if worker.process else 0)
        for process in chance.sample(children, min(2, len(children))):
            _kill(process)
    elif turn == 1:
        site.clickhouse.kill()
        time.sleep(chance.uniform(0, 1))
        site.clickhouse.start()
    elif turn == 3:
        site.broker.kill()
        site.broker.start()
    else:
        site.servers.database.stop()
        site.servers.database.start()
        connection.close()


def _processes_for_tasks(supervisor: int) -> list[int]:
    """The processes below a supervised worker, those for tasks among them."""
    below: list[int] = []
    waiting = [supervisor]
    while waiting:
        parent = waiting.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as file:
                children = [int(word) for word in file.read().split()]
        except OSError:
            continue
        below += children
        waiting += children
    return below


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
