"""Numbers of charts that a small class does not have: tenths at their limits, few learners, large courses."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.course_enrollment_sink import CourseEnrollmentSink
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.sinks.external_id_sink import ExternalIdSink
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.sinks.user_profile_sink import UserProfileSink
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.site import COURSE, rows, with_clock
from platform_plugin_aspects.tests.reporting.test_hostile_statements import COURSE_TYPE, TIME, statement
from platform_plugin_aspects.tests.reporting.test_rare_numbers import LMS, MODULE, done, write
from platform_plugin_aspects.xapi.transform import Statement
from test_utils import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

COURSE_URL = f"{LMS}/course/{COURSE}"


def graded(actor: str, scaled: float, about: str = COURSE_URL, kind: str = COURSE_TYPE) -> Statement:
    """A learner has a grade."""
    return done("earned", actor, about, kind, 1, {"score": {"scaled": scaled}})


def test_grades_at_the_limits_of_tenths_are_in_the_upper_one(reports: Reports) -> None:
    # 0.57 * 10 is more than 5.7, and 0.3 * 10, of three times 0.1, is a little more than 3.
    grades = (0.0, 0.0999, 0.1, 0.2, 0.1 * 3, 0.57, 0.7, 0.8999, 0.9, 1.0)
    StatementSink().insert([graded(f"learner {number}", grade) for number, grade in enumerate(grades)])
    found = {row["tenth"]: row["learners"] for row in rows(reports, "grade_distribution")}
    assert found == {
        "0-9%": 2,
        "10-19%": 1,
        "20-29%": 1,
        "30-39%": 1,
        "40-49%": 0,
        "50-59%": 1,
        "60-69%": 0,
        "70-79%": 1,
        "80-89%": 1,
        "90-100%": 2,
    }


def test_grades_of_those_who_left_are_not_in_a_tenth(reports: Reports) -> None:
    StatementSink().insert([graded("ada", 0.75), graded("ben", 0.75), graded("cleo", 0.25)])
    StatementSink().insert([done("registered", "ada", COURSE_URL, COURSE_TYPE)])
    StatementSink().insert([done("unregistered", "ben", COURSE_URL, COURSE_TYPE)])
    found = [(row["tenth"], row["learners"]) for row in rows(reports, "grade_distribution") if row["learners"]]
    assert found == [("20-29%", 1), ("70-79%", 1)]


def test_tenths_with_few_learners_have_no_number_unless_names_are_shown(reports: Reports) -> None:
    factories.make_course(COURSE, sequentials=2)
    write(CourseOverviewSink())
    [subsection] = rows(reports, "graded_subsections")
    url = f"{LMS}/xblock/{subsection['usage_key']}"
    grades = (("ada", 0.25), ("ben", 0.25), ("cleo", 0.95))
    StatementSink().insert([graded(*some) for some in grades])
    StatementSink().insert([graded(*some, url, MODULE) for some in grades])
    for smallest, personal, shown in [
        (2, False, [2, None]),
        (3, False, [None, None]),
        (3, True, [2, 1]),
    ]:
        limited = Reports(reports.client, replace(with_clock(smallest_group=smallest), personal=personal))
        limited.create(go_on)
        found = rows(limited, "grade_distribution")
        for is_course, block_id in ((True, ""), (False, subsection["block_id"])):
            tenths = {row["tenth"]: row["learners"] for row in found if row["block_id"] == block_id}
            assert [tenths.pop("20-29%"), tenths.pop("90-100%")] == shown
            assert list(tenths.values()) == 8 * [0]
            assert {row["is_course"] for row in found if row["block_id"] == block_id} == {is_course}


def test_reasons_for_few_are_hidden_unless_names_are_shown(reports: Reports) -> None:
    """The clock stands at the end of March 2026, and both enrolled at its beginning."""
    StatementSink().insert([done("registered", actor, COURSE_URL, COURSE_TYPE) for actor in ("ada", "ben")])
    StatementSink().insert([graded("ben", 0.25)])
    never, low = ("never visited", 2), ("low grade", 1)
    for smallest, personal, shown in [(2, False, [never]), (3, False, []), (3, True, [low, never])]:
        limited = Reports(reports.client, replace(with_clock(smallest_group=smallest), personal=personal))
        limited.create(go_on)
        assert [(row["reason"], row["learners"]) for row in rows(limited, "at_risk_reasons")] == shown


def test_places_sort_in_the_order_of_a_course_with_many_units(reports: Reports) -> None:
    factories.make_course(COURSE, chapters=2, verticals=11)
    write(CourseOverviewSink())
    outline = sorted(rows(reports, "course_outline"), key=lambda row: row["course_order"])
    places = [row["place"] for row in outline]
    assert places[:3] == ["1.1.01", "1.1.02", "1.1.03"]
    assert places[10:12] == ["1.1.11", "2.1.01"]
    assert places == sorted(places)
    assert len(places) == 22
    named = {row["block_type"]: row["place"] for row in rows(reports, "course_structure") if row["section"] != 1}
    assert [named[kind] for kind in ("course", "about", "chapter", "sequential")] == ["", "", "2", "2.1"]


def test_enrollment_by_track_and_day_counts_those_who_are_enrolled_now(reports: Reports) -> None:
    factories.make_course(COURSE)
    for day, mode, is_active in ((1, "audit", True), (1, "audit", False), (2, "verified", True), (4, "audit", True)):
        created = datetime(2026, 3, day, 23, 59, tzinfo=UTC)
        factories.make_enrollment(course_key=COURSE, created=created, mode=mode, is_active=is_active)
    write(CourseOverviewSink(), CourseEnrollmentSink())
    found = rows(reports, "enrollment_by_track_and_day")
    shown = [(row["mode"], row["day"].day, row["new"], row["enrolled"]) for row in found]
    assert sorted(shown) == [
        *(("audit", 1, 1, 1), ("audit", 2, 0, 1), ("audit", 4, 1, 2)),
        *(("verified", 1, 0, 0), ("verified", 2, 1, 1), ("verified", 4, 0, 1)),
    ]


def test_a_minute_has_the_numbers_of_its_most_played_second(reports: Reports) -> None:
    factories.make_course(COURSE, leaves=3)
    write(CourseOverviewSink())
    [video] = rows(reports, "video_watch")
    block = f"video+block@{video['block_id']}"
    moments = [
        ("played", 50.0),
        ("paused", 70.0),
        ("played", 55.0),
        ("paused", 65.0),
        ("played", 59.0),
        ("paused", 60.0),
    ]
    started = datetime(2026, 3, 1, 12, tzinfo=UTC)
    statements = [
        Statement(
            uuid.uuid4(),
            started + timedelta(minutes=number),
            json.dumps(statement(verb, str(COURSE), block, result={"extensions": {TIME: at}})),
        )
        for number, (verb, at) in enumerate(moments)
    ]
    StatementSink().insert(statements)
    columns = ("minute", "learners", "views", "rewatches")
    found = [tuple(row[name] for name in columns) for row in rows(reports, "video_minutes")]
    assert found == [(0, 1, 3, 2), (1, 1, 2, 1)]


def test_the_path_of_who_only_plays_a_video_has_no_first_visit(reports: Reports) -> None:
    """The unit has a text, a problem and a video, and the learner completes the text later."""
    factories.make_course(COURSE, leaves=3)
    ada = factories.make_user("ada", profile={"name": "Ada L."})
    actor = str(factories.make_external_id(ada).external_user_id)
    write(CourseOverviewSink(), ExternalIdSink(), UserProfileSink())
    [video] = rows(reports, "video_watch")
    block = f"video+block@{video['block_id']}"
    watched = statement(
        "played", str(COURSE), block, actor={"account": {"name": actor}}, result={"extensions": {TIME: 1.0}}
    )
    StatementSink().insert([Statement(uuid.uuid4(), datetime(2026, 3, 2, tzinfo=UTC), json.dumps(watched))])
    columns = ("username", "name", "place", "first_visit", "last_visit", "completed_share", "problems", "videos")

    def path() -> list[tuple[object, ...]]:
        return [tuple(row[name] for name in columns) for row in rows(reports, "learner_path", "username = 'ada'")]

    day = datetime(2026, 3, 2, tzinfo=UTC)
    assert path() == [("ada", "Ada L.", "1.1.1", None, day, 0, 0, 1)]
    text = next(row["usage_key"] for row in rows(reports, "course_structure") if row["block_type"] == "html")
    progress = {"extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 100}}
    StatementSink().insert([done("progressed", actor, f"{LMS}/xblock/{text}", MODULE, 3, progress)])
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    assert path() == [("ada", "Ada L.", "1.1.1", noon, noon, 0.3333, 0, 1)]
    assert rows(reports, "learner_path", "username = 'ben'") == []
