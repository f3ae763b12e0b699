"""A stand-in for event-routing-backends on a site with Celery: one task per tracking event, which writes one xAPI
statement to ClickHouse."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from celery import shared_task

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection

COLUMNS = (("event_id", "UUID"), ("emission_time", "DateTime64(6)"), ("event", "String"))


def xapi() -> ClickHouse:
    """The database of the xAPI events, as the plugin's user."""
    connection = Connection.from_settings()
    return get_client(replace(connection, database=connection.xapi_database))


def track(enrollment: Any, **_kwargs: Any) -> None:
    """Receiver of COURSE_ENROLLMENT_CHANGED, where the platform emits its tracking events."""
    verb = "registered" if enrollment.is_active else "unregistered"
    route.delay(datetime.now(UTC).isoformat(), verb, str(enrollment.course.course_key))


@shared_task
def route(at: str, verb: str, course_id: str) -> None:
    """Write one statement."""
    statement = json.dumps({"verb": verb, "object": course_id, "timestamp": at})
    client = xapi()
    client.insert(client.connection.xapi_table, COLUMNS, [[uuid.uuid4()], [datetime.fromisoformat(at)], [statement]])
