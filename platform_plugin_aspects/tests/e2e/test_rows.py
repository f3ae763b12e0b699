"""The rows that a guest token of the plugin opens in a real Superset, over a real ClickHouse engine."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from django.contrib.auth.models import User
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.access import tokens
from test_utils.e2e.boards import COUNTS, LEARNERS, Board
from test_utils.e2e.site import BOARDS, COURSE, COURSE_BOARD, COURSES, LEARNER_BOARD, Site
from test_utils.show.superset import TIMEOUT_SECS, ask_as_guest, rows_of

from .conftest import log_in

pytestmark = pytest.mark.e2e

PREFIX, MODES = COURSES[COURSE]
OTHER = next(course for course in COURSES if course != COURSE)
HOSTILE = ("o'brien') OR ('1'='1", "back\\slash\\' OR 1=1 -- ", "100%_{user}{{ 1 }}", "عائشة\N{TELESCOPE}\x00\n;")


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    """The guest token of the course team's page."""
    url = f"{site.lms.url}/aspects/superset_guest_token/{COURSE}"
    return log_in(site, "estelle").get(url, timeout=TIMEOUT_SECS).json()["guestToken"]


def counts(site: Site, token: str) -> dict[str, int]:
    """Mode -> number of enrollments, of all that the token shows; AssertionError for one in another course."""
    rows = rows_of(ask_as_guest(site.superset, token, site.contexts[COURSE_BOARD, COUNTS.name]))
    assert {row["course_key"] for row in rows} <= {COURSE}
    return {row["mode"]: row["Enrollments"] for row in rows}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.title)
def test_every_chart_of_every_board_shows_the_course_s_rows(site: Site, token: str, board: Board) -> None:
    for chart in board.charts:
        rows = rows_of(ask_as_guest(site.superset, token, site.contexts[board.uuid, chart.name]))
        assert {row["course_key"] for row in rows if "course_key" in row} <= {COURSE}
        assert {row["mode"] for row in rows if "mode" in row} <= set(MODES)
        assert sum(row.get("Enrollments", 1) for row in rows) == sum(MODES.values())


#: Attacks of a guest who knows Superset's API. Each changes the query.
TRIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no charts": lambda context: context.pop("form_data"),
    "another name for the course": lambda context: context["queries"][0].update(
        columns=["username", {"sqlExpression": f"'{COURSE}'", "label": "course_key", "expressionType": "SQL"}],
    ),
    "a clause": lambda context: context["queries"][0].update(extras={"where": "1=1) OR (1=1"}),
    "a clause on groups": lambda context: context["queries"][0].update(
        extras={
            "having": "1=1) UNION ALL SELECT username, course_key, mode FROM event_sink.course_enrollment WHERE (1=1"
        }
    ),
    "the other course": lambda context: context["queries"][0].update(
        filters=[{"col": "course_key", "op": "==", "val": OTHER}]
    ),
    "the statement": lambda context: context.update(result_type="query"),
    "samples": lambda context: context.update(result_type="samples"),
}


@pytest.mark.parametrize("name", TRIES)
def test_a_guest_cannot_get_at_other_rows(site: Site, token: str, name: str) -> None:
    context = deepcopy(site.contexts[LEARNER_BOARD, LEARNERS.name])
    TRIES[name](context)
    answer = ask_as_guest(site.superset, token, context)
    for prefix in {prefix for prefix, _modes in COURSES.values()} - {PREFIX}:
        assert f"{prefix}_" not in answer.text


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("mode = 'audit'", {"audit"}),
        ("mode <> 'audit' AND username LIKE 'star\\_%'", {"verified"}),
        ("mode = 'audit' OR org = 'Sea' OR course_key LIKE '%'", {"audit", "verified"}),
        ("mode IN ('audit', 'x''); DROP TABLE event_sink.course_enrollment --', '%s %% {{ 1 }}')", {"audit"}),
        ("NOT (mode = 'verified' OR username IS NULL)", {"audit"}),
        ("username BETWEEN 'star_5' AND 'star_9'", {"verified"}),
        ("username NOT IN ('\\\\', '\\'', '\N{TELESCOPE}', 'عائشة')", {"audit", "verified"}),
    ],
)
def test_an_author_s_filters_narrow_the_rows(site: Site, text: str, modes: set[str]) -> None:
    user = User(pk=1, username="estelle")
    token = tokens.guest_token(user, CourseKey.from_string(COURSE), [COURSE_BOARD], [text])
    assert counts(site, token) == {mode: number for mode, number in MODES.items() if mode in modes}


@pytest.mark.parametrize("username", HOSTILE)
def test_an_operator_s_filters_hold_against_hostile_names(site: Site, settings: Any, username: str) -> None:
    settings.SUPERSET_EXTRA_FILTERS_FORMAT = ["username <> {user}", "{course_id.org} = org", "{course} = course_key"]
    token = tokens.guest_token(User(pk=1, username=username), CourseKey.from_string(COURSE), [COURSE_BOARD])
    assert counts(site, token) == MODES
