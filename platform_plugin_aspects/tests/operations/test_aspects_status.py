"""The state of delivery: the figures, and the command that shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import BUCKET_SECS, Change, SinkState, TrackingEvent
from platform_plugin_aspects.operations.status import FailingEvents, FailingObject, SinkStatus, sink_statuses
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.commands import run
from platform_plugin_aspects.xapi.events import pack
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = timedelta(hours=8.5)


def status(name: str, **options: Any) -> SinkStatus:
    """The status of one sink."""
    (found,) = [each for each in sink_statuses(**options) if each.sink == name]
    return found


def test_nothing_has_happened_yet() -> None:
    assert sink_statuses() == [SinkStatus(name, enabled=False) for name in sinks()]


def test_what_is_on_is_said_for_each_sink(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = True
    assert [each.sink for each in sink_statuses() if each.enabled] == ["tag"]


# What was delivered


def test_what_deliveries_write_and_delete_is_counted(all_on: None, clickhouse: ClickHouse) -> None:
    taxonomies = [factories.make_taxonomy() for _ in range(3)]
    deliver_changes("taxonomy")
    assert status("taxonomy").objects_delivered == status("taxonomy").rate_per_hour == 3
    taxonomies[0].name = "another"
    taxonomies[0].save()
    for taxonomy in taxonomies[1:]:
        taxonomy.delete()
    deliver_changes("taxonomy")
    assert status("taxonomy").objects_delivered == status("taxonomy").rate_per_hour == 6
    assert {each.sink for each in sink_statuses() if each.objects_delivered} == {"taxonomy"}


def test_an_object_that_is_gone_is_not_counted_where_no_rows_are_deleted(all_on: None, clickhouse: ClickHouse) -> None:
    outbox.record("course_overviews", ["course-v1:Org+Course+Gone"])
    assert deliver_changes("course_overviews").changes == 1
    assert status("course_overviews").objects_delivered == 0


def test_what_clickhouse_does_not_take_is_not_counted(all_on: None, clickhouse_http: ClickHouseEndpoint) -> None:
    clickhouse_http.fail("503", match="INSERT")
    factories.make_user()
    deliver_changes("user_profile")
    assert (status("user_profile").objects_delivered, status("user_profile").rate_per_hour) == (0, 0)


def test_a_delivery_that_is_rolled_back_is_not_counted(all_on: None, clickhouse: ClickHouse) -> None:
    """ClickHouse has the rows, but the changes remain: they are counted when they are deleted."""
    factories.make_user()
    with transaction.atomic():
        assert deliver_changes("user_profile").objects == 1
        transaction.set_rollback(True)
    assert (status("user_profile").pending, status("user_profile").objects_delivered) == (1, 0)
    deliver_changes("user_profile")
    assert (status("user_profile").pending, status("user_profile").objects_delivered) == (0, 1)


def test_the_rate_is_that_of_the_last_hour() -> None:
    state = SinkState(sink="tag")
    for minutes in range(0, 180, 3):
        state.count(1, NOON + timedelta(minutes=minutes))
    last = NOON + timedelta(minutes=177)
    assert state.objects_delivered == 60
    # Buckets begin at 12:00, 12:05, ...: those of the hour before 14:57 hold what came since 14:00.
    assert state.delivered_last_hour(last) == 20
    assert len(state.recent) == 3600 / BUCKET_SECS
    assert state.delivered_last_hour(last + timedelta(minutes=30)) == 10
    assert state.delivered_last_hour(last + timedelta(hours=1)) == 0


# Pending and failed changes


def test_what_is_pending_and_since_when(settings: Any) -> None:
    for sink, minutes in (("tag", 5), ("tag", 3), ("user_profile", 1)):
        change = Change.objects.create(sink=sink, object_id="1")
        Change.objects.filter(pk=change.pk).update(recorded_at=NOON - timedelta(minutes=minutes))
    assert (status("tag").pending, status("tag").oldest_pending_at) == (2, NOON - timedelta(minutes=5))
    assert (status("user_profile").pending, status("user_profile").oldest_pending_at) == (
        1,
        NOON - timedelta(minutes=1),
    )
    assert (status("taxonomy").pending, status("taxonomy").oldest_pending_at) == (0, None)


def failed(sink: str, object_id: str, attempts: int = 1) -> FailingObject:
    """An object that failed; returns its expected status."""
    retry_at = NOON + timedelta(hours=attempts)
    Change.objects.create(sink=sink, object_id=object_id, attempts=attempts, error="it is bad", retry_at=retry_at)
    return FailingObject(object_id, attempts, "it is bad", retry_at)


def test_objects_that_failed_are_not_among_the_pending(settings: Any) -> None:
    failing = [failed("tag", "2", attempts=3), failed("tag", "1")]
    failed("taxonomy", "7")
    Change.objects.create(sink="tag", object_id="3")
    found = status("tag")
    assert (found.pending, found.failing_objects, found.failing) == (1, 2, failing)
    assert status("taxonomy").oldest_pending_at is None


def test_no_more_failing_objects_are_listed_than_asked_for() -> None:
    failing = [failed("tag", str(number)) for number in range(12)]
    failed("taxonomy", "7")
    assert (status("tag").failing_objects, status("tag").failing) == (12, failing[:10])
    assert status("tag", show=2).failing == failing[:2]
    assert status("tag", show=0).failing == []
    assert len(status("taxonomy", show=2).failing) == 1


def test_a_sink_that_is_not_registered_shows_with_what_is_left_of_it(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_GONE_ENABLED = True
    Change.objects.create(sink="gone", object_id="1")
    SinkState.objects.create(sink="earlier", objects_delivered=7)
    *rest, gone, earlier = sink_statuses()
    assert all(each.known for each in rest)
    assert (gone.sink, gone.known, gone.enabled, gone.pending) == ("gone", False, False, 1)
    assert (earlier.sink, earlier.known, earlier.objects_delivered) == ("earlier", False, 7)


def test_a_sink_that_waits_for_clickhouse(all_on: None, clickhouse_http: ClickHouseEndpoint) -> None:
    clickhouse_http.fail("503", times=None)
    factories.make_user()
    result = deliver_changes("user_profile")
    found = status("user_profile")
    assert (found.failures, found.last_error, found.last_success_at) == (1, result.error, None)
    assert found.retry_at is not None
    assert found.last_error_at is not None
    clickhouse_http.heal()
    SinkState.objects.update(retry_at=None)
    deliver_changes("user_profile")
    found = status("user_profile")
    assert (found.failures, found.retry_at, found.pending) == (0, None, 0)
    assert found.last_success_at is not None


def test_queries_do_not_grow_with_sinks_and_changes(all_on: None) -> None:
    for number in range(30):
        for name in sinks():
            failed(name, str(number))
            Change.objects.create(sink=name, object_id=str(number))
            SinkState.objects.get_or_create(sink=name)
    with CaptureQueriesContext(connection) as captured:
        assert len(sink_statuses()) == len(sinks())
    assert len(captured) == 5


def failed_event(reason: str, name: str = "edx.video.played", payload: bytes = b"", course: str = "") -> FailingObject:
    """A learning event that failed; what is expected to be said of it."""
    retry_at = NOON + timedelta(hours=1)
    row = TrackingEvent.objects.create(name=name, payload=payload, attempts=1, error=reason, retry_at=retry_at)
    return FailingObject(str(row.pk), 1, reason, retry_at, name, course)


def test_learning_events_are_counted_by_reason() -> None:
    failing = [failed_event("no course"), failed_event("no account"), failed_event("no account")]
    waiting = TrackingEvent.objects.create(name="edx.video.played", payload=b"")
    TrackingEvent.objects.create(name="edx.video.played", payload=b"")
    found = status("xapi")
    assert (found.pending, found.oldest_pending_at, found.failing_objects) == (2, waiting.recorded_at, 3)
    assert found.reasons == [
        FailingEvents("no account", "edx.video.played", 2),
        FailingEvents("no course", "edx.video.played", 1),
    ]
    assert found.failing == failing
    said = aspects_status().splitlines()
    assert "xapi: 2 edx.video.played events cannot be written: no account" in said
    assert "xapi: 1 edx.video.played event cannot be written: no course" in said


def test_events_of_several_names_that_fail_for_one_reason_are_counted_apart() -> None:
    for name in ("play_video", "load_video", "play_video"):
        failed_event("no account", name)
    assert status("xapi").reasons == [
        FailingEvents("no account", "play_video", 2),
        FailingEvents("no account", "load_video", 1),
    ]


@pytest.mark.parametrize(
    ("payload", "course"),
    [
        (pack({"context": {"course_id": "course-v1:A+B+C"}, "data": {"course_id": "another"}}), "course-v1:A+B+C"),
        # Management commands enroll learners outside of any page of the course.
        (pack({"context": {"course_id": ""}, "data": {"course_id": "course-v1:A+B+C"}}), "course-v1:A+B+C"),
        (pack({"context": [], "data": "course_id"}), ""),
        (pack({"context": {"course_id": 7}, "data": None}), ""),
        (b"damaged", ""),
    ],
)
def test_a_failing_event_is_named_with_its_course(payload: bytes, course: str) -> None:
    expected = failed_event("no account", "play_video", payload, course)
    assert status("xapi").failing == [expected]
    line = next(line for line in aspects_status().splitlines() if line.startswith("xapi ") and "(play_video" in line)
    where = " in course-v1:A+B+C" if course else ""
    assert (
        line == f"xapi {expected.object_id} (play_video{where}) cannot be written (attempts: 1, again now): no account"
    )


def test_a_terminal_gets_no_commands_of_an_event() -> None:
    failed_event("no account", "play_video", pack({"context": {"course_id": "\x1b[2J"}}), "\x1b[2J")
    assert "(play_video in  [2J)" in aspects_status()


# The command


aspects_status = partial(run, "aspects_status")


def test_the_table_for_people(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = settings.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = True
    now = datetime.now(UTC)
    # An error before the last success is of no interest any more.
    state = SinkState(sink="tag", last_success_at=now - timedelta(minutes=7.5), last_error="ClickHouse was away")
    state.count(1234, now - timedelta(days=1))
    state.count(5, now)
    state.save()
    Change.objects.create(sink="gone", object_id="1")
    Change.objects.create(sink="tag", object_id="1")
    Change.objects.update(recorded_at=now - timedelta(hours=3.5))
    Change.objects.create(
        sink="tag", object_id="2", attempts=2, error="bad\x1b[1m", retry_at=now + timedelta(hours=8.5)
    )
    SinkState.objects.create(
        sink="user_profile",
        failures=3,
        last_error="ClickHouse cannot be reached",
        last_error_at=now - timedelta(minutes=4.5),
        retry_at=now - timedelta(minutes=1),
    )
    heading, *lines = aspects_status().splitlines()
    assert heading.endswith(" UTC, cms")
    told = {line.split()[0]: line for line in lines[:-2]}
    assert list(told) == ["sink", *sinks(), "gone"]
    assert told["tag"].split() == ["tag", "on", "1", "3", "h", "7", "min", "5", "1,239", "1"]
    assert told["taxonomy"].split() == ["taxonomy", "off", "0", "-", "-", "0", "0", "0"]
    assert told["gone"].split() == ["gone", "gone", "1", "3", "h", "-", "0", "0", "0"]
    assert lines[-2:] == [
        "user_profile is tried again now: deliveries failed 3 times, last 4 min ago: ClickHouse cannot be reached",
        "tag 2 cannot be written (attempts: 2, again in 8 h): bad [1m",
    ]


def test_failing_objects_that_are_not_shown_are_counted() -> None:
    for number in range(13):
        failed("tag", str(number))
    assert aspects_status().splitlines()[-1] == "tag: and 3 more cannot be written"
    assert aspects_status("--show", 0).splitlines()[-1] == "tag: and 13 more cannot be written"
    assert "more" not in aspects_status("--show", 13)


def test_the_figures_for_machines(settings: Any) -> None:
    failing = failed("tag", "2")
    SinkState.objects.create(sink="tag", last_success_at=NOON, objects_delivered=7)
    data = json.loads(aspects_status("--json"))
    assert datetime.fromisoformat(data["at"]) <= datetime.now(UTC)
    assert [each["sink"] for each in data["sinks"]] == list(sinks())
    assert data["sinks"][1] == {
        "sink": "tag",
        "enabled": False,
        "known": True,
        "pending": 0,
        "oldest_pending_at": None,
        "failures": 0,
        "retry_at": None,
        "last_success_at": "2026-11-21T12:00:00Z",
        "last_error": "",
        "last_error_at": None,
        "rate_per_hour": 0,
        "objects_delivered": 7,
        "failing_objects": 1,
        "reasons": [],
        "failing": [
            {
                "object_id": "2",
                "attempts": 1,
                "error": failing.error,
                "retry_at": "2026-11-21T13:00:00Z",
                "name": "",
                "course": "",
            }
        ],
    }


class Viewer(StringIO):
    """A viewer who presses Ctrl-C after the third report; a change is recorded before each."""

    def __init__(self, terminal: bool):
        super().__init__()
        self.terminal = terminal
        self.looks = 0

    def isatty(self) -> bool:
        return self.terminal

    def flush(self) -> None:
        self.looks += 1
        if self.looks == 3:
            raise KeyboardInterrupt
        Change.objects.create(sink="tag", object_id="1")


@pytest.mark.parametrize("terminal", [True, False])
def test_watching_until_ctrl_c(terminal: bool) -> None:
    viewer = Viewer(terminal)
    call_command("aspects_status", "--watch", "0.001", stdout=viewer)
    text = viewer.getvalue()
    pending = [line.split()[2] for line in text.splitlines() if line.startswith("tag ")]
    assert pending == ["0", "1", "2"]
    # Each look is drawn over the former one: from the upper left corner, and nothing of that stays.
    # The shell's prompt then stands on a line of its own.
    assert text.endswith("\n")
    assert text.count("\x1b[H") == text.count("\x1b[J") == (3 if terminal else 0)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--watch", "0"), "--watch 0.0: it must be a number of seconds above 0"),
        (("--watch", "inf"), "--watch inf: it must be a number of seconds above 0"),
        (("--watch", "--json"), "--watch is for people, --json for machines: leave one of them out"),
        (("--show", "-1"), "--show -1: it must be at least 0"),
    ],
)
def test_invalid_options_are_refused(args: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError) as caught:
        aspects_status(*args)
    assert str(caught.value) == told


def test_a_database_without_the_plugins_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE platform_plugin_aspects_change RENAME TO not_migrated")
    with pytest.raises(CommandError, match=r"The platform's database failed \(\w+\): .*platform_plugin_aspects_change"):
        aspects_status()
