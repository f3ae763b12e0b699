"""The dashboard beside a block in Studio, embedded as the authoring micro-frontend does it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from test_utils.e2e.dashboards import read_table
from test_utils.e2e.site import COURSE, COURSES
from test_utils.processes import REPOSITORY

from .conftest import Person

pytestmark = pytest.mark.e2e

MODES = COURSES[COURSE][1]
SDK = REPOSITORY / "node_modules" / "@superset-ui" / "embedded-sdk" / "bundle" / "index.js"
EMBED = """
const [answer, run, token] = arguments;
const mountPoint = document.createElement("div");
document.body.replaceChildren(mountPoint);
globalThis.supersetEmbeddedSdk.embedDashboard({
  id: answer.dashboardId,
  supersetDomain: answer.supersetUrl,
  mountPoint,
  fetchGuestToken: async () => token,
  dashboardUiConfig: { urlParams: { native_filters: answer.courseRuns[run].native_filters } },
  referrerPolicy: "strict-origin-when-cross-origin",
});
Object.assign(mountPoint.querySelector("iframe"), { width: 1000, height: 800 });
"""


@pytest.mark.parametrize("mode", MODES)
def test_the_board_of_a_block_shows_the_block_s_rows(visit: Callable[[str], Person], mode: str) -> None:
    block = f"{COURSE.replace('course-v1:', 'block-v1:')}+type@problem+block@{mode}"
    estelle = visit("estelle")
    answer = estelle.get(f"/aspects/superset_in_context_dashboard/{block}").json()
    assert answer["defaultCourseRun"] == COURSE
    token = estelle.get(f"/aspects/superset_guest_token/{COURSE}").json()["guestToken"]
    estelle.browser.open("/heartbeat")
    estelle.browser.driver.execute_script(SDK.read_text())
    estelle.browser.driver.execute_script(EMBED, answer, COURSE, token)
    frame = estelle.browser.until(lambda: estelle.browser.find_all("iframe"), "the board is embedded")[0]
    rows = read_table(estelle.browser, frame)
    assert {row[2] for row in rows} == {mode}
    assert len(rows) == MODES[mode]
