"""The command dump_data_to_clickhouse and the walk behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.backfill.walk import LEAST_READ
from platform_plugin_aspects.sinks import CourseOverviewSink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.commands import profiles, run
from platform_plugin_aspects.tests.conftest import rows
from platform_plugin_aspects.tests.processes import manage
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db

OBJECTS = {"taxonomy", "tag", "object_tag", "course_overviews", "user_profile", "external_id", "course_enrollment"}
TOO_LARGE = 2**31 + 5


@pytest.fixture(autouse=True)
def _empty_store() -> Iterator[None]:
    modulestore().clear()
    yield
    modulestore().clear()


dump_object = partial(run, "dump_data_to_clickhouse", "--object")


def ids_in(client: ClickHouse, table: str = "user_profile", column: str = "id") -> list[Any]:
    return sorted(row[column] for row in rows(client, table))


def inserts(endpoint: ClickHouseEndpoint) -> list[str]:
    return [request.statement for request in endpoint.requests if request.statement.startswith("INSERT")]


def courses(number: int) -> list[str]:
    return sorted(str(factories.make_course()) for _ in range(number))


# Which objects


def test_everything_in_one_insert_and_a_summary(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    keys = profiles(12)
    said = dump_object("user_profile")
    client = sinks()["user_profile"]().clickhouse
    assert ids_in(client) == keys
    assert len(inserts(clickhouse_http)) == 1
    assert re.fullmatch(
        rf"user_profile: 12 objects written \(12 rows in user_profile\), 0 up to date, \d+\.\d s, last id {keys[-1]}\n",
        said,
    )


def test_nothing_to_write(clickhouse: ClickHouse, all_on: None) -> None:
    said = dump_object("user_profile")
    assert said.startswith("user_profile: 0 objects written (no rows), 0 up to date, ")
    assert said.endswith("last id none\n")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--ids", 1, 3], [1, 3]),
        (["--ids", 3, 3, 1, "--batch_size", 1], [1, 3]),
        (["--ids_to_skip", 0, 9], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["--ids", 1, 2, 3, "--ids_to_skip", 2], [1, 3]),
        (["--start_pk", 6], [7, 8, 9]),
        (["--start_pk", 9], []),
        (["--ids", 1, 5, 9, "--start_pk", 1], [5, 9]),
        (["--limit", 3], [0, 1, 2]),
        (["--limit", 3, "--start_pk", 4], [5, 6, 7]),
        (["--limit", 3, "--batch_size", 2], [0, 1, 2]),
        (["--limit", 4, "--batch_size", 2], [0, 1, 2, 3]),
        (["--limit", 10], list(range(10))),
        (["--limit", 99], list(range(10))),
        (["--limit", 2, "--ids", 3, 4, 5], [3, 4]),
        (["--force"], list(range(10))),
    ],
    ids=lambda value: " ".join(map(str, value)) if value and isinstance(value[0], str) else "",
)
def test_selections(args: list[Any], expected: list[int], clickhouse: ClickHouse, all_on: None) -> None:
    keys = profiles(10)
    taken, of_keys = [], False
    for arg in args:
        of_keys = arg in ("--ids", "--ids_to_skip", "--start_pk") if isinstance(arg, str) else of_keys
        taken.append(keys[arg] if of_keys and isinstance(arg, int) else arg)
    dump_object("user_profile", *taken)
    assert ids_in(clickhouse) == [keys[i] for i in expected]


def test_batches_and_pauses_between_them(
    clickhouse_http: ClickHouseEndpoint, all_on: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = profiles(5)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    said = dump_object("user_profile", "--batch_size", 2, "--sleep_time", "1.5")
    assert len(inserts(clickhouse_http)) == 3
    assert sum(slept) == pytest.approx(3)
    assert "5 objects written (5 rows in user_profile), 0 up to date" in said
    assert ids_in(sinks()["user_profile"]().clickhouse) == keys


def test_pages_are_found_by_key_and_not_by_offset(clickhouse: ClickHouse, all_on: None) -> None:
    profiles(6)
    with CaptureQueriesContext(connection) as captured:
        dump_object("user_profile", "--batch_size", 2)
    queries = [query["sql"] for query in captured if 'FROM "auth_userprofile"' in query["sql"]]
    assert not [sql for sql in queries if "COUNT(" in sql]
    # The others look which keys are there, to delete the rows of the rest.
    reads = [sql for sql in queries if "ORDER BY" in sql and "LIMIT" in sql]
    assert len(reads) >= 3
    assert not [sql for sql in reads if "OFFSET" in sql]
    assert all(sql.count('"auth_userprofile"."id" >') == bool(i) for i, sql in enumerate(reads[:3]))


def test_keys_that_are_not_there_are_named(clickhouse: ClickHouse, all_on: None) -> None:
    (key,) = profiles(1)
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        dump_object("user_profile", "--ids", key, 999_999, stdout=out)
    assert (str(caught.value), caught.value.returncode) == ("1 of the --ids is not there: 999999", 1)
    assert out.getvalue().splitlines()[0] == "user_profile 999999 is not there to be written"
    assert ids_in(clickhouse) == [key]


def test_only_keys_that_are_not_there_at_all_fail_the_command(clickhouse: ClickHouse, all_on: None) -> None:
    first, second = profiles(2)
    said = dump_object("user_profile", "--ids", first, second, "--start_pk", first)
    assert "not there" not in said
    assert f"user_profile: the other options leave out 1 of the ids: {first}" in said.splitlines()
    assert ids_in(clickhouse) == [second]
    with pytest.raises(CommandError, match=r"^2 of the --ids are not there: 999998, 999999$"):
        dump_object("user_profile", "--ids", 999_999, 999_998, "--dry-run")


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_start_pk_of_every_kind_of_key(name: str, clickhouse: ClickHouse, all_on: None) -> None:
    make: dict[str, Callable[[], Any]] = {
        "taxonomy": factories.make_taxonomy,
        "tag": factories.make_tag,
        "object_tag": lambda: factories.make_object_tag("course-v1:A+B+C", factories.make_tag()),
        "course_overviews": factories.make_overview,
        "user_profile": lambda: factories.make_user().profile,
        "external_id": factories.make_external_id,
        "course_enrollment": factories.make_enrollment,
    }
    keys = sorted((make[name]().pk for _ in range(3)), key=lambda key: key if isinstance(key, int) else str(key))
    said = dump_object(name, "--start_pk", keys[0])
    assert f"{name}: 2 objects written" in said
    assert said.endswith(f"last id {keys[-1]}\n")


# All of them


def test_all_brings_every_object_whose_sink_is_on(clickhouse: ClickHouse, all_on: None, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = False
    settings.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = False
    factories.make_object_tag(factories.make_course(), factories.make_tag())
    factories.make_external_id()
    factories.make_enrollment()
    lines = dump_object("all").splitlines()
    assert lines[0] == "off, so left out: tag, external_id"
    assert lines[1].split()[:2] == ["object", "written"]
    assert [line.split()[:2] for line in lines[2:]] == [
        *(["taxonomy", "2"], ["object_tag", "1"], ["course_overviews", "1"], ["user_profile", "2"]),
        *(["course_enrollment", "1"], ["all", "7"]),
    ]
    # The course and its blocks.
    assert lines[4].split()[-1] == "9"
    assert max(map(len, lines)) <= 80
    for table in OBJECTS:
        assert bool(rows(clickhouse, table)) == (table not in ("tag", "external_id")), table


def test_learning_events_come_from_logs() -> None:
    with pytest.raises(CommandError) as caught:
        dump_object("tag", "xapi")
    assert str(caught.value) == (
        "The rows of xapi are learning events, not objects: load the platform's tracking logs with "
        "`python manage.py cms aspects_load_tracking_logs`, which writes what is missing, and nothing twice"
    )


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(CommandError) as caught:
        dump_object("profiles")
    said, _, listed = str(caught.value).partition(": choose one of ")
    assert said == "There is no object 'profiles'"
    assert set(listed.replace(" or ", " ").replace(" ", "").split(",")) == {*OBJECTS, "all"}


def test_the_retirement_sink_is_no_object() -> None:
    with pytest.raises(CommandError, match="no object 'auth_user'"):
        dump_object("auth_user")


def test_a_model_that_cannot_be_imported(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {"tag": {"module": "nowhere.models", "model": "Tag"}}
    with pytest.raises(CommandError, match=r"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG\['tag'\]"):
        dump_object("tag")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--limit", 5, "--force"], "--limit with --force would write the same objects again"),
        (["--limit", 0], "--limit 0: it must be at least 1"),
        (["--limit", -1], "--limit -1"),
        (["--limit", "many"], "invalid int value"),
        (["--batch_size", 0], "--batch_size 0: it must be at least 1"),
        (["--batch_size", "1.5"], "invalid int value"),
        (["--sleep_time", -1], "--sleep_time -1.0: it must be at least 0"),
        (["--sleep_time", "nan"], "--sleep_time nan"),
        (["--sleep_time", "inf"], "--sleep_time inf: it must be at least 0 and at most 9,223,372,036"),
        (["--sleep_time", "1e300"], "--sleep_time 1e+300: it must be at least 0 and at most 9,223,372,036"),
        (["--timeout_secs", 0], "timeout_secs is 0"),
        (["--timeout_secs", "1e12"], "timeout_secs is 1000000000000.0: it must be a number of seconds above 0 and at "),
        (["--timeout_secs", "soon"], "invalid float value"),
        (["--url", "clickhouse"], "neither http"),
        (["--ids", "one"], "'one' is not a key of user_profile"),
        (["--ids", "9" * 25], f"'{'9' * 25}' is not a key of user_profile"),
        (["--ids_to_skip", "-" + "9" * 25], f"'-{'9' * 25}' is not a key of user_profile"),
        (["--ids"], "expected at least one argument"),
        (["--ids_to_skip", "1.5"], "'1.5' is not a key of user_profile"),
        (["--start_pk", ""], "'' is not a key of user_profile"),
        (["--colour", "red"], "unrecognized arguments: --colour"),
    ],
)
def test_nonsense_is_refused_before_anything_is_asked(
    args: list[Any], words: str, clickhouse_http: ClickHouseEndpoint, all_on: None
) -> None:
    profiles(1)
    with pytest.raises(CommandError, match=re.escape(words)):
        dump_object("user_profile", *args)
    assert clickhouse_http.requests == []


@pytest.mark.parametrize("option", ["--ids", "--ids_to_skip", "--start_pk"])
def test_keys_of_one_object_do_not_go_with_all(option: str) -> None:
    with pytest.raises(CommandError, match=f"{option} names keys of one object"):
        dump_object("all", option, "1")


# Courses


@pytest.fixture
def dumped(clickhouse_http: ClickHouseEndpoint, all_on: None) -> list[str]:
    """Six courses, of which the first, the second and the fourth are up to date."""
    keys = courses(6)
    dump_object("course_overviews")
    for i in (2, 4, 5):
        CourseOverview.objects.filter(pk=keys[i]).update(
            modified=CourseOverview.objects.get(pk=keys[i]).modified + timedelta(days=1)
        )
    clickhouse_http.clear()
    return keys


def dumps(client: ClickHouse) -> dict[str, int]:
    """How often each course has been dumped."""
    found: dict[str, int] = {}
    for row in rows(client, "course_overviews"):
        found[row["course_key"]] = found.get(row["course_key"], 0) + 1
    return found


def again(keys: list[str]) -> list[int]:
    """The indexes of the courses that have been dumped a second time."""
    counts = dumps(CourseOverviewSink().clickhouse)
    return [i for i, key in enumerate(keys) if counts[key] == 2]


def test_courses_that_are_up_to_date_are_left_out_by_one_query(
    dumped: list[str], clickhouse_http: ClickHouseEndpoint
) -> None:
    said = dump_object("course_overviews", "--batch_size", 2, verbosity=2)
    selects = [r.statement for r in clickhouse_http.requests if "FROM `" in r.statement and "SELECT" in r.statement]
    assert len(selects) == 1
    assert again(dumped) == [2, 4, 5]
    lines = said.splitlines()
    for line, i in zip(lines, (0, 1, 3), strict=False):
        course = re.escape(f"course_overviews {dumped[i]}")
        assert re.fullmatch(rf"{course} is up to date: published 20\d\d-.*, dumped 20\d\d-.*", line)
    assert lines[-1].startswith("course_overviews: 3 objects written (3 rows in course_overviews, ")
    assert ", 3 up to date, " in lines[-1]


def test_reasons_are_said_at_verbosity_2_only(dumped: list[str]) -> None:
    assert len(dump_object("course_overviews").splitlines()) == 1


def test_force_brings_them_all(dumped: list[str]) -> None:
    assert "6 objects written" in dump_object("course_overviews", "--force")
    assert again(dumped) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(("limit", "expected"), [(1, [2]), (2, [2, 4]), (3, [2, 4, 5]), (9, [2, 4, 5])])
@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_limit_counts_what_is_written(limit: int, expected: list[int], batch_size: int, dumped: list[str]) -> None:
    said = dump_object("course_overviews", "--limit", limit, "--batch_size", batch_size)
    assert again(dumped) == expected
    assert f"{len(expected)} objects written" in said


def test_after_a_limit_the_last_id_is_where_to_go_on(dumped: list[str]) -> None:
    last = dump_object("course_overviews", "--limit", 2).strip().rpartition(" ")[2]
    assert last == dumped[4]
    dump_object("course_overviews", "--limit", 5, "--start_pk", last)
    assert again(dumped) == [2, 4, 5]


def test_ids_of_courses(dumped: list[str]) -> None:
    dump_object("course_overviews", "--force", "--ids", dumped[1], dumped[0], "--ids_to_skip", dumped[0])
    assert again(dumped) == [1]
    with pytest.raises(CommandError, match="'nonsense' is not a key of course_overviews"):
        dump_object("course_overviews", "--ids", "nonsense")


def test_a_limit_smaller_than_what_is_read_at_least_stays_exact(clickhouse: ClickHouse, all_on: None) -> None:
    keys = profiles(LEAST_READ + 20)
    dump_object("user_profile", "--limit", LEAST_READ + 1)
    assert ids_in(clickhouse) == keys[: LEAST_READ + 1]


# Failures


def test_an_object_that_cannot_be_written_is_named_and_costs_the_others_nothing(
    clickhouse: ClickHouse, all_on: None
) -> None:
    keys = profiles(7)
    UserProfile.objects.create(id=TOO_LARGE, user=factories.make_user("too large", profile=False), name="Zoë Secret")
    out = StringIO()
    with pytest.raises(CommandError, match="1 objects could not be written; they are named above") as caught:
        dump_object("user_profile", stdout=out)
    assert caught.value.returncode == 1
    summary, last = out.getvalue().splitlines()
    assert last.startswith(f"user_profile {TOO_LARGE} cannot be written: ")
    assert "Zoë" not in out.getvalue()
    assert "7 objects written (7 rows in user_profile), 0 up to date, 1 not writable" in summary
    assert ids_in(clickhouse) == keys


FAILURES = {
    "password": (["--password", "wr0ng"], 'wrong user or password: correct "username" and "password"'),
    "user": (["--username", "nobody"], "wrong user or password"),
    "database": (["--database", "event_sink_nowhere"], "the database is missing"),
    "host": (["--url", "http://host.invalid:8123"], "http://host.invalid:8123"),
    "table": ([], "a table is missing: create it with `manage.py lms aspects_create_tables`"),
    "away": ([], "HTTP 503"),
}


@pytest.mark.parametrize(("args", "words"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("name", ["user_profile", "course_overviews"])
def test_failures_are_one_clear_message(
    name: str,
    args: list[str],
    words: str,
    clickhouse_http: ClickHouseEndpoint,
    clickhouse: ClickHouse,
    all_on: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    profiles(1)
    factories.make_course()
    if "table" in words:
        clickhouse.command(f"DROP TABLE {clickhouse.qualified(name)}")
    if "503" in words:
        clickhouse_http.fail("503", times=None)
    with caplog.at_level(0), pytest.raises(CommandError, match=re.escape(words)) as caught:
        dump_object(name, *args)
    assert caught.value.returncode == 1
    assert caught.value.__suppress_context__
    assert "\n" not in str(caught.value)
    assert "wr0ng" not in str(caught.value) + caplog.text


def test_options_replace_values_of_the_configuration(
    clickhouse: ClickHouse, clickhouse_endpoint: ClickHouseEndpoint, all_on: None, settings: Any
) -> None:
    keys = profiles(1)
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://host.invalid", "password": "none"}
    connect = ["--username", "ch_cms", "--password", "password", "--database", clickhouse.connection.database]
    dump_object("user_profile", "--url", clickhouse_endpoint.url, *connect, "--timeout_secs", "7")
    assert ids_in(clickhouse) == keys


# As an operator runs it


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("password", ["wr0ng", "password"])
def test_in_a_process_of_its_own(password: str, clickhouse_http: ClickHouseEndpoint, tmp_path: Path) -> None:
    keys = profiles(3)
    process = manage(tmp_path, "dump_data_to_clickhouse", "--object", "user_profile", backend={"password": password})
    out, errors = process.communicate()
    said = out + errors
    assert "Traceback" not in said, said
    if password == "password":
        assert process.returncode == 0, said
        assert ids_in(sinks()["user_profile"]().clickhouse) == keys
        assert "3 objects written" in out
    else:
        assert process.returncode == 1, said
        assert "CommandError: ClickHouse refused connecting" in errors
        assert password not in said


# Several objects


@pytest.mark.parametrize(
    "given", [["--object", "tag", "taxonomy"], ["--object", "tag", "--object", "taxonomy", "--object", "tag"]]
)
def test_several_objects_are_taken_in_their_order(given: list[str], clickhouse: ClickHouse, all_on: None) -> None:
    factories.make_tag()
    profiles(1)
    lines = run("dump_data_to_clickhouse", *given).splitlines()
    assert [line.split()[0] for line in lines] == ["object", "taxonomy", "tag", "all"]
    assert len(rows(clickhouse, "tag")) == 1
    assert rows(clickhouse, "user_profile") == []


def test_all_stands_for_all_whatever_else_is_named(clickhouse: ClickHouse, all_on: None) -> None:
    assert len(dump_object("tag", "all").splitlines()) == 2 + len(OBJECTS)


def test_of_several_objects_each_must_be_right() -> None:
    with pytest.raises(CommandError, match=r"^There is no object 'profile': choose one of "):
        dump_object("tag", "profile")
    with pytest.raises(
        CommandError, match=r"^--ids names keys of one object: it cannot be used with --object tag taxonomy$"
    ):
        dump_object("tag", "taxonomy", "--ids", "1")


def test_ids_may_be_given_several_times(clickhouse: ClickHouse, all_on: None) -> None:
    first, _second, third = profiles(3)
    dump_object("user_profile", "--ids", first, "--ids", third)
    assert ids_in(clickhouse) == [first, third]
