"""Concurrent workers and savers: an older state never follows a newer one, and nothing is lost."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from django.db import OperationalError, connection, connections

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.tests.broker import Broker, worker
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db(transaction=True)

PROFILES = 8
SAVES = 40


def at_once(*actions: Callable[[], None]) -> None:
    """Run each in a thread with a database connection of its own, all starting together; raise what one raises."""
    barrier = threading.Barrier(len(actions))
    errors: list[BaseException] = []

    def run(action: Callable[[], None]) -> None:
        try:
            barrier.wait(30)
            action()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    for error in errors:
        raise error


def assert_in_step(clickhouse: ClickHouse) -> None:
    """ClickHouse's latest rows are the source, and no object's state ever went back."""
    source = dict(UserProfile.objects.values_list("pk", "year_of_birth"))
    found = latest(clickhouse, "user_profile")
    assert {key: row["year_of_birth"] for key, row in found.items()} == {k: str(v) for k, v in source.items()}
    states = defaultdict(list)
    for row in rows(clickhouse, "user_profile"):
        states[row["id"]].append((row["time_last_dumped"], int(row["year_of_birth"])))
    for history in states.values():
        values = [value for _stamp, value in history]
        assert values == sorted(values), history
        assert len({stamp for stamp, _value in history}) == len(history), history


def saver(profile_ids: list[int], saved: threading.Semaphore | None = None) -> Callable[[], None]:
    """Counts its profiles' year of birth up, each save a transaction, and says so."""

    def save() -> None:
        for number in range(1, SAVES + 1):
            profile = UserProfile.objects.get(pk=profile_ids[number % len(profile_ids)])
            profile.year_of_birth = number
            profile.save()
            if saved is not None:
                saved.release()

    return save


def _profiles() -> list[int]:
    factories.make_many_users(PROFILES, year_of_birth=0)
    return sorted(UserProfile.objects.values_list("pk", flat=True))


def test_workers_and_savers_at_once(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    ids = _profiles()
    saved = threading.Semaphore(0)

    def deliver() -> None:
        for _ in range(SAVES):
            assert saved.acquire(timeout=60)
            assert deliver_changes("user_profile").status in ("delivered", "busy")

    at_once(deliver, deliver, saver(ids[::2], saved), saver(ids[1::2], saved))
    deliver_changes("user_profile")
    assert not Change.objects.exists()
    assert_in_step(clickhouse)


def test_a_worker_with_a_clickhouse_that_fails_now_and_then(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    ids = _profiles()
    saved = threading.Semaphore(0)
    faults = ("503", "reset", "too_many_parts", "reset_after_execute")
    ended: list[str] = []

    def deliver() -> None:
        for number in range(SAVES // 2):
            # Not before there is something to deliver: workers in a circle would keep the saver from its database.
            assert saved.acquire(timeout=60)
            if number % 3 == 0:
                clickhouse_http.fail(faults[number % len(faults)], match="INSERT")
            ended.append(deliver_changes("user_profile").status)
            SinkState.objects.update(retry_at=None)

    at_once(deliver, deliver, saver(ids, saved))
    assert ended.count("failed") > 2
    assert "delivered" in ended
    clickhouse_http.heal()
    SinkState.objects.update(retry_at=None)
    deliver_changes("user_profile")
    assert not Change.objects.exists()
    # A row whose answer was lost may be there twice, with one stamp.
    source = dict(UserProfile.objects.values_list("pk", "year_of_birth"))
    found = latest(clickhouse, "user_profile")
    assert {key: int(row["year_of_birth"]) for key, row in found.items()} == source


def test_stamps_of_backfill_and_delivery_all_differ_and_increase(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    """The backfill's stamps and delivery's are all different and increase, however they mix."""
    taken: list[Any] = []

    def take() -> None:
        for _ in range(20):
            taken.append(take_stamp("user_profile"))

    at_once(take, take, take)
    assert len(set(taken)) == 60
    assert SinkState.objects.get(sink="user_profile").last_stamp == max(taken)


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="how SQLite locks; see make services")
def test_a_worker_that_does_not_get_the_lock_comes_again(
    all_on: None, clickhouse: ClickHouse, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    profile = factories.make_user().profile
    (sent,) = broker.take()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    try:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(OperationalError, match="locked"):
                deliver_changes("user_profile")
            sent.run()
            assert [record.levelno for record in caplog.records] == [logging.WARNING]
            assert "starts again in 2 s" in caplog.text
            other.execute("ROLLBACK")
    finally:
        connection.close()
    assert Change.objects.count() == 1
    assert [each.args for each in broker.work()] == [("user_profile",)]
    assert set(latest(clickhouse, "user_profile")) == {profile.pk}


def test_concurrent_savers_record_every_save_and_make_one_request(all_on: None, broker: Broker, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 600
    ids = _profiles()
    at_once(saver(ids[::2]), saver(ids[1::2]), saver(ids))
    assert Change.objects.count() == 3 * SAVES
    assert broker.asked() == ["user_profile"]


def test_real_workers_deliver_every_save(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker, settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 0.2
    ids = _profiles()
    with worker() as running:
        at_once(saver(ids[::2]), saver(ids[1::2]))
        running.until(lambda: not Change.objects.exists())
    assert_in_step(clickhouse)
