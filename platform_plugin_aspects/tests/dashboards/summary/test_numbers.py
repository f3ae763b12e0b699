"""The numbers of a course, how fresh they are, and the reasons why boards are empty."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone, translation

from platform_plugin_aspects.dashboards.pages.summary import percent, since
from platform_plugin_aspects.models import Change, TrackingEvent
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.course_enrollment_sink import CourseEnrollmentSink
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.tests.dashboards.summary.conftest import Ask
from platform_plugin_aspects.tests.reporting.site import COURSE
from platform_plugin_aspects.tests.reporting.test_hostile_statements import LMS
from platform_plugin_aspects.tests.reporting.test_rare_numbers import DISCUSSION, done, write
from test_utils import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

#: The clock of the reports in tests.
TODAY = datetime(2026, 3, 31, tzinfo=UTC)


@pytest.fixture
def published(team: User, reports: Reports) -> Reports:
    """The course is published, and in ClickHouse."""
    write(CourseOverviewSink())
    return reports


def read(actor: str, day: int) -> Any:
    """Somebody reads in the forum on a day in March 2026."""
    return done("viewed", actor, f"{LMS}/thread/1", DISCUSSION, day)


def test_five_numbers(published: Reports, ask: Ask) -> None:
    for day in (20, 27, 30):
        factories.make_enrollment(course_key=COURSE, created=datetime(2026, 3, day, tzinfo=UTC))
    factories.make_enrollment(course_key=COURSE, created=datetime(2026, 3, 28, tzinfo=UTC), is_active=False)
    write(CourseEnrollmentSink())
    StatementSink().insert([read("ada", 20), read("ada", 26), read("ben", 30), read("cleo", 24)])
    status, answer = ask()
    assert status == 200
    assert [(number["name"], number["label"], number["value"]) for number in answer["numbers"]] == [
        ("active", "Active learners", "2"),
        ("enrolled", "Enrolled learners", "3"),
        ("progress", "Median progress", "0%"),
        ("grade", "Median grade", "–"),
        ("at_risk", "Learners at risk", "0"),
    ]
    assert [number["board"] for number in answer["numbers"]] == ["course", "course", "course", "course", "at-risk"]
    assert (answer["numbers"][0]["before"], answer["numbers"][0]["before_text"]) == ("2", "2 the week before")
    assert [(number["before"], number["before_text"]) for number in answer["numbers"][1:]] == [
        ("", "3 new, 0 left (before: 1, 0)"),
        ("0%", "0% a week ago"),
        ("", ""),
        ("0", "0 a week ago"),
    ]
    assert answer["numbers"][4]["definition"] == (
        "Learners who have not left and do not pass, and who did nothing for more than 7 days, have a grade below 50%, "
        "or have less progress than 50% of the median."
    )
    assert all(number["definition"].endswith(".") for number in answer["numbers"])
    assert answer["reasons"] == []
    age = timezone.now() - datetime.fromisoformat(answer["generated_at"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_the_last_event_is_told_by_its_age(published: Reports, ask: Ask) -> None:
    event = read("ada", 1)._replace(emission_time=timezone.now() - timedelta(hours=2, minutes=5))
    StatementSink().insert([event])
    assert re.fullmatch(r"Last event 2\xa0hours ago\. Course published \d+ seconds? ago\.", ask()[1]["freshness"])


def test_staff_see_how_many_changes_wait(published: Reports, team: User, ask: Ask) -> None:
    Change.objects.all().delete()
    TrackingEvent.objects.all().delete()
    Change.objects.create(sink="tag", object_id="1")
    TrackingEvent.objects.create(name="play_video", payload=b"")
    assert "wait" not in ask()[1]["freshness"]
    User.objects.filter(pk=team.pk).update(is_staff=True)
    assert ask()[1]["freshness"].endswith(" 2 changes wait to be sent to the reports.")
    TrackingEvent.objects.all().delete()
    assert ask()[1]["freshness"].endswith(" 1 change waits to be sent to the reports.")
    Change.objects.bulk_create([Change(sink="tag", object_id=str(number)) for number in range(1_001)])
    assert ask()[1]["freshness"].endswith(" 1,000+ changes wait to be sent to the reports.")


@pytest.mark.parametrize(
    ("language", "secs", "words"),
    [
        ("en", 0, "0 seconds"),
        ("en", 1, "1 second"),
        ("en", 40, "40 seconds"),
        ("en", -30, "0 seconds"),
        ("en", 61, "1\xa0minute"),
        ("en", 86_400 * 3, "3\xa0days"),
        ("fr", 7_300, "2\xa0heures"),
    ],
)
def test_ages_are_told_in_one_unit(language: str, secs: int, words: str) -> None:
    with translation.override(language):
        assert since(timezone.now().timestamp() - secs) == words


def test_numbers_have_the_user_s_format(published: Reports, ask: Ask) -> None:
    published.client.command(
        f"INSERT INTO {published.client.qualified('course_enrollment')} "
        "(id, course_key, created, is_active, mode, username, user_id, dump_id, time_last_dumped) "
        f"SELECT number, '{COURSE}', '2026-01-01T00:00:00Z', true, 'audit', '', number, generateUUIDv4(), "
        "'2026-01-01 00:00:00.000000+00:00' FROM numbers(1203)"
    )
    assert ask(**{"Accept-Language": "en"})[1]["numbers"][1]["value"] == "1,203"
    assert ask(**{"Accept-Language": "fr"})[1]["numbers"][1]["value"] == "1\xa0203"


def test_shares_are_rounded_to_whole_per_cent() -> None:
    with translation.override("en"):
        assert [percent(share) for share in (0, 0.454, 0.456, 1)] == ["0%", "45%", "46%", "100%"]
    with translation.override("fr"):
        assert percent(0.454) == "45\xa0%"


PUBLISH = "This course has not been published since the reports were set up. Please publish it in Studio."
NO_COURSES = "This site does not send its courses to the reports."
NO_ENROLLMENTS = "This site does not send enrollments to the reports."
NO_EVENTS = "This site does not send what learners do to the reports."
NOTHING = "No learner has done anything in this course yet."
NO_NAMES = "Boards with the names of learners are missing because this site does not send names to the reports."


@pytest.mark.parametrize(
    ("off", "reasons"),
    [
        ([], [(NOTHING, "")]),
        (
            ["xapi"],
            [
                (
                    NO_EVENTS,
                    "python manage.py lms waffle_flag event_sink_clickhouse.xapi.enabled --everyone --create",
                )
            ],
        ),
        (
            ["course_enrollment"],
            [
                (
                    NO_ENROLLMENTS,
                    "python manage.py lms waffle_flag event_sink_clickhouse.course_enrollment.enabled --everyone "
                    "--create",
                ),
                (NOTHING, ""),
            ],
        ),
        (
            ["user_profile"],
            [
                (NOTHING, ""),
                (
                    NO_NAMES,
                    "python manage.py lms waffle_flag event_sink_clickhouse.user_profile.enabled --everyone --create",
                ),
            ],
        ),
    ],
)
def test_reasons_of_a_course_without_events(
    off: list[str], reasons: list[tuple[str, str]], published: Reports, team: User, ask: Ask, settings: Any
) -> None:
    settings.SUPERSET_CONFIG = {"service_url": "https://superset.example.com/"}
    for name in off:
        setattr(settings, f"EVENT_SINK_CLICKHOUSE_{name.upper()}_ENABLED", False)
    found = ask()[1]
    assert found["reasons"] == [{"text": text, "command": ""} for text, _command in reasons if text != NO_NAMES]
    assert (found["numbers"][1]["value"] == "–") is (off == ["course_enrollment"])
    assert (found["numbers"][4]["board"] == "") is (off == ["user_profile"])
    User.objects.filter(pk=team.pk).update(is_staff=True)
    assert ask()[1]["reasons"] == [{"text": text, "command": command} for text, command in reasons]


def test_a_site_without_superset_misses_no_boards(published: Reports, team: User, ask: Ask, settings: Any) -> None:
    settings.SUPERSET_CONFIG = {}
    settings.EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED = False
    User.objects.filter(pk=team.pk).update(is_staff=True)
    assert ask()[1]["reasons"] == [{"text": NOTHING, "command": ""}]


def test_a_sink_that_no_flag_turns_on_says_why(published: Reports, team: User, ask: Ask, settings: Any) -> None:
    settings.XAPI_EVENTS_ENABLED = False
    assert ask()[1]["reasons"] == [{"text": NO_EVENTS, "command": ""}]
    User.objects.filter(pk=team.pk).update(is_staff=True)
    text = f"{NO_EVENTS} xapi is off: XAPI_EVENTS_ENABLED is off: set it to True."
    assert ask()[1]["reasons"] == [{"text": text, "command": ""}]


def test_a_course_that_was_never_published(reports: Reports, team: User, ask: Ask, settings: Any) -> None:
    StatementSink().insert([read("ada", 30)])
    status, answer = ask()
    assert (status, answer["numbers"], answer["freshness"]) == (200, [], "")
    assert answer["reasons"] == [{"text": PUBLISH, "command": ""}]
    User.objects.filter(pk=team.pk).update(is_staff=True)
    assert ask()[1]["reasons"][0]["command"] == (
        f"python manage.py cms dump_data_to_clickhouse --object course_overviews --ids {COURSE}"
    )
    settings.EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED = False
    assert [reason["text"] for reason in ask()[1]["reasons"]] == [NO_COURSES]


def test_reports_that_were_not_created(reports: Reports, team: User, ask: Ask, settings: Any) -> None:
    settings.ASPECTS_REPORTING_DATABASE = f"none_{uuid.uuid4().hex[:8]}"
    User.objects.filter(pk=team.pk).update(is_staff=True)
    status, answer = ask()
    assert (status, answer["numbers"]) == (200, [])
    assert answer["reasons"] == [
        {
            "text": "The reports have not been set up yet. Please tell the site's administrators.",
            "command": "python manage.py lms aspects_reports create",
        }
    ]
