"""Options of a backfill: dry runs, dates, rates, replicas, a bar. And ClickHouse unavailable meanwhile."""

from __future__ import annotations

import logging
import os
import pty
import random
import re
import sqlite3
import termios
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection
from django.utils import timezone
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured, Unavailable
from platform_plugin_aspects.delivery.backfill.insert import REPLICA_LAG
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.backfill.watcher import BEAT_SECS
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.management.progress import LINE_SECS, Progress, expected
from platform_plugin_aspects.models import BackfillRange, Change, SinkState
from platform_plugin_aspects.sinks.formats import stamp_text
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.commands import dump, profiles
from platform_plugin_aspects.tests.conftest import latest, rows
from platform_plugin_aspects.tests.processes import manage
from platform_plugin_aspects.tests.watchers import Recorder
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.comparison import compare
from test_utils.retirement import retire

pytestmark = pytest.mark.django_db

#: The rows of factories.make_course: the course with its detached blocks, and one block of each level.
COURSE_ROWS = "1 rows in course_overviews, 8 rows in course_blocks"


def inserts(endpoint: ClickHouseEndpoint) -> int:
    return sum(request.statement.startswith("INSERT") for request in endpoint.requests)


# Dry runs


@pytest.mark.parametrize("name", ["user_profile", "course_overviews", "all"])
def test_a_dry_run_sends_nothing(name: str, clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(4)
    key = factories.make_course()
    said = dump("--object", name, "--dry-run", "--batch_size", 3, verbosity=2)
    assert inserts(clickhouse_http) == 0
    assert not [r for r in clickhouse_http.requests if "ALTER" in r.statement]
    assert not SinkState.objects.exists()
    assert not BackfillRange.objects.exists()
    if name == "user_profile":
        assert said[-1].startswith("user_profile: 4 objects would be written (4 rows in user_profile), 0 up to date, ")
        assert len([line for line in said if line.endswith(" would be written")]) == 4
    elif name == "course_overviews":
        assert said[0] == f"course_overviews {key} would be written"
        assert said[1].startswith(f"course_overviews: 1 objects would be written ({COURSE_ROWS}), 0 up to date, ")
    else:
        table = [line for line in said if not line.endswith(" would be written")]
        assert [line.split()[:2] for line in table if line.startswith(("user_profile ", "all "))] == [
            ["user_profile", "4"],
            ["all", "6"],
        ]
        assert next(line for line in said if line.startswith("object")).split()[1:3] == ["to", "write"]


def test_a_dry_run_counts_what_is_due(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = [factories.make_course() for _ in range(3)]
    dump("--object", "course_overviews")
    CourseOverview.objects.filter(pk=keys[1]).update(modified=timezone.now() + timedelta(days=1))
    (said,) = dump("--object", "course_overviews", "--dry-run")
    assert said.startswith(f"course_overviews: 1 objects would be written ({COURSE_ROWS}), 2 up to date, ")


class NoText:
    """A name that a third party's block might have."""

    def __str__(self) -> str:
        raise RuntimeError("Secret")


@pytest.mark.parametrize("name", ["user_profile", "course_overviews"])
def test_a_dry_run_names_what_cannot_be_written(
    name: str, clickhouse_http: ClickHouseEndpoint, all_on: None, caplog: pytest.LogCaptureFixture
) -> None:
    if name == "user_profile":
        good = profiles(1)
        user = factories.make_user("too large", profile=False)
        UserProfile.objects.create(id=2**31 + 5, user=user, name="Zoë Secret")
    else:
        good = [factories.make_course("course-v1:Org+A+2026")]
        bad = factories.make_course("course-v1:Org+B+2026")
        modulestore().edit(bad.make_usage_key("chapter", "chapter_1"), display_name=NoText())
        factories.publish_course(bad, loudly=False)
    said = []
    # Opening a connection, which a dry run need not do, sets it too.
    caplog.set_level(logging.ERROR, logger="clickhouse_connect.driver.transform")
    for options in (["--dry-run"], []):
        out = StringIO()
        with pytest.raises(CommandError, match="1 objects could not be written; they are named above") as caught:
            call_command("dump_data_to_clickhouse", "--object", name, *options, stdout=out, verbosity=2)
        assert caught.value.returncode == 1
        said.append(out.getvalue().splitlines())
        assert not options or inserts(clickhouse_http) == 0
    (would, summary, rejected), (*_, really) = said
    assert would == f"{name} {good[0]} would be written"
    assert summary.startswith(f"{name}: 1 objects would be written (1 rows in {name}")
    assert ", 0 up to date, 1 not writable, " in summary
    assert rejected == really
    assert "Secret" not in caplog.text + str(said)
    assert "clickhouse_connect" not in caplog.text


def test_a_dry_run_of_learners_needs_no_clickhouse(settings: Any, all_on: None) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://127.0.0.1:9", "timeout_secs": 1}
    profiles(1)
    assert dump("--object", "user_profile", "--dry-run")[-1].startswith("user_profile: 1 objects would be written (1 ")


# Since


@pytest.mark.parametrize(
    ("since", "expected_days"),
    [
        ("2026-03-02", [2, 3]),
        ("2026-03-02T00:00:00", [2, 3]),
        ("2026-03-02T00:00:01Z", [3]),
        ("2026-03-02T01:00:00+01:00", [2, 3]),
        ("2026-03-01 23:00:01-01:00", [3]),
        ("2030-01-01", []),
    ],
)
def test_since(since: str, expected_days: list[int], clickhouse: ClickHouse, all_on: None) -> None:
    for day in (1, 2, 3):
        factories.make_enrollment(created=factories.utc(2026, 3, day))
    dump("--object", "course_enrollment", "--since", since)
    found = sorted(row["created"] for row in rows(clickhouse, "course_enrollment"))
    assert found == [f"2026-03-0{day}T00:00:00Z" for day in expected_days]


def test_since_for_courses_is_their_modification(clickhouse: ClickHouse, all_on: None) -> None:
    keys = [factories.make_course() for _ in range(3)]
    for key, day in zip(keys, (1, 5, 9), strict=True):
        CourseOverview.objects.filter(pk=key).update(modified=factories.utc(2026, 3, day))
    dump("--object", "course_overviews", "--since", "2026-03-04")
    assert {row["course_key"] for row in rows(clickhouse, "course_overviews")} == {str(key) for key in keys[1:]}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--since", "yesterday"], "--since yesterday: it must be an ISO 8601 date"),
        (["--since", "2026-13-01"], "--since 2026-13-01"),
        (
            ["--since", "9999-12-31T23:59:59-12:00"],
            "--since 9999-12-31T23:59:59-12:00: it must be a date of the years ",
        ),
        (
            ["--since", "0001-01-01T00:00:00+12:00"],
            "--since 0001-01-01T00:00:00+12:00: it must be a date of the years ",
        ),
        (["--since", "2026-03-04"], "user_profile has no date for --since; there are dates in course_overviews, "),
        (["--max_rate", "0"], "--max_rate 0.0: it must be more than 0"),
        (["--max_rate", "-1"], "--max_rate -1.0"),
        (["--max_rate", "nan"], "--max_rate nan"),
        (["--max_rate", "fast"], "invalid float value"),
        (["--workers", "0"], "--workers 0: it must be at least 1"),
        (["--read_from", "replica"], "There is no database 'replica': choose one of default"),
        *(
            ([*words, "--workers", "2"], f"{words[0]} cannot be used with --workers")
            for words in (["--ids", "1"], ["--limit", "1"], ["--dry-run"], ["--url", "http://x:1"], ["--password", "x"])
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nonsense_is_refused_before_anything_is_asked(
    args: list[str], words: str, clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    profiles(1)
    with pytest.raises(CommandError, match=re.escape(words)):
        dump("--object", "user_profile", *args)
    assert clickhouse_http.requests == []
    assert not BackfillRange.objects.exists()


def test_all_since_takes_objects_without_dates_whole(clickhouse: ClickHouse, all_on: None) -> None:
    factories.make_enrollment(created=factories.utc(2026, 3, 1))
    factories.make_enrollment(created=factories.utc(2026, 3, 2))
    said = dump("--object", "all", "--since", "2026-03-02")
    told = [line.split(" ")[0] for line in said if line.endswith(" has no date for --since: all of it")]
    assert told == ["taxonomy", "tag", "object_tag", "user_profile"]
    assert len(rows(clickhouse, "course_enrollment")) == 1
    assert len(rows(clickhouse, "user_profile")) == 2


# Rates


def rates(landed: list[tuple[float, int]]) -> list[float]:
    """Objects per second, from one batch to the next."""
    return [round((later - earlier) / (end - start), 6) for (start, earlier), (end, later) in pairwise(landed)]


@pytest.mark.parametrize("per_batch", [0, 0.3])
def test_a_rate_is_kept_between_batches(per_batch: float, clickhouse: ClickHouse, all_on: None) -> None:
    profiles(19)
    clock = Recorder(per_insert=per_batch)
    backfill(sinks()["user_profile"](), Walk(batch_size=4, max_rate=10), Summary(), clock)
    assert rates(clock.landed[:-1]) == [10] * 3
    assert sum(clock.waits) == pytest.approx(4 * (0.4 - per_batch))


def test_a_rate_that_was_not_reached_is_not_made_up_for(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(20)

    def slow(summary: Summary) -> None:
        if summary.objects == 8:
            clock.time += 100

    clock = Recorder(on_progress=slow)
    backfill(sinks()["user_profile"](), Walk(batch_size=4, max_rate=10), Summary(), clock)
    assert [rate for rate in rates(clock.landed) if rate > 10] == []
    assert rates(clock.landed)[-2:] == [10, 10]


def test_what_is_up_to_date_costs_no_time(clickhouse: ClickHouse, all_on: None) -> None:
    for _ in range(4):
        factories.make_course()
    dump("--object", "course_overviews")
    clock = Recorder()
    backfill(sinks()["course_overviews"](), Walk(batch_size=1, max_rate=0.1), Summary(), clock)
    assert clock.waits == []


def test_a_long_pause_has_signs_of_life(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(2)
    clock = Recorder()
    backfill(sinks()["user_profile"](), Walk(batch_size=1, sleep_secs=3 * BEAT_SECS + 1), Summary(), clock)
    assert clock.waits == [*[BEAT_SECS] * 3, 1] * 2
    assert clock.beats >= 8


# ClickHouse away


@pytest.mark.parametrize("kind", ["503", "too_many_parts", "reset_after_execute", "refuse"])
@pytest.mark.parametrize("name", ["user_profile", "course_overviews"])
def test_it_waits_while_clickhouse_is_away_and_says_so(
    name: str, kind: str, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, all_on: None
) -> None:
    keys: list[Any] = profiles(6) if name == "user_profile" else sorted(str(factories.make_course()) for _ in range(6))
    sink = sinks()[name]()
    before = 1 if name == "user_profile" else 2

    def fail(summary: Summary) -> None:
        if summary.objects == 2:
            # The driver itself tries once more when a connection is cut.
            match = None if kind == "refuse" else "INSERT"
            clickhouse_http.fail(kind, times=6, match=match)

    clock, summary = Recorder(on_progress=fail), Summary()
    backfill(sink, Walk(batch_size=2), summary, clock)
    assert clickhouse_http.faults.pending == 0, before
    assert (summary.objects, summary.rejected) == (6, 0)
    assert sorted(latest(clickhouse, name, sink.key_column)) == keys
    assert len(clock.said) >= 3
    for line in clock.said:
        assert re.search(r"ClickHouse (cannot be reached|is busy).*; trying again in \d+ s$", line), line
    # Longer and longer.
    assert sum(clock.waits) > 6
    assert clock.beats >= len(clock.said)


def test_a_wrong_password_stops_at_once(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = profiles(6)
    clickhouse_http.fail("slow", match="INSERT", seconds=0)
    clickhouse_http.fail("exception", times=None, match="INSERT", code=516)
    clock, summary = Recorder(), Summary()
    with pytest.raises(Misconfigured):
        backfill(sinks()["user_profile"](), Walk(batch_size=2), summary, clock)
    assert (clock.waits, clock.said) == ([], [])
    assert (summary.objects, summary.last_key) == (2, keys[1])


def test_clickhouse_that_was_never_there_is_not_waited_for(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(2)
    clickhouse_http.fail("503", times=None)
    clock = Recorder()
    with pytest.raises(Unavailable):
        backfill(sinks()["user_profile"](), Walk(), Summary(), clock)
    assert clock.waits == []
    # A patient backfill waits, as workers do.
    healing, summary = Recorder(on_wait=lambda seconds: clickhouse_http.heal()), Summary()
    backfill(sinks()["user_profile"](), Walk(), summary, healing, patient=True)
    assert summary.objects == 2


def test_stopped_while_it_waits(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = profiles(6)

    def fail(summary: Summary) -> None:
        clickhouse_http.fail("503", times=None, match="INSERT")

    clock, summary = Recorder(on_progress=fail, stops=lambda: bool(clock.waits)), Summary()
    with pytest.raises(Unavailable):
        backfill(sinks()["user_profile"](), Walk(batch_size=2), summary, clock)
    assert len(clock.waits) == 1
    assert summary.last_key == keys[1]


def test_the_command_waits_too(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(4)
    clickhouse_http.fail("slow", match="INSERT", seconds=0)
    clickhouse_http.fail("too_many_parts", match="INSERT")
    said = dump("--object", "user_profile", "--batch_size", 2)
    assert re.search(r"code 252 TOO_MANY_PARTS; trying again in [12] s$", said[0])
    assert said[1].startswith("user_profile: 4 objects written (4 rows in user_profile)")


# Objects that change meanwhile


def test_enrollments_that_change_while_a_backfill_runs_end_equal(
    clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    users = factories.make_many_users(20)
    courses = [factories.make_course_key() for _ in range(10)]
    CourseEnrollment.objects.bulk_create(
        [CourseEnrollment(user=user, course_id=course, mode="audit") for user in users for course in courses]
    )
    at_random = random.Random(20_260)

    def change_some(summary: Summary) -> None:
        """People are busy at every step: just read, being written, already written."""
        for enrollment in at_random.sample(list(CourseEnrollment.objects.all()), 30):
            enrollment.change_mode(at_random.choice(["audit", "verified", "honor"]))
            if at_random.random() < 0.3:
                enrollment.deactivate()
        CourseEnrollment.enroll(at_random.choice(users), factories.make_course_key())
        if at_random.random() < 0.5:
            deliver_changes("course_enrollment")

    backfill(sinks()["course_enrollment"](), Walk(batch_size=25), Summary(), Recorder(on_progress=change_some))
    deliver_changes("course_enrollment")
    assert not Change.objects.filter(sink="course_enrollment").exists()
    compared = compare()["course_enrollment"]
    assert (compared.objects, compared.different) == (CourseEnrollment.objects.count(), [])


# Another database


class Replica:
    """A copy of the platform's database as it is when the copy is made, and a command that reads from it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "replica.sqlite3"
        connection.ensure_connection()
        with closing(sqlite3.connect(self.path)) as target:
            connection.connection.backup(target)

    def backfill(self) -> None:
        names = ("ENGINE", "NAME", "OPTIONS")
        default = {name: connection.settings_dict[name] for name in names}
        tokens = {"DATABASES": {"default": default, "replica": {**default, "NAME": str(self.path)}}}
        command = [
            *["dump_data_to_clickhouse", "--object", "user_profile", "--read_from", "replica", "--batch_size", "2"]
        ]
        process = manage(self.folder, *command, tokens=tokens)
        out, errors = process.communicate()
        assert process.returncode == 0, out + errors


@pytest.mark.django_db(transaction=True)
def test_reading_from_a_replica(clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, tmp_path: Path) -> None:
    keys = profiles(3)
    replica = Replica(tmp_path)
    UserProfile.objects.filter(pk=keys[1]).update(name="newer")
    replica.backfill()
    names = {key: row["name"] for key, row in latest(clickhouse, "user_profile").items()}
    assert sorted(names) == keys
    assert names[keys[1]] != "newer"
    assert BackfillRange.objects.get().options == {"batch_size": 2, "read_from": "replica"}


@pytest.mark.django_db(transaction=True)
def test_a_replica_that_lags_behind_does_not_undo_a_delivery(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, all_on: None, tmp_path: Path
) -> None:
    (key,) = profiles(1)
    replica = Replica(tmp_path)
    profile = UserProfile.objects.get()
    profile.name = "newer"
    profile.save()
    deliver_changes("user_profile")
    replica.backfill()
    older, newer = rows(clickhouse, "user_profile")
    assert older["time_last_dumped"] < stamp_text(datetime.now(UTC) - REPLICA_LAG)
    assert older["name"] != newer["name"]
    assert latest(clickhouse, "user_profile")[key]["name"] == "newer"


@pytest.mark.django_db(transaction=True)
def test_who_is_retired_on_the_way_to_the_replica_is_taken_back(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, all_on: None, tmp_path: Path
) -> None:
    user, other = factories.make_many_users(2)
    replica = Replica(tmp_path)
    retire(user)
    replica.backfill()
    assert list(latest(clickhouse, "user_profile")) == [other.profile.pk]


# How it shows itself


class Display(Progress):
    """With a clock that the test sets."""

    time = 0.0

    def now(self) -> float:
        return self.time


def ranges_of(*rows_: dict[str, Any]) -> list[BackfillRange]:
    return [BackfillRange(sink="user_profile", **row) for row in rows_]


def test_a_line_every_few_seconds_where_there_is_no_terminal(clickhouse: ClickHouse, all_on: None) -> None:
    keys = profiles(9)
    bounds = (keys[0], keys[-1])
    out = StringIO()
    display = Display(OutputWrapper(out), lines=True)
    (row,) = ranges_of({})
    display.begin(sinks()["user_profile"](), [row])
    assert display.bounds == bounds
    for done in (1, 2, 3, 4):
        row.objects_written, row.last_key = done, str(keys[done - 1])
        display.time += LINE_SECS / 2
        display.progress()
    assert out.getvalue().splitlines() == [
        "user_profile: 2 of about 9 objects, 0/s, about 00:17 left",
        "user_profile: 4 of about 9 objects, 0/s, about 00:12 left",
    ]


def test_keys_that_are_no_numbers_have_no_estimate(clickhouse: ClickHouse, all_on: None) -> None:
    factories.make_course()
    out = StringIO()
    display = Display(OutputWrapper(out), lines=True)
    (row,) = ranges_of({"objects_written": 0})
    display.begin(sinks()["course_overviews"](), [row])
    row.objects_written, row.objects_skipped = 40, 10
    display.time = 2 * LINE_SECS
    display.progress()
    assert out.getvalue() == "course_overviews: 50 objects, 5/s\n"


@pytest.mark.parametrize(
    ("rows_", "bounds", "total"),
    [
        ([{}], (1, 1000), 1000),
        ([{"after": "600"}], (1, 1000), 400),
        ([{"options": {"limit": 10}}], (1, 1000), 10),
        ([{"options": {"keys": ["1", "7"]}}], None, 2),
        ([{}], None, None),
        # Half of the keys are gone.
        ([{"last_key": "200", "objects_written": 90, "objects_skipped": 7, "objects_rejected": 3}], (1, 1000), 500),
        ([{"last_key": "1200", "objects_written": 100}], (1, 1000), 100),
        (
            [
                {"upto": "500", "last_key": "500", "objects_written": 100, "status": "done"},
                {"after": "500", "last_key": "600", "objects_written": 20},
            ],
            (1, 1000),
            120 + 80,
        ),
        ([{"upto": "500", "status": "done"}, {"after": "500"}], (1, 1000), 0),
    ],
)
def test_how_many_there_will_be(rows_: list[dict[str, Any]], bounds: Any, total: int | None) -> None:
    assert expected(ranges_of(*rows_), bounds) == total


def test_no_progress(clickhouse: ClickHouse, all_on: None, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles(2)
    monkeypatch.setattr("platform_plugin_aspects.management.progress.LINE_SECS", 0)
    assert len(dump("--object", "user_profile", "--batch_size", 1)) == 3
    assert len(dump("--object", "user_profile", "--batch_size", 1, "--no-progress")) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("args", [[], ["--no-progress"]], ids=["bar", "none"])
def test_a_bar_on_a_terminal(args: list[str], clickhouse_http: ClickHouseEndpoint, tmp_path: Path) -> None:
    profiles(6)
    clickhouse_http.fail("slow", match="INSERT", seconds=0)
    clickhouse_http.fail("503", match="INSERT")
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    command = ["dump_data_to_clickhouse", "--object", "user_profile", "--batch_size", 2, *args]
    process = manage(tmp_path, *command, stdout=end, stderr=end)
    os.close(end)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            # Linux raises it when the other side is closed.
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    assert process.wait() == 0
    # Long lines are broken there.
    text = shown.decode().replace("\r\n  ", " ")
    assert "user_profile: 6 objects written (6 rows in user_profile)" in text
    assert re.search(r"(^|[\r\n])ClickHouse cannot be reached [^\r]*; trying again in \d s\r\n", text)
    if args:
        assert "%|" not in text
    else:
        assert re.search(r"user_profile: 100%\|.*\| 6/6 \[\d\d:\d\d<.* objects/s\]", text)
