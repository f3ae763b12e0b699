"""Backfills that end early, in whatever way, and are resumed."""

from __future__ import annotations

import random
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.db import OperationalError, connection
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery.backfill import ranges
from platform_plugin_aspects.delivery.backfill.ranges import Status, Walk
from platform_plugin_aspects.delivery.backfill.runs import LeaseLost, walk_range
from platform_plugin_aspects.delivery.backfill.watcher import Watcher
from platform_plugin_aspects.delivery.compare import compare
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import UserProfileSink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.commands import dump, dump_fails, profiles
from platform_plugin_aspects.tests.conftest import latest, rows
from platform_plugin_aspects.tests.processes import manage, until
from platform_plugin_aspects.tests.watchers import Recorder
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db
FINISHED = r"\w+: the last backfill finished at 20\d\d-\d\d-\d\d \d\d:\d\d UTC: there is nothing to resume"

PROFILES = ["dump_data_to_clickhouse", "--object", "user_profile"]
TOO_LARGE = 2**31 + 5


def break_insert(endpoint: ClickHouseEndpoint, number: int, times: int | None = 1) -> None:
    """Let the insert after so many be refused as by a wrong password."""
    if number:
        endpoint.fail("slow", times=number, match="INSERT", seconds=0)
    endpoint.fail("exception", times=times, match="INSERT", code=516)


def inserts(endpoint: ClickHouseEndpoint) -> int:
    """Inserts that were executed."""
    return sum(request.statement.startswith("INSERT") and request.status == 200 for request in endpoint.requests)


def in_clickhouse(table: str = "user_profile") -> list[Any]:
    return sorted(latest(sinks()["user_profile"]().clickhouse, table))


# Killed


@pytest.mark.django_db(transaction=True)
def test_killed_at_ten_points_and_resumed_nothing_is_lost(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, tmp_path: Path
) -> None:
    keys = profiles(300)
    at_random = random.Random(20_260)
    batches = []
    for number in range(10):
        clickhouse_http.clear()
        resume = ["--resume"] if number else []
        process = manage(tmp_path, *PROFILES, "--batch_size", 5, *resume)
        wanted = at_random.randint(0, 5)
        until(lambda wanted=wanted: inserts(clickhouse_http) >= wanted, "the next insert")
        # Reading, writing, or keeping the progress.
        time.sleep(at_random.uniform(0, 0.02))
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()
        clickhouse_http.wait_until_idle()
        batches.append(inserts(clickhouse_http))
    assert sum(batches) < 60, "there was nothing left to resume"
    ended = manage(tmp_path, *PROFILES, "--resume")
    out, errors = ended.communicate()
    assert ended.returncode == 0, errors
    assert in_clickhouse() == keys
    # Each kill costs two batches at most: one that was not noted, and one that was read meanwhile.
    assert len(rows(clickhouse, "user_profile")) <= len(keys) + 10 * 2 * 5
    assert len(rows(clickhouse, "user_profile")) < 2 * len(keys)
    assert "user_profile: 300 objects written" in out
    assert compare(UserProfileSink()).equal


# Stopped by a person


@pytest.mark.usefixtures("signals_are_heard")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_after_the_batch_and_says_how_to_go_on(
    number: int, clickhouse_http: ClickHouseEndpoint, tmp_path: Path
) -> None:
    keys = profiles(40)
    clickhouse_http.fail("slow", times=2, match="INSERT", seconds=0)
    clickhouse_http.fail("slow", match="INSERT", seconds=60)
    process = manage(tmp_path, *PROFILES, "--batch_size", 3, "--timeout_secs", 70)
    until(lambda: not clickhouse_http.faults.pending, "the third insert is under way")
    process.send_signal(number)
    assert process.stderr is not None
    while "Stopping after the current batch" not in process.stderr.readline():
        assert process.poll() is None
    clickhouse_http.heal()
    out, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    # On a slow machine, progress is told before.
    assert re.fullmatch(rf"user_profile: 9 objects written .*, last id {keys[8]}", out.splitlines()[-1])
    assert in_clickhouse() == keys[:9]
    how = re.search(r"^CommandError: Stopped; resume with: python manage.py cms (.*)$", errors, re.MULTILINE)
    assert how is not None, errors
    assert shlex.split(how[1]) == [*PROFILES, "--resume", "--timeout_secs", "70.0"]
    again = manage(tmp_path, *shlex.split(how[1]))
    assert "40 objects written" in again.communicate()[0]
    assert again.returncode == 0
    assert in_clickhouse() == keys


