"""aspects_load_test_events: the events tell what the answers say, and the answers come from the scripts alone."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.external_user_ids.models import ExternalId
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.answers import answers_of
from platform_plugin_aspects.load_test.journeys.enact import Person, events_of
from platform_plugin_aspects.load_test.journeys.plan import KINDS, plan
from platform_plugin_aspects.load_test.journeys.run import choose
from platform_plugin_aspects.load_test.journeys.script import Kind, Post, Read, Script, Solve, Study, Visit, Watch
from platform_plugin_aspects.load_test.journeys.structure import Problem, Structure, Unit, Video, read
from platform_plugin_aspects.models import TrackingEvent
from test_utils import factories
from test_utils.properties import examples

COURSE = CourseKey.from_string("course-v1:Org+Sky+2026")
END = datetime(2026, 3, 31, tzinfo=UTC)
PERSON = Person(7, "mira")


def key(kind: str, name: str) -> Any:
    return COURSE.make_usage_key(kind, name)


VIDEO = Video(key("video", "v1"), 100)
PROBLEM = Problem(key("problem", "p1"), "Moons", 2)
UNIT = Unit("Week 1", key("sequential", "s1"), 1, 2, [VIDEO], [PROBLEM], [key("html", "h1")])
STRUCTURE = Structure(COURSE, [UNIT])


def answers(*right: bool) -> list[Answer]:
    return [Answer(part, "?", "a" if is_right else "b", is_right) for part, is_right in enumerate(right, 1)]


SCRIPT = Script(
    Kind.PASSES,
    datetime(2026, 3, 1, 5, tzinfo=UTC),
    upgraded_at=datetime(2026, 3, 1, 5, 30, tzinfo=UTC),
    left_at=datetime(2026, 3, 30, 22, tzinfo=UTC),
    visits=[
        Visit(
            datetime(2026, 3, 2, 8, tzinfo=UTC),
            "0123456789abcdef0123456789abcdef",
            [
                Study(
                    UNIT,
                    [
                        Watch(VIDEO, [(0, 40), (70, 100), (30, 50)]),
                        Solve(PROBLEM, [answers(False, False), answers(True, False)]),
                        Post("thread", 1),
                        Read(3, "Good places to practise"),
                    ],
                )
            ],
        )
    ],
)


def test_the_answers_of_a_script() -> None:
    assert answers_of(SCRIPT, STRUCTURE) == {
        "kind": "passes",
        "mode": "verified",
        "is_active": False,
        "enrolled_at": "2026-03-01T05:00:00+00:00",
        "visits": 1,
        "days": ["2026-03-02"],
        "units": 1,
        "videos": {
            "block-v1:Org+Sky+2026+type@video+block@v1": {
                "duration": 100,
                "stretches": [[0, 40], [70, 100], [30, 50]],
                "seconds_seen": 80,
                "seconds_played": 90,
                "reached_end": True,
            }
        },
        "problems": {
            "block-v1:Org+Sky+2026+type@problem+block@p1": {
                "attempts": 2,
                "points": 1,
                "possible": 2,
                "parts": {
                    "1": {"answers": ["b", "a"], "correct": [False, True]},
                    "2": {"answers": ["b", "b"], "correct": [False, False]},
                },
                "hints": 0,
                "answer_shown": False,
            }
        },
        "grade": 0.5,
        "passed": True,
        "posts": 1,
    }


@pytest.mark.django_db
def test_the_events_of_a_script() -> None:
    events = list(events_of(SCRIPT, STRUCTURE, PERSON))

    assert [(event["timestamp"][5:19], event["name"].removeprefix("edx.")) for event in events] == [
        ("03-01T05:00:00", "course.enrollment.activated"),
        ("03-01T05:30:00", "course.enrollment.mode_changed"),
        ("03-02T08:00:00", "ui.lms.outline.selected"),
        ("03-02T08:00:20", "ui.lms.sequence.tab_selected"),
        ("03-02T08:00:50", "completion.block_completion.changed"),
        ("03-02T08:00:53", "load_video"),
        ("03-02T08:00:56", "play_video"),
        ("03-02T08:01:36", "pause_video"),
        ("03-02T08:01:39", "seek_video"),
        ("03-02T08:01:42", "play_video"),
        ("03-02T08:02:12", "stop_video"),
        ("03-02T08:02:12", "complete_video"),
        ("03-02T08:02:15", "seek_video"),
        ("03-02T08:02:18", "play_video"),
        ("03-02T08:02:38", "pause_video"),
        ("03-02T08:02:39", "completion.block_completion.changed"),
        ("03-02T08:03:19", "problem_check"),
        ("03-02T08:03:20", "problem_check"),
        ("03-02T08:03:20", "completion.block_completion.changed"),
        ("03-02T08:03:21", "grades.subsection.grade_calculated"),
        ("03-02T08:03:22", "grades.course.grade_calculated"),
        ("03-02T08:04:02", "problem_check"),
        ("03-02T08:04:03", "problem_check"),
        ("03-02T08:04:04", "grades.subsection.grade_calculated"),
        ("03-02T08:04:05", "grades.course.grade_calculated"),
        ("03-02T08:04:05", "course.grade.passed.first_time"),
        ("03-02T08:04:05", "course.grade.now_passed"),
        ("03-02T08:05:05", "forum.thread.created"),
        ("03-02T08:05:35", "forum.thread.viewed"),
        ("03-30T22:00:00", "course.enrollment.deactivated"),
    ]
    seeks = [event["data"] for event in events if event["name"] == "seek_video"]
    assert [(seek["old_time"], seek["new_time"]) for seek in seeks] == [(40, 70), (100, 30)]
    assert [event["data"]["percent_grade"] for event in events if "course.grade_c" in event["name"]] == [0.0, 0.5]
    assert {event["context"].get("session") for event in events[2:17]} == {"0123456789abcdef0123456789abcdef"}


units = st.lists(
    st.builds(
        lambda number, tabs, videos, problems: Unit(
            "Week",
            key("sequential", f"s{number}"),
            1,
            tabs,
            [Video(key("video", f"v{number}-{at}"), seconds) for at, seconds in enumerate(videos)],
            [Problem(key("problem", f"p{number}-{at}"), "P", parts) for at, parts in enumerate(problems)],
            [],
        ),
        st.integers(),
        st.integers(1, 5),
        st.lists(st.integers(4, 600), max_size=4),
        st.lists(st.integers(1, 3), max_size=4),
    ),
    max_size=60,
)


@settings(max_examples=examples(100))
@given(units, st.integers(1, 12), st.integers(), st.integers(1, 40))
def test_any_script_keeps_to_its_days_and_to_its_kind(units: list[Unit], number: int, seed: int, days: int) -> None:
    structure = Structure(COURSE, units)
    script = plan(structure, number, seed, END, days)
    assert script == plan(structure, number, seed, END, days)

    moments = [datetime.fromisoformat(event["timestamp"]) for event in events_of(script, structure, PERSON)]
    assert all(earlier < later for earlier, later in pairwise(moments))
    assert END - timedelta(days=days) <= moments[0]
    assert moments[-1] < END
    # At night there are enrollments and upgrades, and no visit lasts into it.
    assert sum(moment.hour < 6 for moment in moments) == 1 + (script.upgraded_at is not None)
    starts = [visit.start for visit in script.visits]
    assert len({start.date() for start in starts}) == len(starts)
    facts = answers_of(script, structure)
    assert facts["kind"] == KINDS[(number - 1) % len(KINDS)]
    assert facts["visits"] == len({moment.date() for moment in moments if moment.hour >= 6} - left_on(script))
    if script.kind is not Kind.PASSES:
        assert not facts["passed"]
    elif facts["units"] == len(units) and structure.points:
        assert facts["passed"]


def test_visits_of_long_units_end_on_their_day() -> None:
    long = [
        Unit("Week", key("sequential", f"s{number}"), 1, 1, [Video(key("video", f"v{number}"), 600)] * 4, [], [])
        for number in range(60)
    ]
    structure = Structure(COURSE, long)
    for seed in range(20):
        script = plan(structure, 3, seed, END, 10)
        hours = [datetime.fromisoformat(event["timestamp"]).hour for event in events_of(script, structure, PERSON)]
        assert len(script.visits) > 5
        assert sum(hour < 6 for hour in hours) == 1


def left_on(script: Script) -> set[Any]:
    """The day of leaving, unless there was a visit."""
    visited = {visit.start.date() for visit in script.visits}
    return {script.left_at.date()} - visited if script.left_at else set()


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
def test_a_course_is_read_as_published() -> None:
    tree = {
        "type": "course",
        "id": "course",
        "children": [
            {
                "type": "chapter",
                "id": "c1",
                "fields": {"display_name": "Week 1"},
                "children": [
                    {
                        "type": "sequential",
                        "id": "s1",
                        "children": [
                            {
                                "type": "vertical",
                                "id": "u1",
                                "children": [
                                    {
                                        "type": "video",
                                        "id": "v1",
                                        "fields": {"end_time": timedelta(seconds=90)},
                                    },
                                    None,
                                    {"type": "problem", "id": "p1", "fields": {"display_name": "Moons"}},
                                    {"type": "html", "id": "h1"},
                                    {"type": "html", "id": "h2", "fields": {"fails_to_build": True}},
                                ],
                            },
                            {"type": "vertical", "id": "u2"},
                        ],
                    }
                ],
            }
        ],
    }
    modulestore().create_course(COURSE, tree)
    assert read(COURSE).units == []
    factories.publish_course(COURSE, loudly=False)

    first, second = read(COURSE).units

    assert first == Unit(
        "Week 1",
        key("sequential", "s1"),
        1,
        2,
        [Video(key("video", "v1"), 90)],
        [Problem(key("problem", "p1"), "Moons", first.problems[0].parts)],
        [key("html", "h1")],
    )
    assert 1 <= first.problems[0].parts <= 3
    assert (second.tab, second.tabs, second.videos, second.problems) == (2, 2, [], [])


# The command.


@pytest.fixture
def site(clickhouse: ClickHouse, settings: Any, empty_store: None) -> CourseKey:
    """A site with a course of 18 units, each with a text, a problem and a video, and with the sink on."""
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    factories.make_external_id_type("xapi")
    return factories.make_course(COURSE, chapters=3, sequentials=2, verticals=3, leaves=3)


def make(*args: Any) -> list[str]:
    out = StringIO()
    call_command("aspects_load_test_events", *map(str, args), stdout=out)
    return out.getvalue().splitlines()


def refused(*args: Any) -> str:
    with pytest.raises(CommandError) as caught:
        make(*args)
    return str(caught.value)


def statements() -> list[dict[str, Any]]:
    connection = Connection.from_settings()
    client = get_client(connection)
    table = f"`{connection.xapi_database}`.`{connection.xapi_table}`"
    sql = f"SELECT event FROM {table} FINAL ORDER BY emission_time"
    return [json.loads(text) for [text] in client.select(sql)]


def verb(statement: dict[str, Any]) -> str:
    return str(statement["verb"]["id"].rpartition("/")[2])


def is_of(statement: dict[str, Any], kind: str) -> bool:
    return f"+type@{kind}+" in statement["object"]["id"]


def seen(watched: Iterable[dict[str, Any]]) -> dict[str, set[int]]:
    """The seconds that were played, by video: from each "played" to the next statement with a time."""
    seconds: dict[str, set[int]] = defaultdict(set)
    began: dict[str, float] = {}
    for statement in watched:
        video = statement["object"]["id"].rpartition("/")[2]
        at = statement.get("result", {}).get("extensions", {}).get("https://w3id.org/xapi/video/extensions/time", 0.0)
        if verb(statement) == "played":
            began[video] = at
        elif verb(statement) in ("paused", "terminated") and video in began:
            seconds[video] |= set(range(int(began.pop(video)), int(at)))
    return seconds


@pytest.mark.django_db
def test_statements_tell_what_the_answers_say(site: CourseKey, tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    make("--learners", 6, "--days", 20, "--until", "2026-03-31", "--seed", 3, "--answers", file, "--yes")
    written = json.loads(file.read_text())
    assert {name: written[name] for name in ("seed", "until", "days")} == {"seed": 3, "until": "2026-03-31", "days": 20}
    [course] = written["courses"]
    assert course["course_id"] == "course-v1:Org+Sky+2026"
    assert [learner["username"] for learner in course["learners"]] == [f"lt_s3_{number}" for number in range(1, 7)]
    assert [learner["kind"] for learner in course["learners"]] == [
        *("passes", "fails", "browses", "leaves", "passes", "stays away")
    ]
    by_actor: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for statement in statements():
        by_actor[statement["actor"]["account"]["name"]].append(statement)
    assert len(by_actor) == 6

    for learner in course["learners"]:
        user = User.objects.get(username=learner["username"])
        enrollment = CourseEnrollment.objects.get(user=user)
        assert (enrollment.mode, enrollment.is_active) == (learner["mode"], learner["is_active"])
        assert enrollment.created.isoformat() == learner["enrolled_at"]
        made = by_actor[str(ExternalId.objects.get(user=user).external_user_id)]
        watched = seen(statement for statement in made if is_of(statement, "video"))
        assert {video: len(seconds) for video, seconds in watched.items()} == {
            video: facts["seconds_seen"] for video, facts in learner["videos"].items()
        }
        graded = [statement for statement in made if verb(statement) == "evaluated" and "score" in statement["result"]]
        attempts: dict[str, int] = defaultdict(int)
        points: dict[str, float] = {}
        for statement in graded:
            problem = statement["object"]["id"].rpartition("/")[2]
            attempts[problem] += 1
            points[problem] = statement["result"]["score"]["raw"]
        assert attempts == {problem: facts["attempts"] for problem, facts in learner["problems"].items()}
        assert points == {problem: facts["points"] for problem, facts in learner["problems"].items()}
        grades = [
            statement["result"]["score"]["scaled"]
            for statement in made
            if verb(statement) == "earned" and statement["object"]["id"].endswith("/course/course-v1:Org+Sky+2026")
        ]
        assert (grades[-1] if grades else None) == learner["grade"]
        assert any(verb(statement) == "passed" for statement in made) == learner["passed"]
        assert sum(verb(statement) == "posted" for statement in made) == learner["posts"]
        days = {
            statement["timestamp"][:10] for statement in made if verb(statement) not in ("registered", "unregistered")
        }
        assert sorted(days) == learner["days"]


@pytest.mark.django_db
def test_the_same_options_make_the_same_events(site: CourseKey) -> None:
    options = ("--learners", 2, "--until", "2026-03-31", "--yes")
    said = make(*options)
    first = statements()
    assert said[-1] == f"{sum(int(line.split()[-1]) for line in said[1:-2])} events, {len(first)} statements written"
    assert said[-2] == "course-v1:Org+Sky+2026: 2 learners"

    assert make(*options) == said
    assert statements() == first
    make(*options, "--seed", 8)
    assert len(statements()) > len(first)
    # Nothing takes the way of the platform's own events.
    assert not TrackingEvent.objects.exists()


@pytest.mark.django_db
def test_the_courses_with_most_to_do_are_chosen(site: CourseKey) -> None:
    """``site`` alone has units with a problem and a video."""
    texts = factories.make_course("course-v1:Org+Aaa+2026", leaves=1)
    problems = factories.make_course("course-v1:Org+Bbb+2026", verticals=40, leaves=2)
    assert [structure.course for structure in choose(3)] == [site, problems, texts]
    assert [structure.course for structure in choose(1)] == [site]
    assert [structure.course for structure in choose(1, [texts])] == [texts]
    assert not any(" has no published " in line for line in make("--learners", 1, "--yes"))


@pytest.mark.django_db
def test_it_is_said_that_there_is_nothing_to_watch_or_to_answer(site: CourseKey) -> None:
    texts = factories.make_course("course-v1:Org+Aaa+2026", leaves=1)
    assert make("--learners", 1, "--yes", "--course", texts)[:2] == [
        f"{texts} has no published video: nobody watches one",
        f"{texts} has no published problem: nobody answers one, passes or fails",
    ]
    problems = factories.make_course("course-v1:Org+Bbb+2026", leaves=2)
    assert make("--learners", 1, "--yes", "--course", problems)[0] == (
        f"{problems} has no published video: nobody watches one"
    )


@pytest.mark.django_db
def test_what_is_refused(site: CourseKey, settings: Any, tmp_path: Path) -> None:
    assert refused() == (
        "This makes 100 users, their enrollments and their learning events in courses of this site, and all of them "
        "stay. If you mean it, add --yes"
    )
    assert refused("--yes", "--learners", 0) == "--learners 0: it must be at least 1"
    assert refused("--yes", "--seed", -1) == "--seed -1: it must be at least 0"
    assert refused("--yes", "--seed", 10**9) == "--seed 1000000000: it must be at most 999,999,999"
    assert refused("--yes", "--days", 3651) == "--days 3651: it must be at most 3,650"
    assert refused("--yes", "--until", "0001-01-05") == "--until 0001-01-05: its year is too small"
    assert refused("--yes", "--until", "2999-01-01") == "--until 2999-01-01: it is in the future, and events are not"
    assert refused("--yes", "--courses", 2) == (
        "--courses 2: only 1 course has published units: publish one, or take fewer"
    )
    assert refused("--yes", "--course", "x").startswith("--course x: it must be a course key")
    assert refused("--yes", "--course", "course-v1:No+Such+Course") == (
        "course-v1:No+Such+Course has no published unit: publish one, or name another course"
    )
    assert refused("--yes", "--answers", tmp_path / "a" / "b") == f"--answers {tmp_path}/a/b: there is no such folder"
    modulestore().clear()
    assert refused("--yes") == "--courses 1: no course has published units: publish one, or take fewer"
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    assert refused("--yes").startswith("xapi is off: ")
    assert not User.objects.exists()


@pytest.mark.django_db
def test_accounts_that_the_platform_refuses(site: CourseKey, settings: Any) -> None:
    settings.REGISTRATION_EMAIL_PATTERNS_ALLOWED = [r".*@school\.example"]
    assert refused("--yes") == (
        "edx-platform refuses the email of an account: registrations must allow usernames that begin with lt_, and "
        "addresses at load-test.invalid"
    )


@pytest.mark.django_db
def test_with_debug_nobody_is_asked(site: CourseKey, settings: Any) -> None:
    settings.DEBUG = True
    assert make("--learners", 1)[-2] == "course-v1:Org+Sky+2026: 1 learner"
