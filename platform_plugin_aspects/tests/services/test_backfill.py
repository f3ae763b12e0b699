"""A backfill that two Celery workers share on MariaDB and Redis, while people change what it copies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from cms.celery import APP
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.db import connection

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery.backfill.ranges import Status
from platform_plugin_aspects.management import distribute
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.tests.commands import run
from test_utils.factories import make_course_key
from test_utils.processes import until
from test_utils.services.processes import Worker

from .conftest import Demo, Site

pytestmark = pytest.mark.services

USERS, COURSES = 1_000, 100
TASK = "platform_plugin_aspects.tasks.backfill_range"


@pytest.fixture(scope="module")
def crowd(demo: Demo) -> Iterator[int]:
    """The number of enrollments of learners who were made in bulk, so that ClickHouse does not know them yet."""
    # The demo has learners of the names that make_many_users gives.
    User.objects.bulk_create([User(username=f"crowd_{number}", email="") for number in range(USERS)])
    users = list(User.objects.filter(username__startswith="crowd_").order_by("pk"))
    UserProfile.objects.bulk_create([UserProfile(user=user, name=user.username) for user in users])
    courses = [make_course_key() for _ in range(COURSES)]
    CourseEnrollment.objects.bulk_create(
        [CourseEnrollment(user=user, course_id=course, mode="audit") for course in courses for user in users],
        batch_size=5_000,
    )
    ids = [user.pk for user in users]
    yield USERS * COURSES
    enrollments = CourseEnrollment.objects.filter(user_id__in=ids)
    enrollments._raw_delete(enrollments.db)
    User.objects.filter(pk__in=ids).delete()
    # Many rows, and perhaps a busy machine.
    client = get_client(Connection.from_settings({"timeout_secs": 60}))
    for table in ("course_enrollment", "external_id", "user_profile"):
        client.delete(table, "user_id", "Int32", ids)


backfill = partial(run, "dump_data_to_clickhouse", "--object")


def kill_one(site: Site, whole: bool, killed: list[Worker]) -> None:
    """Kill a worker, or its process, that walks a range and has come some way."""
    with closing(connection):
        until(
            lambda: BackfillRange.objects.filter(status=Status.RUNNING, objects_written__gte=2_000).exists(),
            60,
            "a range is walked",
            site.state,
        )

        def walking() -> tuple[str, int] | None:
            for host, tasks in (APP.control.inspect(timeout=1).active() or {}).items():
                for task in tasks:
                    if task["name"] == TASK:
                        return host, task["worker_pid"]
            return None

        host, process = until(walking, 60, "a worker says that it walks a range", site.state)
        worker = next(worker for worker in site.workers if worker.host == host)
        if whole:
            worker.kill()
        else:
            os.kill(process, signal.SIGKILL)
        killed.append(worker)


@pytest.mark.parametrize("whole", [False, True], ids=["its process for tasks", "the whole worker"])
def test_a_worker_is_killed_while_two_share_a_backfill_and_people_are_busy(
    site: Site, crowd: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a batch, and for Celery to hand out again what a process had.
    monkeypatch.setattr(distribute, "SILENCE_SECS", 15)
    site.start_workers(window=1, sweep=2)
    # For the kill to meet somebody at work.
    site.clickhouse.fail("slow", times=None, seconds=0.1)
    stream = site.start_traffic(seed=300 + whole, operations=300)
    killed: list[Worker] = []
    killer = threading.Thread(target=kill_one, args=[site, whole, killed])
    killer.start()
    command = ["course_enrollment", "--workers", "2", "--batch_size", "1000"]
    if whole:
        with pytest.raises(CommandError, match=r"of 8 pieces failed:(\n.*nothing was heard of its worker for 15 s)+"):
            backfill(*command)
        killer.join()
        killed[0].start()
        done = BackfillRange.objects.filter(status=Status.DONE).count()
        assert done >= 6, "the other worker did not go on"
        said = backfill("course_enrollment", "--resume", "--workers", "2")
    else:
        said = backfill(*command)
        killer.join()
    assert killed
    assert not BackfillRange.objects.exclude(status=Status.DONE).exists()
    assert int(said.split(" objects written")[0].split()[-1]) >= crowd
    site.clickhouse.heal()
    backfill("user_profile", "--distribute")
    stream.counts()
    site.wait_until_delivered(60)
    site.assert_equal()


def test_stopped_workers_leave_what_another_command_finishes(site: Site, crowd: int) -> None:
    site.start_workers(window=1, sweep=0)
    BackfillRange.objects.all().delete()
    site.clickhouse.fail("slow", times=None, seconds=0.1)

    def stop() -> None:
        with closing(connection):
            until(lambda: BackfillRange.objects.filter(status=Status.DONE).exists(), 60, "a range is done", site.state)
        # A process that runs in the background, as this suite may, ignores SIGINT.
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(CommandError, match=r"^Stopped; resume with: .* --resume --workers 2$") as caught:
        backfill("course_enrollment", "--workers", "2", "--batch_size", "500")
    stopper.join()
    assert caught.value.returncode == 130
    left = BackfillRange.objects.exclude(status=Status.DONE)
    assert set(left.values_list("status", flat=True)) == {Status.WAITING}
    site.clickhouse.heal()
    assert " objects written" in backfill("course_enrollment", "--resume")
    assert not left.all().exists()
    backfill("user_profile")
    site.wait_until_delivered(60)
    site.assert_equal()