@pytest.mark.usefixtures("signals_are_heard")
@pytest.mark.django_db(transaction=True)
def test_a_second_ctrl_c_ends_at_once(clickhouse_http: ClickHouseEndpoint, tmp_path: Path) -> None:
    profiles(4)
    clickhouse_http.fail("slow", times=None, match="INSERT", seconds=60)
    process = manage(tmp_path, *PROFILES, "--timeout_secs", 70)
    until(lambda: clickhouse_http._busy, "the insert is under way")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "once more stops at once" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=30) == -signal.SIGINT
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        process.communicate()


# Ended by a failure


def test_a_failure_on_the_way_says_how_to_go_on(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = profiles(9)
    break_insert(clickhouse_http, 2)
    message, said = dump_fails("--object", "user_profile", "--batch_size", 2, "--password", "password")
    assert message.startswith("ClickHouse refused inserting into ")
    how = "resume with: python manage.py cms dump_data_to_clickhouse --object user_profile --resume --password '***'"
    assert message.endswith(how)
    assert said[-1].startswith("user_profile: 4 objects written")
    clickhouse_http.clear()
    assert dump("--object", "user_profile", "--resume")[-1].startswith("user_profile: 9 objects written (9 rows in ")
    # In batches of the same size.
    assert inserts(clickhouse_http) == 3
    assert [row["id"] for row in rows(sinks()["user_profile"]().clickhouse, "user_profile", order="id")] == keys


@pytest.mark.parametrize(
    ("args", "more", "expected"),
    [
        (["--limit", 7], ["--limit", "3"], range(7)),
        (["--limit", 7, "--start_pk", 1], ["--limit", "3"], range(2, 9)),
        (["--ids", 0, 2, 4, 6, 8], ["--ids", "{0}", "{2}", "{4}", "{6}", "{8}"], (0, 2, 4, 6, 8)),
    ],
)
def test_what_is_not_kept_goes_on_by_start_pk(
    args: list[Any], more: list[str], expected: Any, clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    keys = profiles(10)
    given = [
        arg if isinstance(arg, str) or (args[0] == "--limit" and i == 1) else keys[arg] for i, arg in enumerate(args)
    ]
    break_insert(clickhouse_http, 2)
    message, _said = dump_fails("--object", "user_profile", "--batch_size", 2, *given)
    how = shlex.split(message.partition("resume with: python manage.py cms dump_data_to_clickhouse ")[2])
    written = in_clickhouse()
    assert len(written) == 4
    others = [word.format(*keys) for word in more]
    assert how == [
        *("--object", "user_profile"),
        *(others if "--ids" in others else []),
        *("--batch_size", "2", "--start_pk", str(written[-1])),
        *(others if "--limit" in others else []),
    ]
    dump(*how)
    assert in_clickhouse() == [keys[i] for i in expected]


def test_nothing_done_is_nothing_to_go_on_with(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(1)
    break_insert(clickhouse_http, 0)
    message, _said = dump_fails("--object", "user_profile")
    assert "resume with" not in message
    assert "wrong user or password" in message


def test_all_goes_on_in_the_object_where_it_ended(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    factories.make_taxonomy()
    for _ in range(3):
        factories.make_enrollment(factories.make_user())
    expected = {
        name: sorted(str(pk) for pk in sinks()[name]().manager.values_list("pk", flat=True))
        for name in ("taxonomy", "user_profile", "course_enrollment")
    }
    clickhouse_http.fail("slow", match="INSERT INTO .*user_profile", seconds=0)
    clickhouse_http.fail("exception", match="INSERT INTO .*user_profile", code=516)
    message, said = dump_fails("--object", "all", "--batch_size", 2)
    assert message.endswith("resume with: python manage.py cms dump_data_to_clickhouse --object all --resume")
    # The table has only objects that the backfill has begun.
    assert [line.split()[0] for line in said][-3:] == ["course_overviews", "user_profile", "all"]
    clickhouse_http.clear()
    said = dump("--object", "all", "--resume")
    finished = [line for line in said if re.fullmatch(FINISHED, line)]
    assert [line.split(":")[0] for line in finished] == ["taxonomy", "tag", "object_tag", "course_overviews"]
    assert not any(r.statement.startswith("INSERT") and "taxonomy" in r.statement for r in clickhouse_http.requests)
    client = sinks()["user_profile"]().clickhouse
    for table, keys in expected.items():
        assert sorted(map(str, latest(client, table))) == keys


# What is kept


@pytest.mark.parametrize("name", ["user_profile", "all"])
def test_a_backfill_that_never_began_leaves_nothing_behind(name: str, clickhouse: ClickHouse, all_on: None) -> None:
    profiles(2)
    message, said = dump_fails("--object", name, "--database", "nope")
    assert "nope" in message
    assert "resume" not in message
    assert said == []
    assert not BackfillRange.objects.exists()


def test_a_backfill_that_is_resumed_in_vain_is_kept(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, all_on: None
) -> None:
    profiles(2)
    sink = sinks()["user_profile"]()
    ranges.save_ranges(sink, ranges.plan(sink, Walk(batch_size=1)))
    clickhouse_http.fail("exception", match="INSERT", code=516)
    dump_fails("--object", "user_profile", "--resume")
    assert BackfillRange.objects.get().options == {"batch_size": 1}
    dump("--object", "user_profile", "--resume")
    assert BackfillRange.objects.get().objects_written == 2


def test_a_finished_backfill_says_so(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(3)
    dump("--object", "user_profile")
    clickhouse_http.clear()
    (said,) = dump("--object", "user_profile", "--resume")
    assert re.fullmatch(FINISHED, said)
    assert inserts(clickhouse_http) == 0


def test_with_nothing_to_go_on_with_it_begins(clickhouse: ClickHouse, all_on: None) -> None:
    keys = profiles(3)
    said = dump("--object", "user_profile", "--resume")
    assert said[0] == "user_profile: there is no backfill to resume: a new one begins"
    assert in_clickhouse() == keys


def test_it_goes_on_as_it_was_begun(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    made = [factories.make_enrollment(created=factories.utc(2026, 1, day)) for day in (1, 1, 5, 5, 5, 5, 5)]
    keys = [enrollment.pk for enrollment in made]
    break_insert(clickhouse_http, 1)
    chosen = ["--since", "2026-01-03", "--ids_to_skip", keys[4], "--start_pk", keys[0], "--batch_size", 1]
    dump_fails("--object", "course_enrollment", *chosen)
    dump("--object", "course_enrollment", "--resume")
    assert in_clickhouse("course_enrollment") == [keys[2], keys[3], keys[5], keys[6]]


def test_courses_are_brought_by_force_after_resuming_too(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    for _ in range(4):
        factories.make_course()
    dump("--object", "course_overviews")
    clickhouse_http.fail("slow", match="INSERT INTO .*course_overviews", seconds=0)
    clickhouse_http.fail("exception", match="INSERT INTO .*course_overviews", code=516)
    dump_fails("--object", "course_overviews", "--force", "--batch_size", 1)
    assert dump("--object", "course_overviews", "--resume")[-1].startswith("course_overviews: 4 objects written")
    assert len(rows(sinks()["user_profile"]().clickhouse, "course_overviews")) == 2 * CourseOverview.objects.count()


def test_another_pace_when_it_goes_on(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(9)
    break_insert(clickhouse_http, 1)
    dump_fails("--object", "user_profile", "--batch_size", 1)
    clickhouse_http.clear()
    dump("--object", "user_profile", "--resume", "--batch_size", 4)
    assert inserts(clickhouse_http) == 2


def test_what_could_not_be_written_before_is_named_in_the_end(
    clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    profiles(2)
    enrollment = factories.make_enrollment()
    CourseEnrollment.objects.filter(pk=enrollment.pk).delete()
    first = factories.make_enrollment()
    CourseEnrollment.objects.filter(pk=first.pk).update(id=-TOO_LARGE)
    factories.make_enrollment()
    break_insert(clickhouse_http, 1)
    factories.make_enrollment()
    dump_fails("--object", "course_enrollment", "--batch_size", 1)
    message, said = dump_fails("--object", "course_enrollment", "--resume")
    assert message == "1 objects could not be written; they are named above"
    assert said[0].startswith("course_enrollment: 2 objects written")
    assert said[1].startswith(f"course_enrollment {-TOO_LARGE} cannot be written: A value cannot be encoded")
    # And again, because it is not done.
    assert dump_fails("--object", "course_enrollment", "--resume")[1][1:] == said


def test_a_new_backfill_says_that_it_gives_another_up(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = profiles(4)
    break_insert(clickhouse_http, 1)
    dump_fails("--object", "user_profile", "--batch_size", 2)
    said = dump("--object", "user_profile")
    assert said[0] == f"user_profile: an earlier backfill, which ended at {keys[1]}, is given up"
    assert said[1].startswith("user_profile: 4 objects written")
    assert dump("--object", "user_profile")[0].startswith("user_profile: 4 objects written")


@pytest.mark.parametrize("args", [["--ids", 0], ["--limit", 1], ["--dry-run"]])
def test_a_small_one_in_between_does_not_disturb(
    args: list[Any], clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    keys = profiles(6)
    break_insert(clickhouse_http, 1)
    dump_fails("--object", "user_profile", "--batch_size", 2)
    dump("--object", "user_profile", *(keys[0] if arg == 0 else arg for arg in args))
    clickhouse_http.clear()
    dump("--object", "user_profile", "--resume")
    assert inserts(clickhouse_http) == 2
    assert in_clickhouse() == keys


def test_dry_run_of_what_is_left(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    profiles(6)
    break_insert(clickhouse_http, 1)
    dump_fails("--object", "user_profile", "--batch_size", 2)
    before = list(BackfillRange.objects.values())
    clickhouse_http.clear()
    assert dump("--object", "user_profile", "--resume", "--dry-run")[-1].startswith(
        "user_profile: 6 objects would be written"
    )
    assert inserts(clickhouse_http) == 0
    assert list(BackfillRange.objects.values()) == before


@pytest.mark.parametrize(
    "args",
    [["--ids", 1], ["--ids_to_skip", 1], ["--start_pk", 1], ["--since", "2026-01-01"], ["--force"], ["--limit", 1]],
    ids=lambda args: args[0],
)
def test_other_objects_cannot_be_chosen_when_it_goes_on(args: list[Any], all_on: None) -> None:
    message, _said = dump_fails("--object", "user_profile", "--resume", *args)
    assert message == f"{args[0]} cannot be used with --resume: a resumed backfill keeps its original selection"


# Two at once


def test_who_takes_a_range_over_goes_on_and_the_former_owner_ends(clickhouse: ClickHouse, all_on: None) -> None:
    keys = profiles(10)
    sink = sinks()["user_profile"]()
    (row,) = ranges.plan(sink, Walk(batch_size=2))
    ranges.save_ranges(sink, [row])

    def walk_again(summary: Any) -> None:
        if len(meddler.landed) == 1:
            walk_range(BackfillRange.objects.get(), Connection.from_settings(), Watcher())

    meddler = Recorder(on_progress=walk_again)
    with pytest.raises(LeaseLost, match="Another backfill of user_profile has begun"):
        walk_range(row, Connection.from_settings(), meddler)
    kept = BackfillRange.objects.get()
    assert (kept.status, kept.last_key) == (Status.DONE, str(keys[-1]))
    assert in_clickhouse() == keys
    # The one that was on its way, and none after it.
    assert len(rows(clickhouse, "user_profile")) == len(keys) + 2


def test_a_backfill_that_is_begun_anew_ends_the_former(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(6)
    sink = sinks()["user_profile"]()
    (row,) = ranges.plan(sink, Walk(batch_size=2))
    ranges.save_ranges(sink, [row])

    def begin_anew(summary: Any) -> None:
        ranges.save_ranges(sink, ranges.plan(sink, Walk()))

    with pytest.raises(LeaseLost):
        walk_range(row, Connection.from_settings(), Recorder(on_progress=begin_anew))
    assert len(rows(clickhouse, "user_profile")) == 4
    assert BackfillRange.objects.get().status == Status.WAITING


def test_a_database_that_fails_ends_it_with_one_message(
    clickhouse: ClickHouse, all_on: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles(2)
    monkeypatch.setattr(UserProfile._meta, "db_table", "nowhere")
    message, _said = dump_fails("--object", "user_profile", "--no-progress")
    assert re.match(r"The platform's database failed \(OperationalError\): no such table: nowhere", message)


def test_when_the_database_fails_the_hint_counts_what_landed(
    clickhouse: ClickHouse, all_on: None, settings: Any
) -> None:
    keys = profiles(8)

    def fail_later(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if 'ORDER BY "auth_userprofile"."id" ASC LIMIT' in sql and keys[3] in (params or ()):
            raise OperationalError("gone away")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_later):
        message, _said = dump_fails("--object", "user_profile", "--limit", 7, "--batch_size", 2, "--no-progress")
    how = f"--object user_profile --batch_size 2 --start_pk {keys[3]} --limit 3"
    assert message == (
        "The platform's database failed (OperationalError): gone away; "
        f"resume with: python manage.py cms dump_data_to_clickhouse {how}"
    )
    assert sorted(latest(clickhouse, "user_profile")) == keys[:4]
    assert dump(*how.split())[-1].startswith("user_profile: 3 objects written")
    assert sorted(latest(clickhouse, "user_profile")) == keys[:7]
