"""Each of our boards: every number a guest gets, and every board in Chromium as a course team sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import pytest
from django.utils.translation import override

from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.boards.parts import Board, Kind
from test_utils.e2e.answers import MOMENTS, Answers, answer, unlike
from test_utils.e2e.board_page import TALL, BoardPage
from test_utils.e2e.browser import NARROW, WIDE, Browser
from test_utils.e2e.charts import Stored, all_boards, boards_of_tab, shown
from test_utils.e2e.dashboards import Dashboards
from test_utils.e2e.site import Site
from test_utils.e2e.studio import embed
from test_utils.show.people import COURSE, LEARNER, OTHER, OTHER_TEAM, READERS, TEAM
from test_utils.show.superset import TIMEOUT_SECS

from .conftest import Meet, log_in, open_board

pytestmark = pytest.mark.e2e

BOARDS = all_boards()
OF_TAB = boards_of_tab()
OF_STUDIO = [board for board in BOARDS if board.block_type]
MEMBER = next(iter(TEAM))
#: Somebody of the team of each course.
MEMBERS = {COURSE: MEMBER, OTHER: next(iter(OTHER_TEAM))}
#: In milliseconds.
MINUTE = 60_000


@pytest.fixture
def token(site: Site, answers: Answers) -> str:
    """The guest token of the page of the course, for its team."""
    course = str(answers.school.course)
    session = log_in(site, MEMBERS[course], site.show.lms.url)
    answered = session.get(f"{site.show.lms.url}/aspects/superset_guest_token/{course}", timeout=TIMEOUT_SECS)
    return answered.json()["guestToken"]


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_each_number_of_each_chart_is_the_known_answer(
    site: Site, stored: Stored, token: str, answers: Answers, board: Board
) -> None:
    for chart in board.charts:
        views, found = answers.beside(
            [chart.view], lambda chart=chart: shown(site.superset, stored, token, board, chart)
        )
        known = answer(chart, views)
        assert known, chart.name
        assert unlike(found, known) == ([], []), chart.name


@pytest.mark.parametrize("answers", ["current"], indirect=True)
@pytest.mark.parametrize("board", OF_TAB, ids=lambda board: board.slug)
def test_a_course_team_sees_each_chart_and_the_big_numbers(meet: Meet, answers: Answers, board: Board) -> None:
    member = meet(MEMBER)
    page = open_board(member, OF_TAB.index(board))
    for place, tab in enumerate(board.tabs):
        charts = list(tab.charts)
        with page.inside():
            page.open_tab(place, len(board.tabs))
            page.wait_until_drawn(len(charts))
            assert page.errors() == []
            assert page.empty() == []
            assert page.cut_off() == []
            assert page.titles() == [str(chart.question) for chart in charts]
            numbers = [chart for chart in charts if chart.kind is Kind.NUMBER]
            views, texts = answers.beside([chart.view for chart in numbers], page.numbers)
            known = [answer(chart, views)[0][0] for chart in numbers]
            assert [_number(text) for text in texts] == [
                number // MINUTE * MINUTE if number >= MOMENTS else pytest.approx(number, abs=0.0051)
                for number in known
            ]
        member.browser.screenshot(f"{board.slug}-{tab.name}")


def _number(text: str) -> float:
    """A number as a board writes it; a moment in milliseconds since 1970."""
    with suppress(ValueError):
        return datetime.strptime(f"{text}+0000", "%Y-%m-%d %H:%M%z").timestamp() * 1000
    return float(text.rstrip("%").replace(",", "")) / (100 if text.endswith("%") else 1)


@pytest.mark.parametrize("board", OF_STUDIO, ids=lambda board: board.slug)
def test_studio_shows_each_board_beside_a_block(site: Site, meet: Meet, board: Board) -> None:
    member = meet(MEMBER)
    place = _block(site, board.block_type)
    shown_beside = member.get(f"/aspects/superset_in_context_dashboard/{place}").json()
    token = member.get(f"/aspects/superset_guest_token/{COURSE}").json()["guestToken"]
    page = BoardPage(member.browser, embed(member.browser, shown_beside, COURSE, token, (700, 2200), hideTitle=True))
    with page.inside():
        page.wait_until_drawn(len(board.charts))
        assert page.errors() == []
        assert page.titles() == [str(chart.question) for chart in board.charts]
    member.browser.screenshot(board.slug)


def _block(site: Site, kind: str) -> str:
    """A block of this type with answers or plays, or the course."""
    structure = site.show.school.current.structure
    keys = {
        "course": COURSE,
        # Graded.
        "sequential": structure.units[2].subsection,
        "problem": structure.problems[0].key,
        "video": structure.videos[0].key,
    }
    return str(keys[kind])


def test_a_team_sees_its_own_course_and_no_other(meet: Meet) -> None:
    baker = meet(MEMBERS[OTHER])
    page = open_board(baker, 0, OTHER)
    with page.inside():
        page.wait_until_drawn(len(list(OF_TAB[0].tabs[0].charts)))
        assert page.errors() == []
        # 15 learners, of whom some have left.
        assert 10 <= _number(page.numbers()[1]) <= 15
    baker.browser.screenshot("another-team")
    for course, username in ((COURSE, MEMBERS[OTHER]), (OTHER, MEMBER)):
        person = baker if username == MEMBERS[OTHER] else meet(username)
        for path in ("superset_guest_token", "superset_instructor_dashboard", "course_summary"):
            assert person.get(f"/aspects/{path}/{course}").status_code == 403


def test_a_learner_sees_nothing(meet: Meet) -> None:
    learner = meet(LEARNER)
    learner.browser.open(f"/courses/{COURSE}/instructor")
    assert learner.browser.find_all("aspects-dashboards") == []
    for path in ("superset_guest_token", "superset_instructor_dashboard", "course_summary"):
        assert learner.get(f"/aspects/{path}/{COURSE}").status_code == 403


@pytest.mark.parametrize("language", READERS)
def test_boards_speak_the_language_of_the_reader(meet: Meet, language: str) -> None:
    reader = meet(READERS[language])
    place = [board.slug for board in OF_TAB].index("at-risk")
    page = open_board(reader, place)
    reports = Dashboards(reader.browser)
    with override(language.lower()):
        assert [tab.text for tab in reports.tabs] == [str(board.title) for board in OF_TAB]
        charts = OF_TAB[place].charts
        questions = [str(chart.question) for chart in charts]
        labels = [str(LABELS[column].text) for chart in charts for column in chart.columns]
    with page.inside():
        page.wait_until_drawn(len(charts))
        assert page.titles() == questions
        assert [text for text in page.head() if text] == labels
    reader.browser.screenshot(f"language-{language}")


@contextmanager
def _dark(browser: Browser) -> Iterator[None]:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    yield
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_board_on_a_narrow_screen_and_in_the_dark(meet: Meet) -> None:
    member = meet(MEMBER)
    charts = len(list(OF_TAB[0].tabs[0].charts))
    member.browser.resize((NARROW[0], TALL[1]))
    page = open_board(member, 0)
    with page.inside():
        page.wait_until_drawn(charts)
        assert page.errors() == []
    member.browser.screenshot("narrow")
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert member.browser.driver.execute_script(script) == 0

    member.browser.resize(TALL)
    with _dark(member.browser):
        page = open_board(member, 0)
        with page.inside():
            page.wait_until_drawn(charts)
            assert page.errors() == []
        member.browser.screenshot("dark")


def test_the_strip_stays_while_superset_is_stopped(site: Site, meet: Meet) -> None:
    member = meet(MEMBER)
    member.browser.resize(WIDE)
    site.superset.kill()
    try:
        reports = member.open_reports(COURSE)
        assert reports.message()
        numbers = member.browser.until(lambda: _strip(reports), "the strip shows five numbers")
        assert numbers[1] == str(_enrolled(site))
        member.browser.screenshot("superset-stopped")
    finally:
        site.superset.start()


def _strip(reports: Dashboards) -> list[str]:
    texts = reports.texts(".strip dd.value")
    return texts if len(texts) == 5 and all(texts) else []


def _enrolled(site: Site) -> int:
    return sum(pupil.script.is_active for pupil in site.show.school.current.pupils)
