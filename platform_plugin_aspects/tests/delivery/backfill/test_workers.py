"""Backfills that Celery workers share: --workers and --distribute."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from common.djangoapps.student.models import UserProfile
from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import OutputWrapper

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.backfill import ranges
from platform_plugin_aspects.delivery.backfill.ranges import Status, Walk
from platform_plugin_aspects.delivery.backfill.runs import LeaseLost, walk_range
from platform_plugin_aspects.management.distribute import LOOK_SECS, SILENCE_SECS, Distribution
from platform_plugin_aspects.management.progress import Progress
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.broker import DEAD_BROKER, Broker, celery_app
from platform_plugin_aspects.tests.commands import dump, dump_fails, profiles
from platform_plugin_aspects.tests.conftest import latest, rows
from platform_plugin_aspects.tests.watchers import Recorder
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db
TASK = "platform_plugin_aspects.tasks.backfill_range"
TOO_LARGE = 2**31 + 5


def in_clickhouse(table: str = "user_profile") -> list[Any]:
    return sorted(latest(sinks()["user_profile"]().clickhouse, table))


def distribute(sink: BaseSink, workers: int, progress: Progress) -> list[BackfillRange]:
    """Have workers walk the saved ranges of a sink; returns the ranges in the end."""
    found = list(ranges.saved_ranges(sink))
    Distribution(sink, found, workers, progress).run()
    return found


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tasks run at once, in the caller, so there is nothing to wait for."""
    monkeypatch.setattr("platform_plugin_aspects.management.distribute.LOOK_SECS", 0)
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


# All goes well


