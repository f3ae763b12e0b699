"""The course in numbers, above the dashboards: of a class whose answers are known, with Superset and without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from test_utils.e2e.answers import Answers
from test_utils.e2e.browser import NARROW, Browser
from test_utils.e2e.site import Site
from test_utils.show.people import COURSE, OTHER, OTHER_TEAM

from .conftest import Person

pytestmark = pytest.mark.e2e

Visit = Callable[..., Person]

LABELS = ["Active learners", "Enrolled learners", "Median progress", "Median grade", "Learners at risk"]
#: Course -> somebody of its team who reads English.
MEMBERS = {COURSE: "marta", OTHER: next(iter(OTHER_TEAM))}
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: A page of people who like it dark, as a theme of the platform makes it.
DARK = """
    document.documentElement.style.colorScheme = "dark";
    for (let box = document.querySelector("aspects-dashboards"); box; box = box.parentElement) {
        Object.assign(box.style, {background: "#18191a", color: "#e6e6e6"});
    }
"""


@pytest.fixture
def member(visit: Visit, site: Site) -> Callable[[str], Person]:
    """Opens a browser for somebody of a team, on the LMS that shows the plugin's own boards."""
    return lambda name: visit(name, site.show.lms.url)


def per_cent(share: float) -> str:
    return f"{round(100 * share)}%"


def focused(browser: Browser) -> str:
    return browser.driver.execute_script("return document.activeElement.shadowRoot.activeElement.textContent")


def test_the_five_numbers_are_the_known_answers(member: Callable[[str], Person], answers: Answers) -> None:
    course = str(answers.school.course)
    person = member(MEMBERS[course])

    def ask() -> list[tuple[str, str]]:
        return [(tile.label, tile.value) for tile in person.open_reports(course).tiles()]

    known, found = answers.beside(["course_summary"], ask)
    [row] = known["course_summary"]
    values = [
        str(row["active_7_days"]),
        str(row["enrolled"]),
        per_cent(row["median_progress"]),
        per_cent(row["median_grade"]),
        str(row["at_risk"]),
    ]
    assert found == list(zip(LABELS, values, strict=True))


def test_last_week_s_number_the_definition_and_the_freshness_stand_beside(member: Callable[[str], Person]) -> None:
    marta = member("marta")
    reports = marta.open_reports(COURSE)
    tiles = reports.tiles()
    assert tiles[0].before.endswith(" the week before")
    assert " new, " in tiles[1].before
    (status,) = reports.texts(".strip > [role=status]")
    assert status.startswith("Last event ")
    assert "Course published " in status
    reports.wait_until_drawn()
    marta.browser.screenshot("strip")


def test_a_key_opens_the_definition_and_another_closes_it(member: Callable[[str], Person]) -> None:
    marta = member("marta")
    tile = marta.open_reports(COURSE).tiles()[1]
    info, definition = tile.find(".info"), tile.find(".definition")
    assert info.accessible_name == "Enrolled learners What this number means"
    marta.browser.driver.execute_script("arguments[0].focus()", info)
    keys = ActionChains(marta.browser.driver)
    keys.send_keys(Keys.ENTER).perform()
    assert definition.text.startswith("Learners who are enrolled now.")
    marta.browser.screenshot("strip-definition")
    keys.send_keys(Keys.ESCAPE).perform()
    assert not definition.is_displayed()
    assert focused(marta.browser) == "What this number means"


def test_a_number_leads_to_its_board(member: Callable[[str], Person]) -> None:
    marta = member("marta")
    reports = marta.open_reports(COURSE)
    show = reports.tiles()[4].find(".show")
    name = reports.tabs[1].text
    assert show.accessible_name == f"Learners at risk Show the dashboard “{name}”"
    show.send_keys(Keys.ENTER)
    assert focused(marta.browser) == name
    assert reports.tabs[1].get_attribute("aria-selected") == "true"


def test_the_numbers_do_not_need_superset(member: Callable[[str], Person], site: Site) -> None:
    marta = member("marta")
    site.superset.kill()
    try:
        reports = marta.open_reports(COURSE)
        assert [tile.label for tile in reports.tiles()] == LABELS
        assert reports.message()
        marta.browser.screenshot("strip-superset-stopped")
    finally:
        site.superset.start()


def test_a_site_without_superset_shows_the_numbers_and_no_error(visit: Visit, site: Site) -> None:
    with site.settings(SUPERSET_CONFIG={}):
        marta = visit("marta")
        reports = marta.open_reports(COURSE)
        tiles = reports.tiles()
        assert [tile.label for tile in tiles] == LABELS
        assert reports.tabs == reports.links == reports.frames == []
        assert reports.texts("[role=alert], .message") == []
        assert tiles[0].element.find_elements(By.CSS_SELECTOR, ".show") == []
        marta.browser.screenshot("strip-without-superset")


def test_arabic_numbers_begin_at_the_right(member: Callable[[str], Person]) -> None:
    nour = member("nour")
    reports = nour.open_reports(COURSE)
    places = [tile.element.location["x"] for tile in reports.tiles()]
    assert places == sorted(places, reverse=True)
    assert len(set(places)) == 5
    reports.wait_until_drawn()
    nour.browser.screenshot("strip-arabic")


@pytest.mark.parametrize("name", ["marta", "nour", "celeste"])
def test_a_narrow_screen_shows_the_numbers_below_each_other(member: Callable[[str], Person], name: str) -> None:
    person = member(name)
    person.browser.resize(NARROW)
    reports = person.open_reports(COURSE)
    tiles = [tile.element for tile in reports.tiles()]
    assert len({tile.location["x"] for tile in tiles}) == 1
    places = [tile.location["y"] for tile in tiles]
    assert places == sorted(set(places))
    assert person.browser.driver.execute_script(OVERFLOW) == 0
    person.browser.screenshot(f"strip-narrow-{name}")


def test_on_a_dark_page_the_definition_is_dark(member: Callable[[str], Person]) -> None:
    marta = member("marta")
    tile = marta.open_reports(COURSE).tiles()[0]
    marta.browser.driver.execute_script(DARK)
    tile.find(".info").click()
    definition = tile.find(".definition")
    assert marta.browser.style(definition, "backgroundColor") == "rgb(18, 18, 18)"
    assert marta.browser.style(definition, "color") == "rgb(230, 230, 230)"
    marta.browser.screenshot("strip-dark")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_an_open_definition_is_seen_under_forced_colours(member: Callable[[str], Person], scheme: str) -> None:
    marta = member("marta")
    marta.browser.force_colours(scheme)
    tiles = marta.open_reports(COURSE).tiles()
    tiles[1].find(".info").click()
    circle = "return getComputedStyle(arguments[0], '::before').backgroundColor"
    opened, closed = (marta.browser.driver.execute_script(circle, tile.find(".info")) for tile in (tiles[1], tiles[0]))
    assert opened != closed
    marta.browser.screenshot(f"strip-forced-colours-{scheme}")


def test_learners_get_no_numbers(visit: Visit, site: Site) -> None:
    learner = visit("star_0")
    answer = learner.get(f"/aspects/course_summary/{COURSE}")
    assert answer.status_code == 403
    assert set(answer.json()) == {"detail", "code"}
