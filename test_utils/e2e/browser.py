"""Chromium, driven by selenium."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

#: Seconds: a dashboard with its charts on a busy machine.
PATIENCE_SECS = 60
FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"),
)
WIDE = (1280, 1400)
NARROW = (400, 1000)
#: While a page is built and built anew.
_NOT_YET = (NoSuchElementException, StaleElementReferenceException)


class Browser:
    """A browser with a profile of its own, which nobody is logged in to. A context manager."""

    def __init__(self, lms_url: str, screenshots: Path):
        self.lms_url = lms_url
        self.screenshots = screenshots
        options = ChromeOptions()
        # Not until every frame is loaded: Superset may hang.
        options.page_load_strategy = "eager"
        options.binary_location = shutil.which("chromium") or ""
        for flag in FLAGS:
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = Chrome(options, ChromeService(shutil.which("chromedriver")))
        self.resize(WIDE)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def resize(self, size: tuple[int, int]) -> None:
        """Make the window so many pixels wide and high."""
        self.driver.set_window_size(*size)

    def force_colours(self, scheme: str) -> None:
        """Show pages in the few colours that somebody has chosen, on "dark" or "light"."""
        features = [
            {"name": "forced-colors", "value": "active"},
            {"name": "prefers-color-scheme", "value": scheme},
        ]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def style(self, element: WebElement, name: str) -> str:
        """The value of a property of CSS, as it is computed."""
        return self.driver.execute_script("return getComputedStyle(arguments[0])[arguments[1]]", element, name)

    def open(self, path: str) -> None:
        """Open a page of the LMS."""
        self.driver.get(self.lms_url + path)

    def log_in(self, username: str, password: str) -> None:
        """Log in, as people do."""
        self.open("/login")
        self.enter(username, password)

    def enter(self, username: str, password: str) -> None:
        """Fill in the login page, and see another one."""
        self.driver.find_element(By.NAME, "username").send_keys(username)
        self.driver.find_element(By.NAME, "password").send_keys(password)
        self.driver.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
        self.until(lambda: "/login" not in self.driver.current_url, f"{username} is logged in")

    def until(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECS) -> Any:
        """Poll until the condition returns something true, and return that."""
        wait = WebDriverWait(self.driver, seconds, poll_frequency=0.1, ignored_exceptions=_NOT_YET)
        return wait.until(lambda _driver: condition(), f"Not within {seconds} s: {what}")

    def find_all(self, selector: str) -> list[WebElement]:
        """The elements of the page or frame that match the selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    @contextmanager
    def inside(self, frame: WebElement) -> Iterator[None]:
        """Everything within the frame."""
        self.driver.switch_to.frame(frame)
        try:
            yield
        finally:
            self.driver.switch_to.default_content()

    def screenshot(self, name: str) -> None:
        """Keep what the window shows when it stands still: charts grow."""
        shown = [b""]

        def stands_still() -> bool:
            shown.append(self.driver.get_screenshot_as_png())
            return shown[-1] == shown[-2]

        self.until(stands_still, f"{name} stands still")
        self.screenshots.mkdir(parents=True, exist_ok=True)
        (self.screenshots / f"{name}.png").write_bytes(shown[-1])

    def html(self) -> str:
        """The page as it is now, with what is in the shadow of the dashboards."""
        return self.driver.execute_script(
            "return [document, ...document.querySelectorAll('aspects-dashboards')]"
            ".map((node) => (node.documentElement ?? node.shadowRoot ?? node).innerHTML).join(' ')"
        )

    def errors(self) -> list[str]:
        """The console's new errors: of scripts and of the Content-Security-Policy, but not of failed requests."""
        told = self.driver.get_log("browser")
        return [line["message"] for line in told if line["level"] == "SEVERE" and line["source"] != "network"]
