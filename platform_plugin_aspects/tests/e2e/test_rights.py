"""Expressions of a guest, which no row-level clause can stop, and the rights of Superset's user, which do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from test_utils.e2e.boards import LEARNERS
from test_utils.e2e.site import COURSE, COURSE_FILTER, PROBLEM_BOARD, Site
from test_utils.show.superset import TIMEOUT_SECS, ask_as_guest, rows_of

from .conftest import log_in

pytestmark = pytest.mark.e2e

OBJECTS = (
    "CREATE TABLE event_sink.narrow (name String) ENGINE = MergeTree ORDER BY name",
    "INSERT INTO event_sink.narrow VALUES ('Ada')",
    "CREATE DICTIONARY event_sink.user_pii (user_id UInt64, name String) PRIMARY KEY user_id "
    "SOURCE(CLICKHOUSE(QUERY 'SELECT 1 AS user_id, ''Ada'' AS name')) LAYOUT(FLAT()) LIFETIME(0)",
)


@pytest.fixture(scope="module")
def token(site: Site) -> Iterator[str]:
    """The guest token of the course team's page, on a ClickHouse that has more than the boards show."""
    for statement in OBJECTS:
        site.ask_clickhouse(statement)
    url = f"{site.lms.url}/aspects/superset_guest_token/{COURSE}"
    yield log_in(site, "estelle").get(url, timeout=TIMEOUT_SECS).json()["guestToken"]
    site.ask_clickhouse("DROP DICTIONARY event_sink.user_pii SYNC")
    site.ask_clickhouse("DROP TABLE event_sink.narrow SYNC")


def ask(site: Site, token: str, expression: str) -> requests.Response:
    """A column of the guest's own, in a request like that of a native filter: Superset finds nothing changed in it."""
    chart = site.contexts[PROBLEM_BOARD, LEARNERS.name]
    column = {"sqlExpression": expression, "label": "found", "expressionType": "SQL"}
    return ask_as_guest(
        site.superset,
        token,
        {
            "datasource": chart["datasource"],
            "queries": [{"columns": [column], "metrics": [], "orderby": [], "row_limit": 1}],
            "form_data": {
                "type": "NATIVE_FILTER",
                "native_filter_id": COURSE_FILTER,
                "dashboardId": chart["form_data"]["dashboardId"],
            },
            "force": True,
        },
    )


#: Expression, the right that it needs, what it tells.
EXPRESSIONS = {
    "a dictionary": ("dictGet('event_sink.user_pii', 'name', toUInt64(1))", "dictGet ON event_sink.user_pii", "Ada"),
    "a row of a table": ("toString('Ada' IN event_sink.narrow)", "SELECT ON event_sink.narrow", "1"),
}


@pytest.mark.parametrize(("expression", "right", "told"), EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_the_rights_of_superset_s_user_stop_what_clauses_do_not(
    site: Site, token: str, expression: str, right: str, told: str
) -> None:
    refused = ask(site, token, expression)
    assert not refused.ok
    assert "Not enough privileges" in refused.text
    site.ask_clickhouse(f"GRANT {right} TO ch_report")
    try:
        assert rows_of(ask(site, token, expression)) == [{"found": told}]
    finally:
        site.ask_clickhouse(f"REVOKE {right} FROM ch_report")


def test_superset_itself_refuses_subqueries(site: Site, token: str) -> None:
    refused = ask(site, token, "(SELECT max(username) FROM event_sink.course_enrollment)")
    assert not refused.ok
    assert "sub-queries" in refused.text
