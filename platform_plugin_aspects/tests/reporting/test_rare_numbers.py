"""Numbers that a small class does not have: threads read, hints, half of the points, enrollments of the last days."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.sinks.course_enrollment_sink import CourseEnrollmentSink
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.site import COURSE, rows, with_clock
from platform_plugin_aspects.tests.reporting.test_hostile_statements import COURSE_TYPE, INTERACTION, LMS, statement
from platform_plugin_aspects.xapi.transform import Statement
from test_utils import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

DISCUSSION = "http://id.tincanapi.com/activitytype/discussion"
HINT = "https://w3id.org/xapi/acrossx/extensions/supplemental-info"
MODULE = "http://adlnet.gov/expapi/activities/module"
SOLUTION = "http://id.tincanapi.com/activitytype/solution"
PROBLEM = str(COURSE.make_usage_key("problem", "problem_5"))


def done(verb: str, actor: str, about: str, kind: str, day: int = 1, result: dict[str, Any] | None = None) -> Statement:
    """Somebody does something in March 2026."""
    thing = {"id": about, "definition": {"type": kind}}
    who = {"account": {"name": actor}}
    event = statement(verb, str(COURSE), actor=who, object=thing, result=result)
    return Statement(uuid.uuid4(), datetime(2026, 3, day, 12, tzinfo=UTC), json.dumps(event))


def write(*sinks: Any) -> None:
    for sink in sinks:
        sink.write(sink.read(Selection()), timezone.now())


def test_threads_read_are_counted_by_day_and_once_per_statement(reports: Reports) -> None:
    first = done("viewed", "ada", f"{LMS}/thread/1", DISCUSSION)
    again = done("viewed", "ada", f"{LMS}/thread/1", DISCUSSION)
    other = done("viewed", "ben", f"{LMS}/thread/2", DISCUSSION)
    later = done("posted", "ben", f"{LMS}/thread/2", DISCUSSION, day=2)
    StatementSink().insert([first, again, first])
    StatementSink().insert([first, other, later])
    columns = ("posts", "learners_posting", "views", "learners")
    assert [(str(row["day"]), *(row[name] for name in columns)) for row in rows(reports, "forum_activity")] == [
        ("2026-03-01", 0, 0, 3, 2),
        ("2026-03-02", 1, 1, 0, 1),
    ]


def test_hints_and_answers_are_counted_once_per_learner(reports: Reports) -> None:
    factories.make_course(COURSE, leaves=2)
    write(CourseOverviewSink())
    [problem] = rows(reports, "problem_performance")
    assert (problem["usage_key"], problem["asked_hint"], problem["asked_answer"]) == (PROBLEM, 0, 0)
    url = f"{LMS}/xblock/{PROBLEM}"
    asked = [
        done("asked", actor, f"{url}/hint/{number}", HINT) for actor, number in (("ada", 0), ("ada", 1), ("ben", 0))
    ]
    asked.append(done("asked", "ada", f"{url}/answer", SOLUTION))
    asked.append(done("evaluated", "cleo", url, INTERACTION))
    StatementSink().insert(asked)
    [problem] = rows(reports, "problem_performance")
    assert (problem["learners"], problem["asked_hint"], problem["asked_answer"]) == (1, 2, 1)


def test_scores_are_those_of_the_newest_grades_and_full_with_all_points(reports: Reports) -> None:
    factories.make_course(COURSE, sequentials=2)
    write(CourseOverviewSink())
    [subsection] = rows(reports, "graded_subsections")
    assert (subsection["learners"], subsection["mean_score"], subsection["full_score"]) == (0, None, 0)
    url = f"{LMS}/xblock/{subsection['usage_key']}"
    grades = (("ada", 1, 0.25), ("ada", 2, 0.5), ("ben", 1, 0.6), ("cleo", 1, 1.0))
    StatementSink().insert(
        [done("earned", actor, url, MODULE, day, {"score": {"scaled": scaled}}) for actor, day, scaled in grades]
    )
    [subsection] = rows(reports, "graded_subsections")
    columns = ("learners", "mean_score", "median_score", "full_score")
    assert tuple(subsection[name] for name in columns) == (3, 0.7, 0.6, 1)

    # Three learners are too few for a group of four, unless boards may show who they are.
    for smallest, personal, shown in [
        (3, False, (3, 0.7, 0.6, 1)),
        (4, False, (3, None, None, None)),
        (4, True, (3, 0.7, 0.6, 1)),
    ]:
        limited = Reports(reports.client, replace(with_clock(smallest_group=smallest), personal=personal))
        limited.create(go_on)
        [subsection] = rows(limited, "graded_subsections")
        assert tuple(subsection[name] for name in columns) == shown


def test_the_median_grade_of_few_is_hidden_unless_names_are_shown(reports: Reports) -> None:
    factories.make_course(COURSE)
    write(CourseOverviewSink())
    url = f"{LMS}/course/{COURSE}"
    grades = (("ada", 0.25), ("ben", 0.75))
    StatementSink().insert([done("registered", actor, url, COURSE_TYPE) for actor, _scaled in grades])
    StatementSink().insert(
        [done("earned", actor, url, COURSE_TYPE, 1, {"score": {"scaled": scaled}}) for actor, scaled in grades]
    )
    for smallest, personal, shown in [(2, False, 0.5), (3, False, None), (3, True, 0.5)]:
        limited = Reports(reports.client, replace(with_clock(smallest_group=smallest), personal=personal))
        limited.create(go_on)
        [course] = rows(limited, "course_summary")
        assert course["median_grade"] == shown


def test_answers_of_few_are_hidden_unless_names_are_shown(reports: Reports) -> None:
    factories.make_course(COURSE, leaves=2)
    write(CourseOverviewSink())
    url = f"{LMS}/xblock/{PROBLEM}"
    wrong = {"response": "west", "success": False, "score": {"scaled": 0}}
    StatementSink().insert([done("evaluated", actor, url, INTERACTION, 1, wrong) for actor in ("ada", "ben")])
    for smallest, personal, answers in [
        (2, False, [("west", 2)]),
        (3, False, []),
        (3, True, [("west", 2)]),
    ]:
        limited = Reports(reports.client, replace(with_clock(smallest_group=smallest), personal=personal))
        limited.create(go_on)
        assert [(row["answer"], row["learners"]) for row in rows(limited, "problem_answers")] == answers


def test_enrollments_of_the_last_seven_days_are_new(reports: Reports) -> None:
    """The clock stands at midnight, at the beginning of March 31."""
    factories.make_course(COURSE)
    for moment in ("2026-03-24 23:59:59", "2026-03-25 00:00:00", "2026-03-31 00:00:00"):
        factories.make_enrollment(course_key=COURSE, created=datetime.fromisoformat(f"{moment}+00:00"))
    factories.make_enrollment(
        course_key=COURSE, created=datetime(2026, 3, 26, tzinfo=UTC), mode="verified", is_active=False
    )
    write(CourseOverviewSink(), CourseEnrollmentSink())
    [course] = rows(reports, "course_summary")
    assert (course["enrolled"], course["new_7_days"]) == (3, 3)
    assert [(str(row["day"]), row["new"], row["enrolled"]) for row in rows(reports, "enrollment_by_day")] == [
        ("2026-03-24", 1, 1),
        ("2026-03-25", 1, 2),
        ("2026-03-26", 1, 3),
        ("2026-03-31", 1, 4),
    ]


def test_the_end_of_a_course_is_shown(reports: Reports) -> None:
    end = datetime(2026, 6, 30, 21, 59, 59, 500_000, tzinfo=UTC)
    factories.make_course(COURSE, end=end)
    write(CourseOverviewSink())
    [course] = rows(reports, "course_names")
    assert (course["course_name"], course["ends_at"]) == ("Course 2026", end)


def test_where_events_end_the_past_is_unknown(reports: Reports) -> None:
    factories.make_course(COURSE)
    factories.make_enrollment(course_key=COURSE, created=datetime(2026, 3, 24, tzinfo=UTC))
    write(CourseOverviewSink(), CourseEnrollmentSink())
    StatementSink().insert([done("viewed", "ada", f"{LMS}/thread/1", DISCUSSION)])
    known = ("left_7_days", "median_progress", "median_grade", "at_risk")
    for days, values in ((0, (0, 0.0, None, 1)), (400, (None, None, None, None))):
        limited = Reports(reports.client, replace(with_clock(), event_days=days))
        limited.create(go_on)
        [course] = rows(limited, "course_summary_before")
        assert course["as_of"] == datetime(2026, 3, 25, tzinfo=UTC)
        assert course["new_7_days"] == 1
        assert tuple(course[name] for name in known) == values
    Reports(reports.client, with_clock()).create(go_on)
