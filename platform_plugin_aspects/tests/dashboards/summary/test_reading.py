"""The numbers are read once a minute, and a ClickHouse that is away blocks no page."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache

from platform_plugin_aspects.dashboards.pages.summary_reading import (
    ReportsTimeout,
    ReportsUnavailable,
    State,
    reading_of,
)
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.tests.dashboards.summary.conftest import Ask
from platform_plugin_aspects.tests.reporting.site import COURSE
from platform_plugin_aspects.tests.reporting.test_rare_numbers import write
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.factories import make_overview
from test_utils.silent_cache import CACHES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

#: A part of the query, and of no other.
QUERY = "FROM `[a-z0-9_]+`.`course_summary`"


@pytest.fixture
def course(by_http: ClickHouseEndpoint, reports: Reports) -> ClickHouseEndpoint:
    """A course in ClickHouse, behind HTTP."""
    make_overview(COURSE)
    write(CourseOverviewSink())
    by_http.requests.clear()
    return by_http


def reads(endpoint: ClickHouseEndpoint, view: str = "course_summary") -> int:
    """How often the numbers were read."""
    return sum(f"`{view}`" in request.statement for request in endpoint.requests)


def names() -> list[str]:
    """The names in the cache of readings."""
    found = [key.split(":", 2)[2] for key in cache._cache]
    return [name for name in found if isinstance(kept := cache.get(name), dict) and "read_at" in kept]


def grow_old(secs: float) -> None:
    """Make what was read older by so much."""
    (name,) = names()
    kept = cache.get(name)
    cache.set(name, {**kept, "read_at": kept["read_at"] - secs}, 600)


def test_the_numbers_are_read_once_a_minute(course: ClickHouseEndpoint) -> None:
    first = reading_of(COURSE)
    assert (first.state, first.values["enrolled"]) == (State.READY, 0)
    assert reading_of(COURSE) == first
    grow_old(40)
    assert reading_of(COURSE).values == first.values
    assert reads(course) == 1
    grow_old(21)
    assert reading_of(COURSE).read_at > first.read_at
    assert reads(course) == 2


def test_the_week_before_is_read_once_an_hour(course: ClickHouseEndpoint) -> None:
    for _ in range(3):
        assert "at_risk_before" in reading_of(COURSE).values
        grow_old(61)
    assert (reads(course), reads(course, "course_summary_before")) == (3, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "exception", "code": 60},
        {"kind": "exception", "code": 497},
        {"kind": "exception", "code": 159},
        {"kind": "exception", "code": 241},
        {"kind": "503"},
        {"kind": "reset"},
        {"kind": "slow", "seconds": 30},
    ],
    ids=["missing", "denied", "ended by the server", "memory", "503", "reset", "slow"],
)
def test_without_the_week_before_there_are_the_other_numbers(
    fault: dict[str, Any], course: ClickHouseEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    course.fail(times=None, match="course_summary_before", **fault)
    first = reading_of(COURSE)
    assert (first.state, "at_risk" in first.values, "at_risk_before" in first.values) == (State.READY, True, False)
    assert f"The numbers of {COURSE} a week ago cannot be read: " in caplog.text
    # Not tried again within a minute.
    grow_old(40)
    tried = reads(course, "course_summary_before")
    course.heal()
    assert "at_risk_before" not in reading_of(COURSE).values
    assert reads(course, "course_summary_before") == tried
    grow_old(21)
    assert "at_risk_before" in reading_of(COURSE).values


def test_without_numbers_those_of_the_week_before_are_not_read(course: ClickHouseEndpoint) -> None:
    course.fail("exception", match=QUERY, code=159)
    with pytest.raises(ReportsTimeout):
        reading_of(COURSE)
    assert reads(course, "course_summary_before") == 0


def test_a_reading_is_kept_for_an_hour(course: ClickHouseEndpoint) -> None:
    reading_of(COURSE)
    assert list(cache._expire_info.values()) == pytest.approx([time.time() + 3600] * 2, abs=60)


def test_a_hundred_at_the_same_time_read_once(course: ClickHouseEndpoint) -> None:
    course.fail("slow", times=1, match=QUERY, seconds=0.3)
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: reading_of(COURSE).read_at, range(100)))
    assert len(set(found)) == 1
    assert reads(course) == 1


def test_while_one_request_reads_others_get_the_former_numbers(course: ClickHouseEndpoint) -> None:
    reading_of(COURSE)
    grow_old(61)
    (name,) = names()
    former = cache.get(name)["read_at"]
    # Another process reads.
    cache.set(f"{name}.reading", True, 10)
    assert reading_of(COURSE).read_at == former
    assert reads(course) == 1
    cache.delete(f"{name}.reading")
    assert reading_of(COURSE).read_at > former


def test_the_former_numbers_serve_while_clickhouse_is_away(
    course: ClickHouseEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    first = reading_of(COURSE)
    grow_old(61)
    course.fail("503", times=None, match=QUERY)
    assert [reading_of(COURSE).values for _ in range(3)] == [first.values] * 3
    # It is tried again after ten seconds only.
    assert reads(course) == 2
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith(f"The numbers of {COURSE} cannot be read: ClickHouse cannot be reached")


def test_without_any_reading_a_failure_is_remembered_for_ten_seconds(course: ClickHouseEndpoint) -> None:
    course.fail("503", times=None, match=QUERY)
    for _ in range(3):
        with pytest.raises(ReportsUnavailable):
            reading_of(COURSE)
    assert reads(course) == 1
    ends = [at for key, at in cache._expire_info.items() if "summary" in key]
    assert ends == pytest.approx([time.time() + 10] * 2, abs=5)
    course.heal()
    cache.clear()
    assert reading_of(COURSE).state is State.READY


def test_a_slow_clickhouse_is_not_waited_for(course: ClickHouseEndpoint) -> None:
    course.fail("slow", times=1, match=QUERY, seconds=30)
    begun = time.monotonic()
    with pytest.raises(ReportsTimeout):
        reading_of(COURSE)
    # Not the five seconds of the settings.
    assert time.monotonic() - begun < 4.5


def test_a_query_that_the_server_ends_is_a_timeout(course: ClickHouseEndpoint) -> None:
    course.fail("exception", match=QUERY, code=159)
    with pytest.raises(ReportsTimeout):
        reading_of(COURSE)


@pytest.mark.parametrize("kind", CACHES)
def test_without_a_cache_each_request_reads(kind: str, course: ClickHouseEndpoint, settings: Any) -> None:
    settings.CACHES = CACHES[kind]
    found = [reading_of(COURSE) for _ in range(2)]
    assert [reading.state for reading in found] == [State.READY] * 2
    assert reads(course) == 2


def test_another_database_or_server_is_read_anew(course: ClickHouseEndpoint, settings: Any) -> None:
    assert reading_of(COURSE).state is State.READY
    settings.ASPECTS_REPORTING_DATABASE = "no_reports"
    assert reading_of(COURSE).state is State.MISSING


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "503"}, 503, "reports_unavailable"),
        ({"kind": "reset"}, 503, "reports_unavailable"),
        ({"kind": "exception", "code": 202}, 503, "reports_unavailable"),
        ({"kind": "exception", "code": 159}, 504, "reports_timeout"),
        ({"kind": "exception", "code": 516}, 502, "reports_misconfigured"),
        ({"kind": "exception", "code": 43}, 502, "reports_misconfigured"),
    ],
)
def test_faults_have_a_status_and_a_code(
    fault: dict[str, Any],
    status: int,
    code: str,
    by_http: ClickHouseEndpoint,
    ask: Ask,
    caplog: pytest.LogCaptureFixture,
) -> None:
    by_http.fail(times=None, match=QUERY, **fault)
    found, answer = ask()
    assert (found, set(answer), answer["code"]) == (status, {"detail", "code"}, code)
    assert "127.0.0.1" not in answer["detail"]
    assert [record for record in caplog.records if record.exc_info] == []


def test_without_the_right_to_read_the_grants_are_the_remedy(
    by_http: ClickHouseEndpoint, team: User, ask: Ask, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    database = settings.ASPECTS_REPORTING_DATABASE
    rights = {f"{database}.course_summary": ("SELECT",)}
    User.objects.filter(pk=team.pk).update(is_staff=True)
    write(CourseOverviewSink())
    for allowed, number in (({}, 0), (rights, 5)):
        monkeypatch.setattr(by_http, "users", {**by_http.users, "ch_cms": ("password", allowed)})
        status, answer = ask()
        assert (status, len(answer["numbers"])) == (200, number)
        if not allowed:
            assert answer["reasons"] == [
                {
                    "text": "The reports may not be read yet. Please tell the site's administrators.",
                    "command": "python manage.py lms aspects_reports --print-grants",
                }
            ]
        cache.clear()


def test_a_server_that_is_down(by_http: ClickHouseEndpoint, ask: Ask) -> None:
    by_http.stop()
    assert ask()[1]["code"] == "reports_unavailable"


@pytest.mark.parametrize(
    ("setting", "value", "logged"),
    [
        ("EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG", {"url": "clickhouse"}, "The ClickHouse url 'clickhouse' is neither"),
        ("ASPECTS_REPORTING_DATABASE", 5, "ASPECTS_REPORTING_DATABASE is 5"),
        ("ASPECTS_REPORTING_RULES", {"away_days": "week"}, "away_days in ASPECTS_REPORTING_RULES is 'week'"),
    ],
)
def test_invalid_settings_are_an_error_without_details(
    setting: str, value: Any, logged: str, ask: Ask, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    setattr(settings, setting, value)
    status, answer = ask()
    assert (status, answer["code"]) == (502, "reports_misconfigured")
    assert setting not in answer["detail"]
    assert logged in caplog.text


def test_a_site_without_reports_answers_not_found(by_http: ClickHouseEndpoint, ask: Ask, settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = False
    status, answer = ask()
    assert (status, answer) == (404, {"detail": "This site has no reports.", "code": "reports_off"})
    assert reads(by_http) == 0
