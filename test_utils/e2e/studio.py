"""A board beside a block, embedded as Studio's authoring micro-frontend does it, with Superset's SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selenium.webdriver.remote.webelement import WebElement

from test_utils.processes import REPOSITORY

from .browser import Browser

SDK = REPOSITORY / "node_modules" / "@superset-ui" / "embedded-sdk" / "bundle" / "index.js"
EMBED = """
const [answer, run, token, config, size] = arguments;
const mountPoint = document.createElement("div");
document.body.replaceChildren(mountPoint);
globalThis.supersetEmbeddedSdk.embedDashboard({
  id: answer.dashboardId,
  supersetDomain: answer.supersetUrl,
  mountPoint,
  fetchGuestToken: async () => token,
  dashboardUiConfig: { ...config, urlParams: { native_filters: answer.courseRuns[run].native_filters } },
  referrerPolicy: "strict-origin-when-cross-origin",
});
Object.assign(mountPoint.querySelector("iframe"), size);
"""


def embed(
    browser: Browser, answer: Mapping[str, Any], run: str, token: str, size: tuple[int, int], **config: Any
) -> WebElement:
    """The frame with the board in an otherwise empty page of the LMS.

    ``answer``: that of superset_in_context_dashboard. ``run``: the key of the course run. ``size``: width and height in
    pixels. ``config``: further keys of the SDK's dashboardUiConfig.
    """
    browser.open("/heartbeat")
    browser.driver.execute_script(SDK.read_text())
    width, height = size
    browser.driver.execute_script(EMBED, answer, run, token, config, {"width": width, "height": height})
    return browser.until(lambda: browser.find_all("iframe"), "the board is embedded")[0]
