"""A board of ours in Superset's frame: its tabs, charts, numbers, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from selenium.webdriver.remote.webelement import WebElement

from .browser import Browser

#: Superset draws the charts that a window shows, so this one is as high as a board.
TALL = (1280, 2600)
CHART = ".dashboard-component-chart-holder"
ERRORS = "[role=alert], .ant-alert-error, [data-test=error-alert], [data-test=alert-toast]"

CUT_OFF = """
const cells = [...document.querySelectorAll("td, th")].filter((cell) => cell.scrollWidth > cell.clientWidth + 1);
const places = [...document.querySelectorAll("div:has(> table)")].filter((place) => (
  place.scrollHeight > place.clientHeight + 1
));
return [...cells, ...places].filter((found) => found.checkVisibility()).map((found) => found.textContent);
"""


class BoardPage:
    """The board in ``frame``. All methods need ``inside``."""

    def __init__(self, browser: Browser, frame: WebElement):
        self.browser = browser
        self.frame = frame

    @contextmanager
    def inside(self) -> Iterator[BoardPage]:
        """Everything within the frame."""
        with self.browser.inside(self.frame):
            yield self

    def _shown(self, selector: str) -> list[WebElement]:
        return [found for found in self.browser.find_all(selector) if found.is_displayed()]

    @property
    def tabs(self) -> list[WebElement]:
        """The tabs within the board."""
        return self._shown(".dashboard [role=tab]")

    def open_tab(self, place: int, tabs: int) -> None:
        """Open the tab at this place, of so many; a single one is open."""
        if tabs > 1:
            self.browser.until(lambda: len(self.tabs) == tabs, f"the board has {tabs} tabs")
            self.tabs[place].click()

    def wait_until_drawn(self, charts: int) -> None:
        """Wait until so many charts are there, each drawn."""

        def drawn() -> bool:
            places = self._shown(CHART)
            return len(places) == charts and all(map(self._is_drawn, places)) and not self._shown(".loading")

        self.browser.until(drawn, f"{charts} charts are drawn")

    @staticmethod
    def _is_drawn(place: WebElement) -> bool:
        """Whether a chart has something in it: a picture, a number, a table, a sentence or an error."""
        something = "canvas, .header-line, table, [aria-label=empty], [role=alert], .ant-empty"
        return bool(place.find_elements("css selector", something))

    def titles(self) -> list[str]:
        """The charts' questions."""
        return [found.text for found in self._shown(f"{CHART} .header-title")]

    def numbers(self) -> list[str]:
        """The big numbers, in order."""
        return [found.text for found in self._shown(".header-line")]

    def head(self) -> list[str]:
        """The heads of the tables' columns."""
        return [found.text for found in self._shown("table thead th")]

    def cut_off(self) -> list[str]:
        """The texts of cells that are not shown whole, and of tables that scroll from top to bottom."""
        return self.browser.driver.execute_script(CUT_OFF)

    def cells(self, table: int, column: int) -> list[str]:
        """The texts of a column in the rows that a table shows; ``table`` and ``column`` are places from 0.

        Empty while the table is drawn.
        """
        # A table whose head stands still is two in the page: the other has no rows.
        tables = [found for found in self._shown("table") if found.find_elements("css selector", "tbody td")]
        selector = f"tbody tr td:nth-child({column + 1})"
        return [cell.text for cell in tables[table].find_elements("css selector", selector)] if tables[table:] else []

    def errors(self) -> list[str]:
        """The texts of what Superset says to be wrong."""
        return [found.text for found in self._shown(ERRORS)]

    def empty(self) -> list[str]:
        """The sentences in place of charts without rows."""
        script = "return getComputedStyle(arguments[0], '::before').content"
        places = self._shown("[aria-label=empty] + div")
        return [self.browser.driver.execute_script(script, place).strip('"') for place in places]
