"""Learning events have one writer: checks report another one, and a tracker without the backend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connection
from eventtracking import tracker
from eventtracking.django.django_tracker import DjangoTracker

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.operations.checks import TAG
from platform_plugin_aspects.operations.doctor import events
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark

pytestmark = pytest.mark.django_db

#: As edx-event-routing-backends sets it, as far as it matters here.
PROCESSOR = {"ENGINE": "event_routing_backends.processors.xapi.transformer_processor.XApiProcessor", "OPTIONS": {}}
THEIRS = {
    "event_transformer": {
        "ENGINE": "eventtracking.backends.async_routing.AsyncRoutingBackend",
        "OPTIONS": {
            "backends": {
                "xapi": {
                    "ENGINE": "event_routing_backends.backends.async_events_router.AsyncEventsRouter",
                    "OPTIONS": {"processors": [PROCESSOR], "backend_name": "xapi"},
                }
            }
        },
    }
}


@pytest.fixture(autouse=True)
def _on(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    settings.EVENT_TRACKING_BACKENDS = {}


def ids() -> set[str]:
    """The ids of the messages about learning events."""
    of_events = {"W025", "W026", "W027"}
    return {str(message.id).partition(".")[2] for message in run_checks(tags=[TAG])} & of_events


def test_nothing_is_said_of_one_writer() -> None:
    assert ids() == set()


def test_a_second_writer_is_said(settings: Any) -> None:
    settings.EVENT_TRACKING_BACKENDS = {"tracking_logs": {}, **THEIRS}
    assert ids() == {"W027"}
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    assert ids() == set()


def test_caliper_is_not_a_second_writer(settings: Any) -> None:
    caliper = {"ENGINE": "event_routing_backends.processors.caliper.transformer_processor.CaliperProcessor"}
    settings.EVENT_TRACKING_BACKENDS = {"event_transformer": {"OPTIONS": {"processors": [caliper]}}}
    assert ids() == set()


def test_a_tracker_without_the_backend_is_said() -> None:
    before = dict(tracker.TRACKERS)
    try:
        # As where event-tracking's app becomes ready after the plugin.
        tracker.register_tracker(DjangoTracker())
        assert ids() == {"W026"}
        tracking.register()
        assert ids() == set()
    finally:
        tracker.TRACKERS.clear()
        tracker.TRACKERS.update(before)


def test_the_backend_survives_a_setting_that_is_replaced(settings: Any) -> None:
    """edx-event-routing-backends' production settings replace EVENT_TRACKING_BACKENDS by that of ENV_TOKENS."""
    before = dict(tracker.TRACKERS)
    try:
        settings.EVENT_TRACKING_BACKENDS = {
            "of_the_tokens": {"ENGINE": "eventtracking.backends.logger.LoggerBackend", "OPTIONS": {"name": "tracking"}}
        }
        # In this order, for plugins come last.
        apps.get_app_config("eventtracking_django").ready()
        apps.get_app_config("platform_plugin_aspects").ready()
        assert set(tracker.get_tracker().routing_backend.backends) == {"of_the_tokens", "aspects"}
    finally:
        tracker.TRACKERS.clear()
        tracker.TRACKERS.update(before)


# aspects_check


@pytest.fixture
def table(clickhouse: ClickHouse, clickhouse_endpoint: Any, settings: Any) -> Any:
    """An empty table of statements in Vector's database."""
    database = "openedx"
    clickhouse.command(f"CREATE DATABASE {database}")
    clickhouse.command(
        f"CREATE TABLE {database}.xapi_events_all (event_id UUID, emission_time DateTime64(6), event String) "
        "ENGINE = ReplacingMergeTree ORDER BY (emission_time, event_id)"
    )
    yield f"{database}.xapi_events_all"
    clickhouse.command(f"DROP DATABASE {database} SYNC")


def said() -> list[tuple[Mark, str]]:
    found: list[Finding] = list(events.examine(Examination()))
    return [(finding.mark, finding.text) for finding in found]


def test_no_other_writer_is_seen(clickhouse: ClickHouse, table: str) -> None:
    old = (datetime.now(UTC) - timedelta(hours=2)).replace(tzinfo=None)
    clickhouse.command(f"INSERT INTO {table} VALUES (generateUUIDv4(), '{old}', '')")
    assert said() == [(Mark.OK, "No other writer of learning events is seen")]


def test_a_database_of_tutor_that_is_being_written(clickhouse: ClickHouse, table: str) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    clickhouse.command(f"INSERT INTO {table} VALUES (generateUUIDv4(), '{now}', '')")
    ((mark, text),) = said()
    assert mark is Mark.PROBLEM
    assert text.startswith("Vector's database openedx has statements of the last hour")


def test_an_enabled_router(clickhouse: ClickHouse) -> None:
    routers = apps.get_model("event_routing_backends", "RouterConfiguration")
    values = {"auth_scheme": "Basic", "configurations": "{}", "route_url": "https://ralph.example.com"}
    routers.objects.create(backend_name="xAPI", enabled=True, **values)
    ((mark, text),) = said()
    assert mark is Mark.PROBLEM
    assert text.startswith("1 enabled RouterConfiguration of edx-event-routing-backends for xAPI")
    # A configuration is changed by a newer row.
    routers.objects.create(backend_name="xAPI", enabled=False, **values)
    routers.objects.create(backend_name="Caliper", enabled=True, **{**values, "route_url": "https://c.example.com"})
    assert said() == [(Mark.OK, "No other writer of learning events is seen")]


def test_erb_s_tables_are_missing(clickhouse: ClickHouse) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE event_routing_backends_routerconfiguration RENAME TO away")
    [finding] = events.examine(Examination())
    assert finding == Finding(
        Mark.PROBLEM,
        "The tables of edx-event-routing-backends are missing: its migrations have not run",
        "Run python manage.py cms migrate event_routing_backends",
    )


def test_routers_that_cannot_be_read_are_not_taken_for_none(clickhouse: ClickHouse) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE event_routing_backends_routerconfiguration RENAME COLUMN enabled TO is_on")
    [finding] = events.examine(Examination())
    assert finding.mark is Mark.NOTE
    assert finding.text == ("The routers of edx-event-routing-backends cannot be read (OperationalError): not examined")
    assert finding.remedy.endswith("run python manage.py cms migrate event_routing_backends")


def test_nothing_is_looked_at_while_events_are_off(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    assert said() == [(Mark.NOTE, "Learning events are off")]