@pytest.mark.parametrize(
    ("args", "pieces"), [(["--workers", 1], 4), (["--workers", 3], 12), (["--distribute"], 16)], ids=str
)
def test_the_keys_are_cut_into_pieces_for_the_workers(
    args: list[Any], pieces: int, eager: None, clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    # Each profile is a partition of its own in ClickHouse: few of them, but several for each piece.
    keys = profiles(48)
    said = dump("--object", "user_profile", *args, "--no-progress")
    assert in_clickhouse() == keys
    assert len(said) == 1
    assert re.match(rf"user_profile: 48 objects written \(48 rows in user_profile\), .* last id {keys[-1]}$", said[0])
    kept = list(BackfillRange.objects.order_by("pk"))
    assert len(kept) == pieces
    assert {row.status for row in kept} == {Status.DONE}
    written = [row.objects_written for row in kept]
    assert max(written) - min(written) <= 2
    assert sum(request.statement.startswith("INSERT") for request in clickhouse_http.requests) == pieces


def test_courses_are_cut_too(eager: None, clickhouse: ClickHouse, all_on: None) -> None:
    keys = sorted(str(factories.make_course()) for _ in range(10))
    dump("--object", "course_overviews", "--workers", 1)
    assert sorted(row["course_key"] for row in rows(clickhouse, "course_overviews")) == keys
    assert sorted(BackfillRange.objects.values_list("objects_written", flat=True)) == [2, 2, 3, 3]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_fewer_objects_than_pieces(number: int, eager: None, clickhouse: ClickHouse, all_on: None) -> None:
    keys = profiles(number)
    assert f"user_profile: {number} objects written" in dump("--object", "user_profile", "--workers", 4)[0]
    assert in_clickhouse() == keys
    assert len(rows(clickhouse, "user_profile")) == number


def test_options_reach_the_workers(eager: None, clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    made = [factories.make_enrollment(created=factories.utc(2026, 1, day)) for day in (1, 1, 5, 5, 5, 5)]
    keys = [enrollment.pk for enrollment in made]
    chosen = ["--since", "2026-01-03", "--ids_to_skip", keys[4], "--start_pk", keys[0], "--batch_size", 1]
    dump("--object", "course_enrollment", *chosen, "--max_rate", 500, "--workers", 2)
    assert in_clickhouse("course_enrollment") == [keys[2], keys[3], keys[5]]
    # Together they are as fast as was asked.
    assert {row.options["max_rate"] for row in BackfillRange.objects.all()} == {250}


def test_all_objects_one_after_the_other(eager: None, clickhouse: ClickHouse, all_on: None) -> None:
    factories.make_enrollment()
    factories.make_course()
    said = dump("--object", "all", "--workers", 2)
    assert [line.split()[:2] for line in said[-3:]] == [["external_id", "0"], ["course_enrollment", "1"], ["all", "4"]]
    assert not BackfillRange.objects.exclude(status=Status.DONE).exists()


# The workers, step by step


class Workers(Progress):
    """Watches without waiting: what is to happen meanwhile happens when it would wait, and time passes only then."""

    def __init__(self, *meanwhile: Callable[[], Any]) -> None:
        self.out = StringIO()
        super().__init__(OutputWrapper(self.out))
        self.meanwhile = list(meanwhile)
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.time += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()
        assert self.time < 10 * SILENCE_SECS, "no end"

    @property
    def told(self) -> list[str]:
        return self.out.getvalue().splitlines()


def keep(number: int = 1, **options: Any) -> BaseSink:
    """Keep a backfill of profiles in so many pieces."""
    sink = sinks()["user_profile"]()
    ranges.save_ranges(sink, ranges.plan(sink, Walk(**options), number))
    return sink


def test_so_many_pieces_are_out_at_a_time(clickhouse: ClickHouse, all_on: None, broker: Broker) -> None:
    keys = profiles(12)
    sink = keep(6)
    out: list[int] = []

    def work() -> None:
        taken = broker.take()
        assert {sent.task for sent in taken} == {TASK}
        out.append(len(taken))
        # One at a time: the next is handed out when one is done.
        for sent in taken[:1]:
            sent.run()
        waiting.extend(taken[1:])

    waiting: list[Any] = []

    def work_off() -> None:
        out.append(len(taken := broker.take()))
        for sent in [*waiting, *taken]:
            sent.run()
        waiting.clear()

    ended = distribute(sink, 2, Workers(work, work_off, work_off, work_off, work_off))
    assert out == [2, 1, 2, 1]
    assert {row.status for row in ended} == {Status.DONE}
    assert in_clickhouse() == keys


def test_a_piece_of_which_nothing_is_heard_counts_as_failed_and_is_redone(
    clickhouse: ClickHouse, all_on: None, broker: Broker
) -> None:
    keys = profiles(10)
    sink = keep(2, batch_size=2)

    def die(_moment: Any) -> None:
        raise SystemExit

    def half() -> None:
        first, second = broker.take()
        tickets.append(first)
        row = BackfillRange.objects.get(pk=first.args[0])
        with pytest.raises(SystemExit):
            walk_range(row, Connection.from_settings(), Recorder(on_progress=die), task_token=first.args[1])
        second.run()

    tickets: list[Any] = []
    watching = Workers(half)
    failed, done = distribute(sink, 2, watching)
    assert SILENCE_SECS <= watching.time <= SILENCE_SECS + 3 * LOOK_SECS
    assert (failed.status, failed.last_key, done.status) == (Status.FAILED, str(keys[1]), Status.DONE)
    assert failed.message == f"nothing was heard of its worker for {SILENCE_SECS} s"
    # Celery may hand the same work out again, long after.
    tickets[0].run()
    assert BackfillRange.objects.get(pk=failed.pk).status == Status.FAILED
    before = len(rows(clickhouse, "user_profile"))
    assert {row.status for row in distribute(sink, 2, Workers(broker.work))} == {Status.DONE}
    assert in_clickhouse() == keys
    assert len(rows(clickhouse, "user_profile")) == before + 3


def test_when_no_worker_begins_all_pieces_are_given_up_at_once(
    clickhouse: ClickHouse, all_on: None, broker: Broker
) -> None:
    profiles(8)
    sink = keep(8)
    watching = Workers()
    with pytest.raises(CommandError) as caught:
        distribute(sink, 2, watching)
    assert str(caught.value) == (
        f"No worker has begun any of the 8 pieces that are left for {SILENCE_SECS} s: "
        "see `aspects_check --only Workers`"
    )
    assert SILENCE_SECS <= watching.time <= SILENCE_SECS + 3 * LOOK_SECS
    assert [row.status for row in ranges.saved_ranges(sink)] == [Status.WAITING] * 8
    # It comes too late.
    broker.work()
    assert rows(clickhouse, "user_profile") == []


def test_when_the_workers_are_gone_the_pieces_that_are_left_are_given_up_at_once(
    clickhouse: ClickHouse, all_on: None, broker: Broker
) -> None:
    keys = profiles(8)
    sink = keep(8)
    watching = Workers(lambda: broker.take()[0].run())
    with pytest.raises(CommandError, match="begun any of the 7 pieces that are left"):
        distribute(sink, 2, watching)
    assert watching.time <= SILENCE_SECS + 4 * LOOK_SECS
    assert in_clickhouse() == keys[:1]


def test_a_piece_in_the_queue_waits_while_others_move(clickhouse: ClickHouse, all_on: None, broker: Broker) -> None:
    profiles(10)
    sink = keep(2)
    first = BackfillRange.objects.order_by("pk").first()
    assert first is not None

    def move() -> None:
        row = BackfillRange.objects.get(pk=first.pk)
        row.status, row.owner, row.updated_at = (
            Status.RUNNING,
            "somebody",
            row.updated_at.replace(year=2000 + next(years)),
        )
        row.save()

    years = iter(range(3000))
    steps = [move] * (2 * SILENCE_SECS // LOOK_SECS)
    watching = Workers(*steps, broker.work)
    assert [row.status for row in distribute(sink, 2, watching)] == [Status.DONE] * 2


def test_a_slow_worker_whose_piece_was_given_up_ends(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(6)
    sink = keep(1, batch_size=2)
    (row,) = ranges.saved_ranges(sink)

    def give_up(summary: Any) -> None:
        BackfillRange.objects.update(status=Status.FAILED, owner="")

    with pytest.raises(LeaseLost):
        walk_range(row, Connection.from_settings(), Recorder(on_progress=give_up))
    assert BackfillRange.objects.get().status == Status.FAILED
    assert len(rows(clickhouse, "user_profile")) == 4


def test_ctrl_c_takes_the_pieces_back(clickhouse: ClickHouse, all_on: None, broker: Broker) -> None:
    keys = profiles(8)
    sink = keep(4)
    watching = Workers()

    def stop() -> None:
        first, second = broker.take()
        first.run()
        late.append(second)
        watching.stopping = True

    late: list[Any] = []
    watching.meanwhile = [stop]
    ended = distribute(sink, 2, watching)
    assert [row.status for row in ended] == [Status.DONE, *[Status.WAITING] * 3]
    # A task that is still in the queue finds nothing to do.
    late[0].run()
    assert in_clickhouse() == keys[:2]
    distribute(sink, 2, Workers(*[broker.work] * 4))
    assert in_clickhouse() == keys


def test_a_piece_that_waits_for_clickhouse_says_so(
    clickhouse_http: ClickHouseEndpoint, all_on: None, broker: Broker
) -> None:
    keys = profiles(4)
    sink = keep()
    clickhouse_http.fail("503", match="INSERT")

    def die(_seconds: float) -> None:
        raise SystemExit

    def begin() -> None:
        (sent,) = broker.take()
        row, waiting = BackfillRange.objects.get(), Recorder(on_wait=die)
        with pytest.raises(SystemExit):
            walk_range(row, Connection.from_settings(), waiting, task_token=sent.args[1], patient=True)
        late.append(sent)

    late: list[Any] = []
    # As when Celery hands out again what a killed worker had.
    distribute(sink, 1, watching := Workers(begin, lambda: None, lambda: late[0].run()))
    (said,) = watching.told
    assert re.match(r"user_profile \(all\): ClickHouse cannot be reached .*; trying again in \d s$", said)
    assert in_clickhouse() == keys


def test_another_backfill_of_the_object_ends_the_watching(clickhouse: ClickHouse, all_on: None, broker: Broker) -> None:
    profiles(8)
    sink = keep(4)
    with pytest.raises(CommandError, match="Another backfill of user_profile has begun"):
        distribute(sink, 2, Workers(lambda: keep(2)))


# Failures


def test_failed_pieces_are_listed_and_redone(eager: None, clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = profiles(80)
    clickhouse_http.fail("slow", times=3, match="INSERT", seconds=0)
    clickhouse_http.fail("exception", times=2, match="INSERT", code=497)
    message, said = dump_fails("--object", "user_profile", "--workers", 2)
    first, *listed, last = message.splitlines()
    assert first == "2 of 8 pieces failed:"
    bounds = [(row.after, row.upto) for row in BackfillRange.objects.filter(status=Status.FAILED).order_by("pk")]
    for line, (after, upto) in zip(listed, bounds, strict=True):
        assert line.startswith(f"  user_profile above {after} up to {upto}: ClickHouse refused inserting into ")
    how = "python manage.py cms dump_data_to_clickhouse --object user_profile --resume --workers 2"
    assert last == f"They are not done; resume with: {how}"
    assert said[-1].startswith("user_profile: 60 objects written")
    clickhouse_http.clear()
    assert dump(*how.split()[4:])[-1].startswith("user_profile: 80 objects written")
    assert sum(request.statement.startswith("INSERT") for request in clickhouse_http.requests) == 2
    assert in_clickhouse() == keys


def test_what_workers_left_can_be_done_without_them(
    eager: None, clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    keys = profiles(30)
    clickhouse_http.fail("exception", times=2, match="INSERT", code=497)
    dump_fails("--object", "user_profile", "--workers", 1)
    assert dump("--object", "user_profile", "--resume")[-1].startswith("user_profile: 30 objects written")
    assert in_clickhouse() == keys


def test_a_wrong_password_stops_before_anything_is_handed_out(
    clickhouse_http: ClickHouseEndpoint, all_on: None, settings: Any
) -> None:
    profiles(3)
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG,
        "password": "wr0ng",
    }
    # Whoever asked the workers first would hear of the broker.
    with celery_app(DEAD_BROKER):
        message, _said = dump_fails("--object", "user_profile", "--workers", 2)
    assert "wrong user or password" in message
    assert "wr0ng" not in message
    assert not BackfillRange.objects.exists()


def test_a_dead_broker_is_one_message(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(3)
    with celery_app(DEAD_BROKER):
        message, _said = dump_fails("--object", "user_profile", "--workers", 2)
    assert re.match(r"Celery's broker does not answer at redis://:\*\*@127.0.0.1:1/0 \(\w+\)\. See that", message)
    assert not BackfillRange.objects.exists()


def test_a_broker_that_dies_ends_the_watching(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(3)
    sink = keep(4)
    with celery_app(DEAD_BROKER), pytest.raises(CommandError, match=r"broker does not take the work \(\w+\)$"):
        distribute(sink, 2, Workers())
    assert not BackfillRange.objects.exclude(status=Status.WAITING).exists()


def test_without_a_worker_the_command_ends_before_it_begins(
    clickhouse_http: ClickHouseEndpoint, all_on: None, tmp_path: Path
) -> None:
    profiles(3)
    earlier = keep(2)
    before = list(ranges.saved_ranges(earlier).values_list("pk", "status"))
    with celery_app("filesystem://") as app:
        folders = {name: str(tmp_path / name) for name in ("data_folder_in", "data_folder_out", "control_folder")}
        for folder in folders.values():
            Path(folder).mkdir()
        app.conf.broker_transport_options = {**folders, "data_folder_out": folders["data_folder_in"]}
        message, said = dump_fails("--object", "user_profile", "--workers", 2)
    queue = settings.CELERY_TASK_DEFAULT_QUEUE
    assert message == (
        f"No Celery worker answers within 2 s. Start a worker of this service: "
        f"celery --app=cms.celery worker --queues={queue}"
    )
    assert said == []
    assert list(ranges.saved_ranges(earlier).values_list("pk", "status")) == before


def test_a_broker_within_this_process_is_refused(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    message, _said = dump_fails("--object", "user_profile", "--workers", 2)
    assert message == (
        "--workers cannot be used with Celery's broker memory://, which no other process can reach: "
        "set CELERY_BROKER_URL, or leave --workers out"
    )
    assert not BackfillRange.objects.exists()


def test_the_embedded_engine_is_refused(clickhouse: ClickHouse, all_on: None) -> None:
    message, _said = dump_fails("--object", "user_profile", "--distribute")
    assert message == (
        "--workers cannot be used with the embedded engine (chdb://), which only one process can open: "
        "leave --workers out"
    )
    assert not BackfillRange.objects.exists()


def test_an_object_that_cannot_be_written_is_named_whoever_found_it(
    eager: None, clickhouse: ClickHouse, all_on: None
) -> None:
    keys = profiles(7)
    UserProfile.objects.create(id=TOO_LARGE, user=factories.make_user(profile=False), name="Zoë Secret")
    message, said = dump_fails("--object", "user_profile", "--workers", 2)
    assert message == "1 objects could not be written; they are named above"
    assert said[-1].startswith(f"user_profile {TOO_LARGE} cannot be written: A value cannot be encoded")
    assert in_clickhouse() == keys


def test_a_database_that_a_worker_does_not_have(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(1)
    keep(read_from="elsewhere")
    BackfillRange.objects.update(status=Status.QUEUED, ticket="t")
    tasks.backfill_range(BackfillRange.objects.get().pk, "t")
    row = BackfillRange.objects.get()
    assert (row.status, row.message) == (Status.FAILED, "There is no database 'elsewhere' in DATABASES here")


@pytest.mark.parametrize("ticket", ["", "a later one"])
def test_a_worker_takes_only_what_was_handed_out_to_it(ticket: str, clickhouse: ClickHouse, all_on: None) -> None:
    profiles(1)
    keep()
    BackfillRange.objects.update(status=Status.QUEUED, ticket=ticket)
    tasks.backfill_range(BackfillRange.objects.get().pk, "an old one")
    tasks.backfill_range(987_654, "an old one")
    assert BackfillRange.objects.get().status == Status.QUEUED
    assert rows(clickhouse, "user_profile") == []


def test_who_goes_on_without_workers_is_not_disturbed_by_a_late_one(
    clickhouse: ClickHouse, all_on: None, broker: Broker
) -> None:
    keys = profiles(6)
    sink = keep(1, batch_size=2)
    watching = Workers(lambda: setattr(watching, "stopping", True))
    distribute(sink, 1, watching)

    (row,) = ranges.saved_ranges(sink)
    walk_range(row, Connection.from_settings(), Recorder(on_progress=lambda summary: broker.work()))
    assert BackfillRange.objects.get().status == Status.DONE
    assert [row["id"] for row in rows(clickhouse, "user_profile", order="id")] == keys


def test_the_task_is_kept_by_its_worker() -> None:
    task = current_app.tasks[TASK]
    assert (task.acks_late, task.reject_on_worker_lost) == (True, True)
    assert outbox.FAIL_FAST["retry_policy"]["max_retries"] == 1
