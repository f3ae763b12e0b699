"""Delivery on MariaDB and Redis by two Celery workers, whatever is killed or stopped: `make services` runs this."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest
from cms.celery import APP
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.db import connection, transaction
from django.db.models import CharField, IntegerField
from django.db.models.functions import Cast
from django.utils import timezone

from platform_plugin_aspects.models import Change
from test_utils.factories import make_external_id, make_object_tag, make_tag, make_taxonomy, make_user
from test_utils.processes import POLL_SECS, until
from test_utils.retirement import retirement_steps
from test_utils.services.processes import Worker
from test_utils.services.traffic import MODES

from .conftest import PATIENCE_SECS, Site, deliver_all

pytestmark = pytest.mark.services

SEED = 20_260
#: "A task's length", with what a busy machine adds to it: a change that fell between would stay for ever.
TASK_SECS = 15
#: Rows of one object that are compared with each other: enough to meet the moment between a stamp and a reading.
VERSIONS = 200


def rename(profile: UserProfile, name: str) -> None:
    profile.name = name
    profile.save()


def some_profile() -> UserProfile:
    """The profile of a new learner."""
    return make_user(f"learner_{time.monotonic_ns()}").profile


def name_in_clickhouse(site: Site, profile: UserProfile) -> str:
    return site.latest("user_profile", "name", "id", profile.pk)


def test_the_services_are_those_of_the_platform_and_hold_the_demo(site: Site) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION(), @@tx_isolation, @@character_set_connection, @@character_set_database")
        version, *settings = cursor.fetchone()
    assert "MariaDB" in version
    assert settings == ["READ-COMMITTED", "utf8mb4", "utf8mb4"]
    assert APP.connection().transport.driver_type == "redis"
    assert all(found.objects >= 5 for found in site.assert_equal().values())


def test_a_steady_stream_of_changes_arrives_within_two_windows_and_a_task(site: Site) -> None:
    window = 1
    site.start_workers(window, sweep=0)
    limit = timedelta(seconds=2 * window + TASK_SECS)
    streams = [site.start_traffic(seed=SEED + number, operations=360) for number in range(2)]
    while not all(stream.ended for stream in streams):
        late = Change.objects.filter(recorded_at__lt=timezone.now() - limit)
        assert not late.exists(), site.state()
        time.sleep(POLL_SECS)
    done: Counter[str] = Counter()
    for stream in streams:
        done.update(stream.counts())
    # Every kind of change was there, and most of them happened.
    kinds = set(done) - {"refused", "taken back"}
    assert kinds == {
        *("enroll", "unenroll", "change_mode", "activate", "save_profile", "make_external_id", "publish"),
        *("tag", "make_tag", "rename_tag", "delete_tag", "rename_taxonomy"),
    }
    assert sum(done[kind] for kind in kinds) > 400
    assert done["refused"] < 100
    assert done["taken back"] > 10
    site.wait_until_delivered(limit.total_seconds())
    site.assert_equal()


def test_no_change_falls_between_an_asking_and_a_delivery(site: Site) -> None:
    """A delivery is on its way or at work when a last change is recorded; nobody sweeps, and no other change helps."""
    window, rounds = 0.3, 25
    site.start_workers(window, sweep=0)
    # Deliveries last long enough to be met at work.
    site.clickhouse.fail("slow", times=None, seconds=0.1)
    user = make_user()
    enrollment = CourseEnrollment.enroll(user, site.demo.course_key)
    external_id = make_external_id(user)
    taxonomy = make_taxonomy()

    def change_taxonomy(number: int) -> None:
        taxonomy.name = f"Taxonomy {number}"
        taxonomy.save()

    def play(sink: str, change: Callable[[int], None], seed: int) -> None:
        at_random = random.Random(seed)
        with closing(connection):
            for number in range(rounds):
                change(2 * number)
                time.sleep(at_random.uniform(0, 2.5 * window))
                change(2 * number + 1)
                site.wait_until_delivered(2 * window + TASK_SECS, sink=sink)

    games: dict[str, Callable[[int], None]] = {
        "user_profile": lambda number: rename(user.profile, f"name {number}"),
        "course_enrollment": lambda number: enrollment.change_mode(MODES[number % len(MODES)]),
        "external_id": lambda number: external_id.save(),
        "taxonomy": change_taxonomy,
    }
    with ThreadPoolExecutor(len(games)) as pool:
        for game in [pool.submit(play, *game, SEED + at) for at, game in enumerate(games.items())]:
            game.result()
    assert name_in_clickhouse(site, user.profile) == f"name {2 * rounds - 1}"
    site.assert_equal()


@pytest.mark.parametrize("whole", [False, True], ids=["its process for tasks", "the whole worker"])
def test_a_worker_killed_in_the_middle_of_a_delivery_loses_nothing(site: Site, whole: bool) -> None:
    # If only the process is killed, its worker still has the task. If the worker is killed, another one must sweep up.
    site.start_workers(window=0.5, sweep=2 if whole else 0)
    profile = some_profile()
    site.wait_until_delivered()
    site.clickhouse.clear()
    site.clickhouse.fail("slow", seconds=60)
    rename(profile, "before the kill")
    until(lambda: not site.clickhouse.pending_faults(), 30, "an INSERT is under way", site.state)
    worker, process = delivering(site)
    if whole:
        worker.kill()
    else:
        os.kill(process, signal.SIGKILL)
    site.wait_until_delivered()
    assert name_in_clickhouse(site, profile) == "before the kill"
    rename(profile, "after the kill")
    site.wait_until_delivered()
    # Only now ClickHouse does what the dead one asked for.
    site.clickhouse.heal()
    until(lambda: [one for one in site.clickhouse.requests() if one["fault"] == "slow"], 30, "the INSERT is answered")
    names = site.select(f"SELECT name FROM user_profile WHERE id = {profile.pk} ORDER BY time_last_dumped")
    assert names[1:] == [("before the kill",), ("before the kill",), ("after the kill",)]
    site.assert_equal()


def delivering(site: Site) -> tuple[Worker, int]:
    """The worker that is held up by a delivery, and the number of its process that is."""

    def active() -> dict[str, tuple[str, int]]:
        answers = (inspect.active() or {}).items()
        return {task["id"]: (host, task["worker_pid"]) for host, tasks in answers for task in tasks}

    def held_up() -> list[tuple[str, int]]:
        # Others, of a sweep, come and go: they find the sink busy.
        before = active()
        return [place for task, place in active().items() if task in before]

    # Not one of those that are kept: they may lead to a broker that was killed since.
    with APP.connection_for_write() as broker:
        inspect = APP.control.inspect(timeout=1, connection=broker)
        host, process = until(lambda: len(found := held_up()) == 1 and found[0], 30, "one task is held up", site.state)
    return next(worker for worker in site.workers if worker.host == host), process


def test_whatever_is_killed_on_the_way_the_end_is_equal(site: Site) -> None:
    site.start_workers(window=1, sweep=2)
    stream = site.start_traffic(seed=SEED + 100, operations=900)
    at_random = random.Random(SEED)
    for worker in site.workers:
        # At work, at whatever.
        recorded_meanwhile(site, 20)
        worker.kill()
        recorded_meanwhile(site, 20)
        worker.start()
        for server, end in ((site.broker, site.broker.kill), (site.clickhouse, site.clickhouse.stop)):
            end()
            recorded_meanwhile(site, at_random.randint(10, 40))
            server.start()
    assert not stream.ended, "the stream of changes ended too early to prove something"
    stream.counts()
    site.wait_until_delivered(60)
    site.assert_equal()


def recorded_meanwhile(site: Site, number: int) -> None:
    """Wait until so many more changes are recorded."""
    with connection.cursor() as cursor:

        def last() -> int:
            cursor.execute(
                "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
                "AND TABLE_NAME = %s",
                [Change._meta.db_table],
            )
            return cursor.fetchone()[0] or 0

        first = last()
        until(lambda: last() >= first + number, 60, f"{number} more changes are recorded", site.state)


def test_clickhouse_killed_for_a_while(site: Site) -> None:
    site.start_workers(window=0.5, sweep=0)
    profile = some_profile()
    site.wait_until_delivered()
    site.clickhouse.kill()
    rename(profile, "nobody hears")
    until(lambda: "is not delivered" in "".join(worker.output() for worker in site.workers), 30, "a delivery fails")
    rename(profile, "nobody hears either")
    site.clickhouse.start()
    site.wait_until_delivered()
    assert name_in_clickhouse(site, profile) == "nobody hears either"
    site.assert_equal()


def test_two_workers_never_write_an_older_state_later(site: Site) -> None:
    # Every recorded change sends a task: all four processes want to deliver the same object all the time.
    site.start_workers(window=0, sweep=0)
    profile = some_profile()
    rename(profile, "0")
    one = UserProfile.objects.filter(pk=profile.pk)
    ended = threading.Event()

    def write() -> None:
        """Most versions are not recorded: they are there for deliveries to read."""
        with closing(connection):
            while not ended.is_set():
                for _ in range(9):
                    one.update(name=Cast(Cast("name", IntegerField()) + 1, CharField()))
                with transaction.atomic():
                    locked = one.select_for_update().get()
                    rename(locked, str(int(locked.name) + 1))

    def written() -> list[tuple[str, str]]:
        """(version, time_last_dumped), in the order of the latter."""
        return site.select(f"SELECT name, time_last_dumped FROM user_profile WHERE id = {profile.pk} ORDER BY 2")

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        until(lambda: all(worker.has_used_all for worker in site.workers), 60, "all processes are at work", site.state)
        goal = len(written()) + VERSIONS
        until(lambda: len(written()) > goal, 60, f"{VERSIONS} versions are written", site.state)
    finally:
        ended.set()
        for writer in writers:
            writer.join()
    site.wait_until_delivered()
    profile.refresh_from_db()
    rows = written()
    versions = [int(name) for name, _stamp in rows if name.isdigit()]
    assert versions == sorted(versions)
    assert str(versions[-1]) == profile.name
    stamps = [stamp for _name, stamp in rows]
    assert len(set(stamps)) == len(stamps)
    site.assert_equal()


# With a window of 6 seconds the mark of the asking outlives the broker's death.
@pytest.mark.parametrize(("with_cache", "window"), [(False, 6), (True, 1)], ids=["broker", "broker and cache"])
def test_a_dead_broker_breaks_no_save_and_workers_ask_when_it_is_back(
    site: Site, with_cache: bool, window: float
) -> None:
    # Nobody sweeps in time: only what a worker does when it finds its broker again.
    site.start_workers(window, sweep=3600)
    profile = some_profile()
    site.wait_until_delivered()
    dead = [site.broker, *([site.cache] if with_cache else [])]
    for server in dead:
        server.kill()
    rename(profile, "saved all the same")
    assert Change.objects.filter(sink="user_profile", object_id=profile.pk).exists()
    for server in dead:
        server.start()
    site.wait_until_delivered()
    assert name_in_clickhouse(site, profile) == "saved all the same"
    site.assert_equal()


def test_a_broker_that_forgets_its_tasks_costs_nothing(site: Site) -> None:
    site.start_workers(window=4, sweep=3600)
    profile = some_profile()
    site.broker.kill()
    site.broker.start()
    site.wait_until_delivered()
    assert name_in_clickhouse(site, profile) == profile.name
    site.assert_equal()


def test_workers_that_start_ask_for_what_is_pending(site: Site) -> None:
    profile = some_profile()
    site.broker.clear()
    site.cache.clear()
    site.start_workers(window=0.5, sweep=3600)
    site.wait_until_delivered()
    assert name_in_clickhouse(site, profile) == profile.name
    site.assert_equal()


def test_content_that_is_tagged_while_its_tag_is_deleted(site: Site) -> None:
    tag = make_tag()
    number = tag.pk
    deleted, delivered = threading.Event(), threading.Event()

    def delete() -> None:
        with closing(connection), transaction.atomic():
            tag.delete()
            deleted.set()
            assert delivered.wait(PATIENCE_SECS)

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            tagged = make_object_tag(site.demo.course_key, tag)
            deletion = pool.submit(delete)
            until(waits_for_a_lock, PATIENCE_SECS, "the deletion waits for the tagging")
        assert deleted.wait(PATIENCE_SECS)
        # With the tag: for others it is there until the deletion is committed.
        deliver_all()
        assert site.latest("object_tag", "tag", "id", tagged.pk) == number
        delivered.set()
        deletion.result()
    deliver_all()
    assert site.latest("object_tag", "tag", "id", tagged.pk) == 0
    site.assert_equal()


def waits_for_a_lock() -> bool:
    """Whether a transaction waits for another one."""
    with connection.cursor() as cursor:
        # Unlike the tables of information_schema, this statement does not answer from a cache.
        cursor.execute("SHOW ENGINE INNODB STATUS")
        return "LOCK WAIT" in cursor.fetchone()[2]


def test_a_learner_who_is_retired_leaves_while_the_profile_is_saved(site: Site) -> None:
    site.start_workers(window=0.2, sweep=0)
    site.clickhouse.fail("slow", times=None, seconds=0.1)
    user = make_user("retiring", email="retiring@example.invalid")
    make_external_id(user)
    site.wait_until_delivered()
    assert site.select(f"SELECT count() FROM user_profile WHERE user_id = {user.pk}") == [(1,)]
    for _step in retirement_steps(user):
        UserProfile.objects.get(user=user).save()
        time.sleep(0.1)
    site.wait_until_delivered()
    for table in ("user_profile", "external_id"):
        assert site.select(f"SELECT count() FROM {table} WHERE user_id = {user.pk}") == [(0,)]
    site.assert_equal()
