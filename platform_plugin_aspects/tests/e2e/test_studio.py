"""The dashboard beside a block in Studio, embedded as the authoring micro-frontend does it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from test_utils.e2e.dashboards import read_table
from test_utils.e2e.site import COURSE, COURSES
from test_utils.e2e.studio import embed

from .conftest import Person

pytestmark = pytest.mark.e2e

MODES = COURSES[COURSE][1]


@pytest.mark.parametrize("mode", MODES)
def test_the_board_of_a_block_shows_the_block_s_rows(visit: Callable[[str], Person], mode: str) -> None:
    block = f"{COURSE.replace('course-v1:', 'block-v1:')}+type@problem+block@{mode}"
    estelle = visit("estelle")
    answer = estelle.get(f"/aspects/superset_in_context_dashboard/{block}").json()
    assert answer["defaultCourseRun"] == COURSE
    token = estelle.get(f"/aspects/superset_guest_token/{COURSE}").json()["guestToken"]
    rows = read_table(estelle.browser, embed(estelle.browser, answer, COURSE, token, (1000, 800)))
    assert {row[2] for row in rows} == {mode}
    assert len(rows) == MODES[mode]
