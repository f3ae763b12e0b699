"""The site that test_utils.e2e has started, and the people on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from selenium.webdriver import ActionChains
from selenium.webdriver.remote.webelement import WebElement

from test_utils.e2e.answers import Answers
from test_utils.e2e.board_page import TALL, BoardPage
from test_utils.e2e.browser import Browser
from test_utils.e2e.charts import Stored, read_stored
from test_utils.e2e.dashboards import Dashboards
from test_utils.e2e.site import COURSE, SITE, Site
from test_utils.show.people import COURSE as SHOWN_COURSE
from test_utils.show.superset import TIMEOUT_SECS

#: Access tokens, refresh tokens and guest tokens all look like this.
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


def leaks(text: str, site: Site) -> list[str]:
    """The secrets that stand in the text."""
    return [*(secret for secret in site.secrets if secret in text), *JWT.findall(text)]


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """No database for tests: the site's own holds all that they need."""


@pytest.fixture(scope="session", autouse=True)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The site; when all is done, no log may hold a secret."""
    site = request.config.stash[SITE]
    yield site
    assert {name: leaks(text, site) for name, text in site.logs().items() if leaks(text, site)} == {}


@pytest.fixture(params=["current", "other"])
def answers(request: pytest.FixtureRequest, site: Site, django_db_blocker: Any) -> Iterator[Answers]:
    """The known answers of the course, which has a former run, and those of another team's course."""
    school = site.show.school
    # Not in a transaction, which would lock the site's database.
    with django_db_blocker.unblock():
        yield Answers(school.current, school.former) if request.param == "current" else Answers(school.other)


def log_in(site: Site, username: str, lms_url: str = "") -> requests.Session:
    """A session with the LMS, or the one at this address, of somebody who has logged in."""
    session = requests.Session()
    url = f"{lms_url or site.lms.url}/login"
    session.get(url, timeout=TIMEOUT_SECS)
    form = {"username": username, "password": site.passwords[username]}
    form["csrfmiddlewaretoken"] = session.cookies["csrftoken"]
    assert session.post(url, data=form, timeout=TIMEOUT_SECS).url != url
    return session


class Person:
    """Somebody with a browser, and an account on the LMS."""

    def __init__(self, site: Site, username: str, browser: Browser):
        self.browser = browser
        browser.log_in(username, site.passwords[username])
        # A second login would end the first.
        self.session = requests.Session()
        self.session.cookies.update({cookie["name"]: cookie["value"] for cookie in browser.driver.get_cookies()})

    def get(self, path: str) -> requests.Response:
        """The LMS's answer."""
        return self.session.get(self.browser.lms_url + path, timeout=TIMEOUT_SECS)

    def open_reports(self, course: str = COURSE) -> Dashboards:
        """Open the section "Reports" of a course's instructor dashboard."""
        self.browser.open(f"/courses/{course}/instructor#view-aspects")
        return Dashboards(self.browser)

    def reports_focus(self, key: str, start: WebElement | None = None, held: str = "") -> str:
        """Press a key, at ``start`` or where the focus is; return the text of what has the focus then."""
        driver = self.browser.driver
        if start is not None:
            driver.execute_script("arguments[0].focus()", start)
        actions = ActionChains(driver)
        if held:
            actions.key_down(held).send_keys(key).key_up(held).perform()
        else:
            actions.send_keys(key).perform()
        text = "return document.activeElement.shadowRoot.activeElement.textContent"
        return driver.execute_script(text)


@pytest.fixture
def visit(site: Site) -> Iterator[Callable[..., Person]]:
    """Opens a browser for the person with this username, on the LMS or the one at an address.

    No page may have broken, nor hold a secret.
    """
    people = []
    with ExitStack() as stack:

        def open_browser(username: str, lms_url: str = "") -> Person:
            browser = stack.enter_context(Browser(lms_url or site.lms.url, site.folder / "screenshots"))
            people.append(Person(site, username, browser))
            return people[-1]

        yield open_browser
        for person in people:
            assert person.browser.errors() == []
            assert leaks(person.browser.html(), site) == []


Meet = Callable[[str], Person]


@pytest.fixture
def meet(site: Site, visit: Callable[..., Person]) -> Meet:
    """Opens a browser for somebody on the shown site."""

    def come(username: str) -> Person:
        person = visit(username, site.show.lms.url)
        person.browser.screenshots = site.folder / "screenshots" / "boards"
        person.browser.resize(TALL)
        return person

    return come


def open_board(person: Person, place: int, course: str = SHOWN_COURSE) -> BoardPage:
    """Open the board at a place of the tab Reports."""
    reports = person.open_reports(course)
    reports.tabs[place].click()
    return BoardPage(person.browser, reports.shown_frame())


@pytest.fixture(scope="module")
def stored(site: Site) -> Stored:
    """The boards in Superset, as they are provisioned."""
    return read_stored(site.superset)
