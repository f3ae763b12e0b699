"""The element that shows dashboards in a page, and its configuration."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.pages.embedding import element, embed_config

SUPERSET = {"service_url": "https://reports.example.invalid", "internal_service_url": "http://superset:8088"}
COURSE = Dashboard("Course Dashboard", "course-dashboard", "c0e64194-33d1-4d5a-8c10-4f51530c5ee9", True)


def test_the_configuration_holds_all_addresses(settings: Any) -> None:
    settings.SUPERSET_CONFIG = SUPERSET
    settings.LOGIN_URL = "login"
    settings.ASPECTS_SUPERSET_SDK_URL = "https://cdn.example.invalid/sdk.js"
    config = embed_config([COURSE], "/token", "/summary")
    assert config.pop("messages")
    assert config == {
        "supersetUrl": "https://reports.example.invalid/",
        "guestTokenUrl": "/token",
        "summaryUrl": "/summary",
        "dashboards": [
            {"uuid": "c0e64194-33d1-4d5a-8c10-4f51530c5ee9", "name": "Course Dashboard", "slug": "course-dashboard"}
        ],
        # Settings may name the view.
        "loginUrl": "/login",
        "link": {
            "url": "https://reports.example.invalid/login/openedxsso",
            "text": "View dashboards in Superset",
        },
        "sdkUrl": "https://cdn.example.invalid/sdk.js",
        "stylesheetUrl": "/static/platform_plugin_aspects/css/dashboards.css",
    }


@pytest.mark.parametrize(
    ("slug", "language", "board"),
    [
        ("aspects-course-es-419", "es-419", "course"),
        ("aspects-at-risk-fr", "fr", "at-risk"),
        ("course-dashboard", "", "course-dashboard"),
        ("course-dashboard-fr", "fr", "course-dashboard"),
    ],
)
def test_boards_are_named_without_their_language(slug: str, language: str, board: str, settings: Any) -> None:
    settings.SUPERSET_CONFIG = SUPERSET
    dashboard = Dashboard("Course", slug, "c0e64194-33d1-4d5a-8c10-4f51530c5ee9", False, language=language)
    assert embed_config([dashboard], "/token")["dashboards"][0]["slug"] == board


def test_without_superset_there_are_no_dashboards() -> None:
    config = embed_config([COURSE], "/token", "/summary")
    assert (config["supersetUrl"], config["dashboards"], config["link"]) == ("", [], None)
    assert config["summaryUrl"] == "/summary"


def test_the_link_is_the_operator_s_choice(settings: Any) -> None:
    settings.SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK = False
    config = embed_config([], "/token")
    assert config["link"] is None
    assert "<a " not in element(config)


def test_the_link_is_there_without_javascript(settings: Any) -> None:
    settings.SUPERSET_CONFIG = SUPERSET
    page = element(embed_config([], "/token"))
    assert '<a href="https://reports.example.invalid/login/openedxsso">View dashboards in Superset</a>' in page


def test_every_message_is_translated() -> None:
    english = embed_config([], "/token")["messages"]
    for language in ("ar", "es-419", "fr"):
        with translation.override(language):
            translated = embed_config([], "/token")["messages"]
        assert not set(translated.values()) & set(english.values())
