"""Fixtures: tracking logs of learners who act on the stand-in platform, live or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from event_routing_backends import helpers
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from test_utils import factories
from test_utils.learners import Learner, tracking_log

COURSE = CourseKey.from_string("course-v1:Org+Sky+2026")


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    """The lines of the tracking log, as they come."""
    with tracking_log(lambda line: line.encode() + b"\n") as found:
        yield found


@pytest.fixture
def learner(db: None, lms: None) -> Learner:
    """A learner, with the id 7, of the course."""
    factories.make_overview(COURSE, display_name="The sky")
    factories.make_external_id_type("xapi")
    # ERB remembers the ids of another test's learner.
    helpers.get_anonymous_user_id.cache_clear()
    return Learner(factories.make_user("mira", pk=7))


@pytest.fixture
def xapi_on(clickhouse: ClickHouse, settings: Any) -> None:
    """The sink is on, and its table is there."""
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True


def rows(final: bool = True) -> list[tuple[str, str]]:
    """Ids and texts of the statements in ClickHouse, by id; once each if ``final``."""
    connection = Connection.from_settings()
    client = get_client(connection)
    table = f"`{connection.xapi_database}`.`{connection.xapi_table}`"
    sql = f"SELECT event_id, event FROM {table} {'FINAL' if final else ''} ORDER BY event_id"
    return [(str(event_id), text) for event_id, text in client.select(sql)]
