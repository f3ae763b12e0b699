"""Whatever a statement is, its insert goes through, and it changes nothing in another course."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.site import merge, rows

A, B = "course-v1:Org+A+1", "course-v1:Org+B+1"
LMS = "https://lms.example.com"
TIME = "https://w3id.org/xapi/video/extensions/time"
COURSE_TYPE = "http://adlnet.gov/expapi/activities/course"
INTERACTION = "http://adlnet.gov/expapi/activities/cmi.interaction"
VIDEO = "https://w3id.org/xapi/video/activity-type/video"


def statement(act: str = "played", course: str = A, block: str = "video+block@v", **changes: Any) -> dict[str, Any]:
    """A statement about a block of a course; ``changes`` replace its parts, and None takes one out."""
    key = course.replace("course-v1", "block-v1")
    made = {
        "actor": {"account": {"name": "a1", "homePage": LMS}},
        "verb": {"id": f"https://w3id.org/xapi/video/verbs/{act}"},
        "object": {"id": f"{LMS}/xblock/{key}+type@{block}", "objectType": "Activity", "definition": {"type": VIDEO}},
        "result": {"extensions": {TIME: 5.0}},
        "context": {
            "contextActivities": {"parent": [{"id": f"{LMS}/course/{course}", "definition": {"type": COURSE_TYPE}}]}
        },
        **changes,
    }
    return {name: part for name, part in made.items() if part is not None}


def insert(reports: Reports, *texts: Any, at: str = "2026-03-01 10:00:00") -> None:
    connection = reports.client.connection
    for text in texts:
        written = text if isinstance(text, str) else json.dumps(text)
        reports.client.command(
            f"INSERT INTO `{connection.xapi_database}`.`{connection.xapi_table}` "
            "VALUES ({id:UUID}, {at:String}, {event:String})",
            {"id": str(uuid.uuid4()), "at": at, "event": written},
        )


PARTS = ("actor", "verb", "object", "result", "context")
VALUES: tuple[Any, ...] = (None, "", "text", 7, -1.5, True, [], {}, [[]], {"id": 7}, {"id": None}, {"id": "x" * 70_000})


@pytest.mark.parametrize("part", PARTS)
def test_missing_and_strange_parts_break_nothing(reports: Reports, part: str) -> None:
    for value in VALUES:
        insert(reports, statement(**{part: value}))
    merge(reports)
    # With a course and an actor, it is an act of that course; without, it is nothing.
    found = rows(reports, "events")
    assert {row["course_key"] for row in found} <= {A}
    assert len(found) == (len(VALUES) if part == "result" else len(found))
    assert {row["course_key"] for row in rows(reports, "learner_status")} <= {A}


def test_texts_that_are_not_statements_break_nothing(reports: Reports) -> None:
    insert(reports, "", "{", "null", "[]", "7", '"text"', "\x00", "{}", '{"verb": {"id": 7}}', "[" * 5_000)
    assert rows(reports, "events") == []


def test_long_texts_are_cut(reports: Reports) -> None:
    definition = {"type": INTERACTION, "interactionType": "choice" * 1_000}
    long = statement(
        "evaluated",
        block="problem+block@p",
        actor={"account": {"name": "a" * 10_000}},
        result={"response": "ж" * 100_000, "success": False, "score": {"scaled": 0}},
    )
    long["object"]["definition"] = definition
    insert(reports, long)
    [row] = rows(reports, "events")
    assert (row["response"], row["actor_id"], len(row["interaction_type"])) == ("ж" * 500, "a" * 255, 50)
    assert (row["is_right"], row["scaled"]) == (False, 0.0)


@pytest.mark.parametrize(
    "at", ["1970-01-02 00:00:00", "2009-12-31 23:59:59.999999", "2100-01-01 00:00:00", "2299-12-31 23:59:59"]
)
def test_impossible_moments_are_left_out(reports: Reports, at: str) -> None:
    insert(reports, statement(), at=at)
    assert rows(reports, "events") == []
    insert(reports, statement())
    assert len(rows(reports, "events")) == 1


@pytest.mark.parametrize(
    ("actor", "known_as"),
    [
        ({"account": {"name": "3b1e"}, "mbox": "mailto:ada@example.com"}, "3b1e"),
        ({"mbox_sha1sum": "f2c1"}, "f2c1"),
        # echo -n mailto:ada@example.com | sha256sum
        ({"mbox": "mailto:Ada@example.com"}, "54227d3dd5035a07ce15d989ef3b744f70a021ff5a09796a684b7829e787934d"),
    ],
)
def test_no_address_of_a_learner_is_stored(reports: Reports, actor: dict[str, Any], known_as: str) -> None:
    insert(reports, statement(actor=actor))
    assert [row["actor_id"] for row in rows(reports, "events")] == [known_as]


def test_verbs_that_are_unknown_are_acts_and_nothing_else(reports: Reports) -> None:
    insert(reports, statement(verb={"id": "http://example.com/danced"}), statement(verb={"id": "danced"}))
    [row] = rows(reports, "learner_status")
    assert (row["enrollment"], row["days_active"], row["videos"], row["reasons"]) == (
        "unknown",
        1,
        0,
        "no visit for 7 days",
    )
    assert {row["verb"] for row in rows(reports, "events")} == {"danced"}


def test_a_block_of_another_course_is_in_neither(reports: Reports) -> None:
    foreign = statement(course=B)
    foreign["context"] = statement(course=A)["context"]
    insert(reports, foreign)
    # The key of one course begins with that of another.
    insert(reports, statement(course=f"{A}0") | {"context": statement(course=A)["context"]})
    assert rows(reports, "events") == []
    assert rows(reports, "learner_status") == []


@pytest.mark.parametrize(
    "course",
    ["course-v1:Org", "course-v1:Org+A", "../../etc/passwd", "a", "course-v1:Org+A+1/extra", "course-v1:O/rg+A+1", ""],
)
def test_what_is_not_a_course_key_is_left_out(reports: Reports, course: str) -> None:
    insert(reports, statement(course=course))
    assert rows(reports, "events") == []


@pytest.mark.parametrize("course", ["course-v1:Org+A+1", "ccx-v1:Org+A+1+ccx@7", "Org/A/1"])
def test_each_kind_of_course_key_is_known(reports: Reports, course: str) -> None:
    about = {"id": f"{LMS}/course/{course}", "definition": {"type": COURSE_TYPE}}
    insert(reports, statement("registered", object=about, context=None, result=None))
    [row] = rows(reports, "learner_status")
    assert (row["org"], row["course_key"], row["enrollment"]) == ("Org", course, "enrolled")


@pytest.mark.parametrize("position", [-1, 1e300, 86_401, "5", None, [5]])
def test_impossible_positions_of_videos_are_left_out(reports: Reports, position: Any) -> None:
    insert(reports, statement(result={"extensions": {TIME: 0}}), at="2026-03-01 10:00:00")
    insert(reports, statement("paused", result={"extensions": {TIME: position}}), at="2026-03-01 10:00:01")
    insert(reports, statement("paused", result={"extensions": {TIME: 2}}), at="2026-03-01 10:00:02")
    assert [row["spans"] for row in rows(reports, "video_spans")] in ([[(0.0, 2.0)]], [[(0.0, 5.0)]])
