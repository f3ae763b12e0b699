"""Fixtures: the reports in the embedded engine as the site's, a course, and a member of its team."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from common.djangoapps.student.roles import CourseStaffRole
from django.contrib.auth.models import User
from django.test import Client

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.reporting.conftest import clickhouse, reports, shared_settings
from platform_plugin_aspects.tests.reporting.site import COURSE
from test_utils.clickhouse_endpoint import ALL, ClickHouseEndpoint
from test_utils.factories import make_overview, make_user

__all__ = ["clickhouse", "reports", "shared_settings"]

PATH = f"/aspects/course_summary/{COURSE}"
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    """Reports and the sinks that they read are on."""
    settings.ASPECTS_REPORTING_ENABLED = True
    for name in ("course_overviews", "course_enrollment", "xapi", "external_id", "user_profile"):
        setattr(settings, sinks()[name].setting(), True)
    settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS = []


@pytest.fixture
def team(db: None, client: Client) -> User:
    """A member of the course's team, logged in. The course is on the platform, and not in ClickHouse."""
    make_overview(COURSE)
    user = make_user()
    CourseStaffRole(COURSE).add_users(user)
    client.force_login(user)
    return user


@pytest.fixture
def ask(team: User, client: Client) -> Ask:
    """Ask for the numbers: the status, and the body."""

    def _ask(**headers: str) -> tuple[int, dict[str, Any]]:
        answer = client.get(PATH, headers=headers)
        assert answer["Cache-Control"] == "no-store"
        return answer.status_code, answer.json()

    return _ask


@pytest.fixture
def by_http(
    reports: Reports,
    clickhouse_endpoint: ClickHouseEndpoint,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> ClickHouseEndpoint:
    """The same ClickHouse behind HTTP, for a user whose rights a test may change."""
    monkeypatch.setattr(clickhouse_endpoint, "users", {**clickhouse_endpoint.users, "ch_cms": ("password", ALL)})
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG,
        "url": clickhouse_endpoint.url,
        "username": "ch_cms",
        "password": "password",
    }
    return clickhouse_endpoint
