"""The visible parts of `<aspects-dashboards>`: tabs, boards in frames, messages."""

from __future__ import annotations

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from .browser import Browser

#: Seconds: two failures of the numbers, and the minutes after these.
NUMBERS_SECS = 150


class Tile:
    """One of the numbers above the dashboards."""

    def __init__(self, element: WebElement):
        self.element = element
        self.label = self._text("dt [id^=label]")
        self.value = self._text(".value")
        self.before = self._text(".before")

    def _text(self, selector: str) -> str:
        return self.element.find_element(By.CSS_SELECTOR, selector).text

    def find(self, selector: str) -> WebElement:
        """The part that matches the selector: ".show", ".info" or ".definition"."""
        return self.element.find_element(By.CSS_SELECTOR, selector)


class Dashboards:
    """One element of the page, the ``place``-th."""

    def __init__(self, browser: Browser, place: int = 0):
        self.browser = browser

        def is_shown(found: WebElement) -> bool:
            return browser.driver.execute_script("return arguments[0].checkVisibility()", found)

        elements = browser.until(
            # In a hidden section there is another. An element that still waits for its stylesheet has no height.
            lambda: [found for found in browser.find_all("aspects-dashboards") if is_shown(found)][place:],
            f"the page shows {place + 1} <aspects-dashboards>",
        )
        self.element = elements[0]
        if place:
            # A board is loaded when it is seen.
            browser.driver.execute_script("arguments[0].scrollIntoView()", self.element)
        self.root = browser.until(lambda: self.element.shadow_root, "the element has its content")
        # It is hidden until its stylesheet is there.
        browser.until(lambda: self._find_all("link + div"), "the element shows its content")

    def _find_all(self, selector: str) -> list[WebElement]:
        found = self.root.find_elements(By.CSS_SELECTOR, selector)
        return [element for element in found if element.is_displayed()]

    @property
    def tabs(self) -> list[WebElement]:
        """The tabs, of which there are none for a single board."""
        return self._find_all("[role=tab]")

    @property
    def links(self) -> list[WebElement]:
        """The links beside the tabs."""
        return self._find_all("header a")

    @property
    def frames(self) -> list[WebElement]:
        """The frames of all boards that were loaded, shown or not."""
        return self.root.find_elements(By.CSS_SELECTOR, "iframe")

    def tiles(self) -> list[Tile]:
        """Wait for the numbers above the dashboards, and return them."""
        # While they load, their places are there. If ClickHouse is busy, the first answer may take too long: the page
        # asks again after a minute.
        found = self.browser.until(
            lambda: self._find_all(".tile:not([aria-hidden])"), "there are numbers", seconds=NUMBERS_SECS
        )
        return [Tile(element) for element in found]

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that match the selector."""
        return [element.text for element in self._find_all(selector)]

    def click(self, selector: str) -> None:
        """Click on the first that the selector finds."""
        self._find_all(selector)[0].click()

    def _shown(self) -> WebElement:
        return self.browser.until(lambda: self._find_all("iframe"), "a board is shown")[0]

    def shown_frame(self) -> WebElement:
        """Wait for the frame of the board that is shown."""
        return self._shown()

    def message(self) -> str:
        """Wait for the message in place of a board, and return it."""
        return self.browser.until(lambda: self.texts("[role=alert] p"), "there is a message")[0]

    def table(self) -> list[list[str]]:
        """Wait for the table of the board that is shown; return the texts of its cells, row by row."""
        return read_table(self.browser, self._shown())

    def wait_until_drawn(self) -> None:
        """Wait until every chart of the board that is shown has its data."""
        # On a narrow page, the numbers fill the window. A board, and each of its charts, is loaded when it is seen, and
        # only a board that has got its height can be scrolled up.
        scroll = "if (innerWidth < 640 && arguments[0].getBoundingClientRect().top > 1) arguments[0].scrollIntoView()"

        def is_drawn() -> bool:
            # Until its board is loaded, a panel has no height and is not "displayed".
            for panel in self.root.find_elements(By.CSS_SELECTOR, "section:not(.strip):not([hidden])"):
                self.browser.driver.execute_script(scroll, panel)
            frames = self._find_all("iframe")
            if not frames:
                return False
            with self.browser.inside(frames[0]):
                return bool(self.browser.find_all(".dashboard-chart")) and not self.browser.find_all(".loading")

        self.browser.until(is_drawn, "every chart is drawn")


def read_table(browser: Browser, frame: WebElement) -> list[list[str]]:
    """Wait for the table in Superset's frame; return the texts of its cells, row by row."""
    with browser.inside(frame):
        browser.until(lambda: browser.find_all("table tbody td"), "the table has rows")
        rows = browser.find_all("table tbody tr")
        return [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in rows]
