"""aspects_check, section Boards: whether people who log in to Superset see rows of any dataset."""

from __future__ import annotations

from typing import Any

import pytest

from platform_plugin_aspects.dashboards.superset.api import Account
from platform_plugin_aspects.operations.doctor import boards, row_rule
from platform_plugin_aspects.operations.doctor.findings import Examination, Mark
from platform_plugin_aspects.operations.provision.superset import SupersetPart
from platform_plugin_aspects.tests.operations.provision.test_superset import configured  # noqa: F401
from test_utils.superset_endpoint import Reply, SupersetEndpoint
from test_utils.superset_objects import ClickHouse

pytestmark = pytest.mark.django_db

RUN = "Run python manage.py cms aspects_provision with an administrator of Superset"
ROW = {"course_key": "course-v1:org+one+run"}
#: Views for boards of a site without names of learners.
VIEWS = 21
CLOSED = (Mark.OK, "People who log in to Superset see no row of 21 datasets", "")
OPEN = (
    "People who log in to Superset see the rows of all courses: the row rule of the boards does not hold for "
    "enrollment_by_track, learner_status"
)


@pytest.fixture
def superset(configured: Any, superset_endpoint: SupersetEndpoint) -> SupersetEndpoint:  # noqa: F811
    """A Superset with the boards. Two views have rows."""
    superset_endpoint.accounts.clear()
    views = {view: [ROW] for view in ("learner_status", "enrollment_by_track")}
    superset_endpoint.objects.clickhouse = ClickHouse("ch.invalid:8443", {"boards": "boards-secret"}, views)
    url = f"{superset_endpoint.url}/"
    configured.SUPERSET_CONFIG = {"service_url": url, "username": "aspects", "password": "superset-secret"}
    SupersetPart.from_settings().provision(Account("admin", "admin-secret")).apply()
    assert len(superset_endpoint.objects.dataset) == VIEWS
    return superset_endpoint


def found() -> list[tuple[Mark, str, str]]:
    return [(it.mark, it.text, it.remedy) for it in row_rule.examine(SupersetPart.from_settings())]


def number_of(superset: SupersetEndpoint, view: str) -> int:
    return next(number for number, row in superset.objects.dataset.items() if row["table_name"] == view)


def test_a_closed_rule_is_ok(superset: SupersetEndpoint) -> None:
    superset.clear()
    assert found() == [CLOSED]
    assert superset.writes() == []


def test_each_dataset_with_rows_is_named(superset: SupersetEndpoint) -> None:
    """Two datasets have left the rule; the one that the former check looked at has not."""
    opened = {number_of(superset, view) for view in ("learner_status", "enrollment_by_track")}
    superset.objects.rules[1]["tables"] -= opened
    assert found() == [(Mark.PROBLEM, OPEN, RUN)]


def test_a_dataset_that_cannot_be_asked_is_a_note(superset: SupersetEndpoint) -> None:
    """One is gone, and Superset fails for another."""
    superset.objects.delete("dataset", number_of(superset, "forum_activity"))
    superset.plan("chart/data", Reply(500, {"message": "Fatal error"}))
    ((mark, text, remedy),) = found()
    assert (mark, remedy) == (Mark.NOTE, RUN)
    assert text.startswith("2 datasets cannot be asked whether people who log in to Superset see rows: ")
    assert "forum_activity" in text


def test_the_section_looks_at_the_rule_also_when_guests_see_nothing(superset: SupersetEndpoint) -> None:
    superset.embeds = False
    assert [finding.text for finding in boards.examine(Examination())][-2:] == [
        "Superset embeds no dashboards",
        CLOSED[1],
    ]


def test_the_section_looks_at_the_rule_also_in_boards_of_a_former_version(superset: SupersetEndpoint) -> None:
    """They lack the chart by which the cache is looked at."""
    superset.objects.rules[1]["tables"] -= {
        number_of(superset, view) for view in ("learner_status", "enrollment_by_track")
    }
    (chart,) = [row for row in superset.objects.chart.values() if row["slice_name"] == "When was the last visit?"]
    chart["slice_name"] = "How many are active?"
    findings = [(it.mark, it.text, it.remedy) for it in boards.examine(Examination())]
    assert findings[-3:] == [
        (Mark.OK, "Guests open the boards, and get the data of their charts", ""),
        (Mark.PROBLEM, OPEN, RUN),
        (
            Mark.NOTE,
            "The cache is not looked at: The Course board in Superset has no chart 'When was the last visit?'",
            "Run python manage.py cms aspects_provision",
        ),
    ]


def test_a_superset_without_a_cache_is_a_note(superset: SupersetEndpoint) -> None:
    findings = [(it.mark, it.text, it.remedy) for it in boards.examine(Examination())]
    assert findings[-2:] == [
        CLOSED,
        (
            Mark.NOTE,
            "Superset does not cache the data of charts: each open board asks ClickHouse",
            "Set CACHE_CONFIG and DATA_CACHE_CONFIG in Superset's configuration",
        ),
    ]
