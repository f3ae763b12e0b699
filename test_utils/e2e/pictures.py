"""The pictures of README and documentation, taken of the shown site: ``make screenshots``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from platform_plugin_aspects.dashboards.boards.parts import Board
from test_utils.processes import REPOSITORY
from test_utils.show.people import COURSE, READERS
from test_utils.show.site import Site

from .board_page import TALL, BoardPage
from .browser import Browser
from .charts import boards_of_tab
from .dashboards import Dashboards

FOLDER = REPOSITORY / "docs" / "_static"
#: Pixels: wide enough for a board, and small as a file.
WIDTH = 1100


def take_all(site: Site, say: Callable[[str], None]) -> None:
    """Write the pictures into docs/_static."""
    boards = boards_of_tab()
    for name, username, slug, height in (
        ("reports.png", READERS["en"], "course", 1500),
        ("reports-at-risk.png", READERS["en"], "at-risk", 1500),
        ("reports-arabic.png", READERS["ar"], "course", 700),
    ):
        with Browser(site.lms.url, site.folder / "screenshots") as browser:
            picture = _take(browser, site, username, boards, slug, height)
        (FOLDER / name).write_bytes(picture)
        say(f"{Path(FOLDER / name).relative_to(REPOSITORY)}: {len(picture) // 1024} KiB")


def _take(browser: Browser, site: Site, username: str, boards: Sequence[Board], slug: str, height: int) -> bytes:
    browser.resize((WIDTH, TALL[1]))
    browser.log_in(username, site.passwords[username])
    browser.open(f"/courses/{COURSE}/instructor#view-aspects")
    reports = Dashboards(browser)
    browser.until(lambda: all(reports.texts(".strip dd.value")), "the numbers are there")
    place = [board.slug for board in boards].index(slug)
    reports.tabs[place].click()
    page = BoardPage(browser, reports.shown_frame())
    with page.inside():
        page.wait_until_drawn(len(list(boards[place].tabs[0].charts)))
    browser.screenshot(slug)
    browser.resize((WIDTH, height))
    return browser.driver.get_screenshot_as_png()
