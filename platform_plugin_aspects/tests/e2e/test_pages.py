"""The instructor dashboard in Chromium, with the dashboards of a real Superset."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from selenium.webdriver.common.keys import Keys

from test_utils.e2e.browser import NARROW, WIDE
from test_utils.e2e.dashboards import Dashboards
from test_utils.e2e.site import COURSE, COURSES, INSTRUCTOR_DASHBOARDS, LEARNER, TITLES, Site
from test_utils.processes import REPOSITORY, until

from .conftest import Person

pytestmark = pytest.mark.e2e

PREFIX, MODES = COURSES[COURSE]
COUNTS = [[COURSE, mode, str(number)] for mode, number in MODES.items()]
#: The UUID of a dashboard that no Superset has.
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


def test_learners_see_no_reports(visit: Visit) -> None:
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


def test_staff_of_one_course_see_no_reports_of_another(visit: Visit) -> None:
    estelle = visit("estelle")
    for course in set(COURSES) - {COURSE}:
        assert estelle.get(f"/aspects/superset_guest_token/{course}").status_code == 403
        assert estelle.get(f"/courses/{course}/instructor").status_code == 404


def test_arabic_is_shown_from_right_to_left(visit: Visit) -> None:
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


def test_a_narrow_screen_shows_the_tabs_in_a_column(visit: Visit) -> None:
    estelle = visit("estelle")
    estelle.browser.resize(NARROW)
    reports = estelle.open_reports()
    reports.wait_until_drawn()
    estelle.browser.screenshot("narrow")
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert estelle.browser.driver.execute_script(script) == 0


def test_tabs_in_a_column_are_moved_along_up_and_down(visit: Visit) -> None:
    estelle = visit("estelle")
    estelle.browser.resize(NARROW)
    tabs = estelle.open_reports().tabs
    assert tabs[1].location["y"] > tabs[0].location["y"]
    assert estelle.reports_focus(Keys.ARROW_DOWN, start=tabs[0]) == "Individual Learner Dashboard"
    estelle.browser.screenshot("narrow-tabs")
    assert estelle.reports_focus(Keys.ARROW_UP) == "Course Dashboard"


def test_the_tab_key_comes_back_to_the_open_tab(visit: Visit) -> None:
    estelle = visit("estelle")
    tabs = estelle.open_reports().tabs
    assert estelle.reports_focus(Keys.ARROW_RIGHT, start=tabs[0]) == "Individual Learner Dashboard"
    assert estelle.reports_focus(Keys.TAB).startswith("View dashboards in Superset")
    assert estelle.reports_focus(Keys.TAB, held=Keys.SHIFT) == "Course Dashboard"


def test_a_short_board_leaves_no_void(visit: Visit) -> None:
    estelle = visit("estelle")
    reports = estelle.open_reports()
    reports.wait_until_drawn()
    reports.tabs[1].click()
    reports.wait_until_drawn()
    frame = reports.frames[1]

    def void() -> float:
        with estelle.browser.inside(frame):
            end = estelle.browser.driver.execute_script(
                "return Math.max(...[...document.querySelectorAll('.dashboard-chart')]"
                ".map((chart) => chart.getBoundingClientRect().bottom))"
            )
        return frame.size["height"] - end

    # Superset's own margins.
    estelle.browser.until(lambda: 0 <= void() < 80, "the frame ends where the board does")
    assert frame.size["height"] < 480
    assert frame.find_element("xpath", "..").size["height"] == frame.size["height"]
    estelle.browser.screenshot("short-board")


def test_the_link_opens_a_new_window_says_so_and_stands_on_the_tabs_line(visit: Visit) -> None:
    estelle = visit("estelle")
    reports = estelle.open_reports()
    (link,) = reports.links
    assert link.accessible_name == "View dashboards in Superset (opens in a new window)"
    # The end of each text: with the same font and padding, that is the same line.
    ends = "return arguments[0].getBoundingClientRect().top + arguments[0].clientHeight"
    baselines = [estelle.browser.driver.execute_script(ends, element) for element in (reports.tabs[0], link)]
    assert abs(baselines[0] - baselines[1]) <= 1


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_open_tab_is_seen_under_forced_colours(visit: Visit, scheme: str, size: tuple[int, int]) -> None:
    estelle = visit("estelle")
    estelle.browser.force_colours(scheme)
    estelle.browser.resize(size)
    reports = estelle.open_reports()
    reports.wait_until_drawn()
    estelle.browser.screenshot(f"forced-colours-{scheme}-{'wide' if size == WIDE else 'narrow'}")
    side = "borderBottomColor" if size == WIDE else "borderLeftColor"
    opened, other = (
        {name: estelle.browser.style(tab, name) for name in ("backgroundColor", "color", side)} for tab in reports.tabs
    )
    page = {"dark": "0, 0, 0", "light": "255, 255, 255"}[scheme]
    assert page not in opened["backgroundColor"]
    assert opened["color"] != opened["backgroundColor"]
    # The browser gives a border that is transparent a colour, unless it is told not to.
    assert other[side] == f"rgb({page})"
    assert other["backgroundColor"] == f"rgba({page}, 0)"


@pytest.mark.parametrize("name", ["estelle", "najma"])
def test_people_whose_session_has_ended_log_in_and_come_back(visit: Visit, site: Site, name: str) -> None:
    person = visit(name)
    reports = person.open_reports()
    person.browser.driver.delete_all_cookies()
    reports.tabs[1].click()
    assert reports.message()
    assert reports.texts("[role=alert] button") == []
    person.browser.screenshot(f"session-ended-{name}")
    reports.click("[role=alert] a")
    person.browser.until(lambda: "/login" in person.browser.driver.current_url, "the login page is open")
    person.browser.enter(name, site.passwords[name])
    assert person.browser.driver.current_url == f"{site.lms.url}/courses/{COURSE}/instructor#view-aspects"
    assert Dashboards(person.browser).table() == COUNTS


def test_a_superset_that_hangs_is_reported_and_tried_again(visit: Visit, site: Site) -> None:
    config = {"service_url": site.superset.url, "guest_token_secret": site.superset.guest_token_secret}
    with site.settings(SUPERSET_CONFIG=config):
        estelle = visit("estelle")
        with site.superset.hanging():
            reports = estelle.open_reports()
            loading = ["Loading the dashboard…"]
            estelle.browser.until(lambda: reports.texts(".skeleton") == loading, "it is said to be loading")
            slow = ["This takes longer than usual. Please wait…"]
            estelle.browser.until(lambda: reports.texts(".skeleton") == slow, "it is said to be slow")
            estelle.browser.screenshot("superset-hangs")
        assert reports.table() == COUNTS
        assert reports.texts(".skeleton") == []


def test_a_superset_that_comes_back_is_shown_after_try_again(visit: Visit, site: Site) -> None:
    orion = visit("orion")
    site.superset.kill()
    try:
        reports = orion.open_reports()
        # There is no token.
        message = reports.message()
        orion.browser.screenshot("superset-stopped")
        assert message == orion.get(f"/aspects/superset_guest_token/{COURSE}").json()["detail"]
        site.superset.start()
        reports.click("[role=alert] button")
        assert reports.table() == COUNTS

        site.superset.kill()
        # There is one, and no board.
        reports.tabs[1].click()
        assert "did not load" in reports.message()
        orion.browser.screenshot("superset-stopped-later")
    finally:
        site.superset.kill()
        site.superset.start()
    reports.click("[role=alert] button")
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


def test_tokens_signed_with_superset_s_secret_are_renewed_in_time(visit: Visit, site: Site) -> None:
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


def test_the_setting_names_another_copy_of_the_sdk(visit: Visit, site: Site) -> None:
    folder = REPOSITORY / "node_modules" / "@superset-ui" / "embedded-sdk" / "bundle"
    with site.settings(ASPECTS_SUPERSET_SDK_URL="/static/index.js", STATICFILES_DIRS=[str(folder)]):
        estelle = visit("estelle")
        assert estelle.open_reports().table() == COUNTS
        assert '"GET /static/index.js HTTP/1.1" 200' in site.lms.output()
