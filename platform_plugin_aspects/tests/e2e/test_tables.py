"""People search, sort and click in tables, whose columns are expressions in other languages than English."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from test_utils.e2e.answers import Answers
from test_utils.e2e.charts import boards_of_tab
from test_utils.show.people import READERS

from .conftest import Meet, open_board

pytestmark = pytest.mark.e2e

OF_TAB = boards_of_tab()
BOARDS = {board.slug: board for board in OF_TAB}
#: A reason, and what stands before the username in the bar of filters after a click.
LANGUAGES = {"en": ("never visited", "Username"), "es-419": ("sin ninguna visita", "")}
USERNAME, REASONS = 0, 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answers", ["current"], indirect=True)
def test_people_search_and_sort_in_a_table(meet: Meet, answers: Answers, language: str) -> None:
    reader = meet(READERS[language])
    browser = reader.browser
    board = BOARDS["at-risk"]
    status = answers.views(["learner_status_with_names"], datetime.now(UTC))["learner_status_with_names"]
    at_risk = [row["username"] for row in status if row["at_risk"]]
    reason, _label = LANGUAGES[language]
    page = open_board(reader, OF_TAB.index(board))
    with page.inside():
        page.wait_until_drawn(len(board.charts))
        [box] = [found for found in browser.find_all("input") if found.is_displayed()]
        box.send_keys(reason)

        def found() -> list[bool]:
            return [reason in cell for cell in page.cells(0, REASONS)]

        browser.until(lambda: found() and all(found()), "the search finds a reason")
        box.send_keys(Keys.BACKSPACE * len(reason))
        browser.until(lambda: not all(found()), "all learners are there")
        next(found for found in browser.find_all("table thead th") if found.is_displayed()).click()
        # A first click sorts from the last to the first.
        browser.until(lambda: page.cells(0, USERNAME)[:1] == [max(at_risk)], "the rows are sorted")
        assert page.errors() == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_click_on_a_learner_shows_the_path(meet: Meet, language: str) -> None:
    reader = meet(READERS[language])
    browser = reader.browser
    board = BOARDS["learners"]
    _reason, label = LANGUAGES[language]
    page = open_board(reader, OF_TAB.index(board))
    with page.inside():
        page.wait_until_drawn(len(board.charts))
        username = page.cells(0, USERNAME)[2]
        browser.driver.find_element(By.XPATH, f"//td[normalize-space()='{username}']").click()
        browser.until(lambda: set(page.cells(1, USERNAME)) == {username}, "the path is that of the learner")
        [shown_filter] = browser.find_all("[data-test=filter-bar] .ant-tag")
        assert shown_filter.text == label + username
        assert page.errors() == []
