"""The instructor dashboard in Chromium, with the dashboards of a real Superset."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from test_utils.e2e.browser import NARROW
from test_utils.e2e.site import COURSE, COURSES, INSTRUCTOR_DASHBOARDS, LEARNER, TITLES, Site
from test_utils.processes import REPOSITORY, until

from .conftest import Person

pytestmark = pytest.mark.e2e

PREFIX, MODES = COURSES[COURSE]
COUNTS = [[COURSE, mode, str(number)] for mode, number in MODES.items()]
#: In no Superset.
LOST = {"name": "Lost", "slug": "lost", "uuid": "8661d20c-cee6-4245-9fcc-610daea5fd24", "allow_translations": False}
SECONDS = 60

Visit = Callable[[str], Person]


def test_staff_see_only_their_course_and_load_the_second_board_when_they_open_it(visit: Visit) -> None:
    estelle = visit("estelle")
    reports = estelle.open_reports()
    assert [tab.text for tab in reports.tabs] == ["Course Dashboard", "Individual Learner Dashboard"]
    assert reports.table() == COUNTS
    reports.wait_until_drawn()
    estelle.browser.screenshot("staff-course-dashboard")
    assert len(reports.frames) == 1

    reports.tabs[0].send_keys(Keys.ARROW_RIGHT)
    assert len(reports.frames) == 1
    estelle.browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    learners = reports.table()
    assert [row[:2] for row in learners] == [[f"{PREFIX}_{number}", COURSE] for number in range(len(learners))]
    assert len(learners) == sum(MODES.values())
    reports.wait_until_drawn()
    estelle.browser.screenshot("staff-individual-learner-dashboard")
    assert len(reports.frames) == 2

    first = reports.frames[0]
    reports.tabs[0].click()
    assert reports.table() == COUNTS
    assert reports.frames[0] == first


def test_the_frame_has_a_title_and_the_height_of_its_board(visit: Visit) -> None:
    estelle = visit("estelle")
    reports = estelle.open_reports()
    reports.wait_until_drawn()
    frame = reports.frames[0]
    assert frame.get_attribute("title") == "Course Dashboard"
    with estelle.browser.inside(frame):
        content = estelle.browser.driver.execute_script("return document.body.scrollHeight")
    estelle.browser.until(lambda: abs(frame.size["height"] - content) < 5, f"the frame is {content} pixels high")


def test_learners_get_nothing(visit: Visit) -> None:
    learner = visit(LEARNER)
    learner.browser.open(f"/courses/{COURSE}/instructor")
    assert learner.browser.find_all("aspects-dashboards") == []
    block = COURSE.replace("course-v1:", "block-v1:") + "+type@problem+block@problem_1"
    for path in (
        f"superset_guest_token/{COURSE}",
        f"superset_instructor_dashboard/{COURSE}",
        f"superset_in_context_dashboard/{block}",
    ):
        answer = learner.get(f"/aspects/{path}")
        assert answer.status_code == 403
        assert set(answer.json()) == {"detail", "code"}


def test_staff_of_one_course_get_nothing_of_another(visit: Visit) -> None:
    estelle = visit("estelle")
    for course in set(COURSES) - {COURSE}:
        assert estelle.get(f"/aspects/superset_guest_token/{course}").status_code == 403
        assert estelle.get(f"/courses/{course}/instructor").status_code == 404


def test_arabic(visit: Visit) -> None:
    najma = visit("najma")
    reports = najma.open_reports()
    assert (
        najma.browser.driver.execute_script("return getComputedStyle(arguments[0]).direction", reports.tabs[0]) == "rtl"
    )
    assert reports.tabs[0].text == TITLES["ar"]
    assert reports.tabs[0].location["x"] > reports.tabs[1].location["x"]
    assert reports.table() == COUNTS
    reports.wait_until_drawn()
    najma.browser.screenshot("arabic")
    answer = najma.get(f"/aspects/superset_instructor_dashboard/{COURSE}").json()
    assert [board["slug"] for board in answer["superset_dashboards"]] == ["course-dashboard-ar", "individual-learner"]


def test_narrow_screen(visit: Visit) -> None:
    estelle = visit("estelle")
    estelle.browser.resize(NARROW)
    reports = estelle.open_reports()
    reports.wait_until_drawn()
    estelle.browser.screenshot("narrow")
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert estelle.browser.driver.execute_script(script) == 0


def test_superset_is_stopped_and_comes_back(visit: Visit, site: Site) -> None:
    orion = visit("orion")
    site.superset.kill()
    try:
        reports = orion.open_reports()
        # There is no token.
        message = reports.message()
        orion.browser.screenshot("superset-stopped")
        assert message == orion.get(f"/aspects/superset_guest_token/{COURSE}").json()["detail"]
        site.superset.start()
        reports.click("button:not([role])")
        assert reports.table() == COUNTS

        site.superset.kill()
        # There is one, and no board.
        reports.tabs[1].click()
        assert "did not load" in reports.message()
        orion.browser.screenshot("superset-stopped-later")
    finally:
        site.superset.kill()
        site.superset.start()
    reports.click("button:not([role])")
    assert len(reports.table()) == sum(MODES.values())


def test_a_board_that_superset_does_not_know_spoils_no_other(visit: Visit, site: Site) -> None:
    with site.settings(ASPECTS_INSTRUCTOR_DASHBOARDS=[LOST, *INSTRUCTOR_DASHBOARDS]):
        estelle = visit("estelle")
        reports = estelle.open_reports()
        assert "did not load" in reports.message()
        estelle.browser.screenshot("unknown-board")
        reports.tabs[1].click()
        assert reports.table() == COUNTS
        assert site.lms.output().count(f"has no embedded dashboard {LOST['uuid']}") == 1


def test_tokens_minted_with_superset_s_secret_are_renewed_in_time(visit: Visit, site: Site) -> None:
    config = {
        "service_url": site.superset.url,
        "guest_token_secret": site.superset.guest_token_secret,
        # Short, for a token to end while we look.
        "guest_token_lifetime_secs": 30,
    }
    with site.settings(SUPERSET_CONFIG=config):
        estelle = visit("estelle")
        reports = estelle.open_reports()
        assert reports.table() == COUNTS
        asked = re.compile(r'"GET /aspects/superset_guest_token/\S+ HTTP/1.1" 200')
        until(lambda: len(asked.findall(site.lms.output())) > 1, SECONDS, "the token is renewed")
        reports.tabs[1].click()
        assert len(reports.table()) == sum(MODES.values())
        assert reports.texts(".notice") == []


def test_another_copy_of_the_sdk(visit: Visit, site: Site) -> None:
    folder = REPOSITORY / "node_modules" / "@superset-ui" / "embedded-sdk" / "bundle"
    with site.settings(ASPECTS_SUPERSET_SDK_URL="/static/index.js", STATICFILES_DIRS=[str(folder)]):
        estelle = visit("estelle")
        assert estelle.open_reports().table() == COUNTS
        assert '"GET /static/index.js HTTP/1.1" 200' in site.lms.output()
