"""The views of the reports on the shown site: the known answers, at the real clock, of a course and of another."""

from __future__ import annotations

import pytest

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.expected import VIEWS
from platform_plugin_aspects.tests.reporting.site import rows
from platform_plugin_aspects.tests.reporting.ways import about
from test_utils.e2e.answers import Answers

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def reports() -> Reports:
    """The reports as Superset's user sees them."""
    from django.conf import settings

    reader = settings.ASPECTS_SUPERSET_READER
    connection = Connection.from_settings({"username": reader["username"], "password": reader["password"]})
    return Reports(get_client(connection), Layout.from_settings(personal=True))


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_shows_the_known_answers(reports: Reports, answers: Answers, view: str) -> None:
    def ask() -> list[dict[str, object]]:
        found = rows(reports, view, f"course_key = '{answers.school.course}'")
        return sorted(found, key=lambda row: [row[column] for column in VIEWS[view]])

    known, found = answers.beside([view], ask)
    assert known[view]
    assert found == list(map(about, known[view]))
