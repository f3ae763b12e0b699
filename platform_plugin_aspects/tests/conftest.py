"""Fixtures: the plugin's tables in the embedded engine, each test in a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from edx_django_utils.cache import RequestCache
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.dashboards.superset import session
from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.load_test.tables import tables_by_database
from platform_plugin_aspects.sinks import registry
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.broker import Broker
from test_utils.clickhouse_endpoint import ClickHouseEndpoint


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()
    RequestCache.clear_all_namespaces()
    edx_platform.warn_of_missing_model.cache_clear()
    session.sessions.clear()
    registry._checked.cache_clear()
    tracking.switch.forget()
    # A thread would request a delivery that an earlier test wished for.
    tracking.requester._wished.clear()


@pytest.fixture
def all_on(settings: Any) -> None:
    """Every sink is on, and tracking events are not stored: a thread requests their delivery, at any moment."""
    for sink in sinks().values():
        setattr(settings, sink.setting(), True)
    settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS = []


@pytest.fixture(params=["lms", "cms"])
def service(request: pytest.FixtureRequest) -> str:
    """The test runs once as each service."""
    if request.param == "lms":
        request.getfixturevalue("lms")
    return str(request.param)


@pytest.fixture
def empty_store(db: None) -> Iterator[None]:
    """The modulestore, without courses."""
    modulestore().clear()
    yield
    modulestore().clear()


@pytest.fixture
def broker() -> Iterator[Broker]:
    """Celery's queue, empty."""
    queue = Broker()
    queue.take()
    yield queue
    queue.take()


@pytest.fixture
def clickhouse(clickhouse_engine_path: Path, clickhouse_database: str, settings: Any) -> Iterator[ClickHouse]:
    """The embedded engine as the configured ClickHouse, with all tables, empty."""
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        "url": f"chdb://{clickhouse_engine_path}",
        "database": clickhouse_database,
        "xapi_database": xapi_database(clickhouse_database),
    }
    connection = Connection.from_settings()
    client = get_client(connection)
    for place, some in tables_by_database(connection).items():
        create_missing(get_client(place), some)
    yield client
    close_clients()


def xapi_database(database: str) -> str:
    """The name of a test's database of statements, which is dropped with the test's database."""
    return database.replace("event_sink", "xapi")


@pytest.fixture
def clickhouse_http(
    clickhouse: ClickHouse, clickhouse_endpoint: ClickHouseEndpoint, settings: Any
) -> ClickHouseEndpoint:
    """The same tables behind HTTP, as the configured ClickHouse, for the plugin's restricted user."""
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        "url": clickhouse_endpoint.url,
        "username": "ch_cms",
        "password": "password",
        "database": clickhouse.connection.database,
        "xapi_database": clickhouse.connection.xapi_database,
        "timeout_secs": 5,
    }
    return clickhouse_endpoint


def rows(client: ClickHouse, table: str, where: str = "1", order: str = "time_last_dumped") -> list[dict[str, Any]]:
    """All rows of a table as dictionaries."""
    names = [name for name, _type in client.columns()[table]]
    sql = f"SELECT * FROM {client.qualified(table)} WHERE {where} ORDER BY {order}"
    return [dict(zip(names, row, strict=True)) for row in client.select(sql)]


def latest(client: ClickHouse, table: str, key: str = "id") -> dict[Any, dict[str, Any]]:
    """Per key, the row with the greatest time_last_dumped: what the dashboards see."""
    return {row[key]: row for row in rows(client, table)}
