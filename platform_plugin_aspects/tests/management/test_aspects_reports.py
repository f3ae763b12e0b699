"""aspects_reports: create, status, rebuild, grants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.sinks.external_id_sink import ExternalIdSink
from platform_plugin_aspects.sinks.user_profile_sink import UserProfileSink
from test_utils.factories import make_external_id, make_user

ALL = sum(not relation.is_personal for relation in relations())
BOARDS = [
    *("at_risk_reasons", "course_names", "course_outline", "course_structure", "course_summary"),
    *("course_summary_before", "engagement_by_day", "enrollment_by_day", "enrollment_by_track"),
    *("enrollment_by_track_and_day", "forum_activity"),
    *("grade_distribution", "graded_subsections", "learner_status", "problem_answers", "problem_performance"),
    *("run_comparison", "subsection_problems", "video_minutes", "video_seconds", "video_watch"),
]


@pytest.fixture
def database(clickhouse: ClickHouse, settings: Any) -> Iterator[str]:
    name = clickhouse.connection.database.replace("event_sink", "reports")
    settings.ASPECTS_REPORTING_DATABASE = name
    yield name
    clickhouse.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")


def run(*args: str) -> list[str]:
    out = StringIO()
    call_command("aspects_reports", *args, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def fails(*args: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*args)
    return str(caught.value)


@pytest.mark.usefixtures("database")
def test_create_status_and_rebuild(settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True
    assert fails() == f"{ALL} relations are missing: run `manage.py lms aspects_reports create`"

    said = run("create")
    assert (said[-1], len(said)) == (f"{ALL} relations created", ALL + 1)
    assert run("create") == ["0 relations created"]

    states = [line.split() for line in run("status")]
    assert states[0] == ["relation", "state", "table"]
    assert {state[1] for state in states[1:]} == {"current"}
    assert set(json.loads("".join(run("status", "--json")))["events"]) == {"status", "table"}
    assert run("rebuild") == ["0 relations rebuilt"]
    assert run("rebuild", "--relation", "marks") == ["rebuilt marks", "1 relations rebuilt"]
    assert run("rebuild", "--relation", "marks", "--since", "2026-01-01") == [
        *("read again marks", "1 relations read again")
    ]
    # Views follow the rules; stored relations do not depend on them.
    settings.ASPECTS_REPORTING_RULES = {"away_days": 14}
    assert fails("status") == ("5 relations are of an older definition: run `manage.py lms aspects_reports create`")
    *created, said_last = run("create")
    assert sorted(created) == [
        *("created at_risk_reasons", "created course_summary", "created course_summary_before"),
        *("created learner_standing", "created learner_status"),
    ]
    assert said_last == "5 relations created"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("create", "--since", "2026-01-01"), "--since needs the action rebuild"),
        (("status", "--relation", "events"), "--relation needs the action rebuild"),
        (("create", "--json"), "--json needs the action status"),
        (
            ("rebuild", "--since", "soon"),
            "--since soon: it must be an ISO 8601 date, as 2026-01-31 or 2026-01-31T12:00",
        ),
        (("create", "--reader_password", "x"), "--reader_username and --reader_password need --print-grants"),
        (("create", "--print-grants"), "chdb://{} is the embedded engine, which has no users: nothing to grant"),
    ],
)
@pytest.mark.usefixtures("database")
def test_what_is_refused(args: tuple[str, ...], message: str, clickhouse: ClickHouse) -> None:
    assert fails(*args) == message.format(clickhouse.connection.embedded_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE", "reporting", "ASPECTS_REPORTING_DATABASE is 'reporting': name a database of its own"),
        ("DATABASE", 7, "ASPECTS_REPORTING_DATABASE is 7: it must be the name of a database"),
        ("EVENT_DAYS", -1, "ASPECTS_REPORTING_EVENT_DAYS is -1: it must be a whole number of days"),
        ("RULES", {"low_grade": 50}, "low_grade in ASPECTS_REPORTING_RULES is 50: it must be a number from 0 to 1"),
        (
            *("RULES", {"away_days": 1.5}),
            "away_days in ASPECTS_REPORTING_RULES is 1.5: it must be a whole number from 1 to 365",
        ),
        ("RULES", {"behind": True}, "behind in ASPECTS_REPORTING_RULES is True: it must be a number from 0 to 1"),
    ],
)
def test_invalid_settings_are_named(name: str, value: Any, message: str, settings: Any) -> None:
    setattr(settings, f"ASPECTS_REPORTING_{name}", value)
    assert fails("status").startswith(message)


def test_the_reader_may_read_the_views_of_boards_and_nothing_else(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://clickhouse:8123"}
    said = run("create", "--print-grants", "--reader_password", "secret")
    granted = [line for line in said if re.match("GRANT .* TO `ch_report`;", line)]
    assert sorted(granted) == sorted(f"GRANT SELECT ON `aspects_reports`.`{name}` TO `ch_report`;" for name in BOARDS)
    assert any("readonly = 1" in line and "max_memory_usage" in line for line in said)
    assert not any("secret" in line for line in said)


@pytest.mark.django_db
def test_names_are_shown_while_both_personal_sinks_are_on(database: str, clickhouse: ClickHouse, settings: Any) -> None:
    ada = make_user("ada", profile={"name": "Ada L."})
    actor = make_external_id(ada).external_user_id
    for sink in (ExternalIdSink(), UserProfileSink()):
        sink.write(sink.read(Selection()), timezone.now())
    run("create")
    for name in ("A", "B"):
        clickhouse.command(
            f"INSERT INTO `{database}`.`{table_of(clickhouse, database)}` "
            f"(course_key, day, actor_id, kind, first_at, last_at) SELECT 'course-v1:Org+{name}+1', "
            f"toDate('2026-03-01'), '{actor}', 'page', toDateTime64('2026-03-01', 6, 'UTC') AS first_at, first_at"
        )
    settings.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    assert "created learner_names" not in run("create")
    settings.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = True

    assert "created learner_names" in run("create")

    sql = f"SELECT org, actor_id, user_id, username, name, email FROM `{database}`.learner_names"
    assert list(map(tuple, clickhouse.select(f"{sql} WHERE course_key = 'course-v1:Org+A+1'"))) == [
        ("Org", str(actor), ada.pk, "ada", "Ada L.", "ada@example.invalid")
    ]
    clickhouse.command(
        f"INSERT INTO `{database}`.`{table_of(clickhouse, database)}` "
        f"(course_key, day, actor_id, kind, first_at, last_at) SELECT 'course-v1:Org+A+1', "
        "toDate('2026-03-02'), 'stranger', 'page', toDateTime64('2026-03-02', 6, 'UTC') AS first_at, first_at"
    )
    with_names = f"SELECT actor_id, user_id, name, at_risk, reasons FROM `{database}`.learner_status_with_names"
    found = clickhouse.select(f"{with_names} WHERE course_key = 'course-v1:Org+A+1' ORDER BY name DESC")
    assert list(map(tuple, found)) == [
        (str(actor), ada.pk, "Ada L.", True, "no visit for 7 days"),
        ("stranger", None, "", True, "no visit for 7 days"),
    ]
    settings.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = False
    run("create")
    for personal in (sql, with_names):
        with pytest.raises(Misconfigured):
            clickhouse.select(personal)


def table_of(clickhouse: ClickHouse, database: str) -> str:
    """The table of the relation activity."""
    sql = "SELECT name FROM system.tables WHERE database = {database:String} AND match(name, '^activity_v[0-9a-f]+_1$')"
    [(name,)] = clickhouse.select(sql, {"database": database})
    return str(name)
