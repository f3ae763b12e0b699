"""Fixtures: the plugin's tables in the embedded engine, made once per process and empty before each test."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from edx_django_utils.cache import RequestCache
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse import client
from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.dashboards.superset import session
from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.sinks import registry
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.shared_tables import SharedTables
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


@pytest.fixture(scope="session")
def shared_tables(clickhouse_engine_path: Path, clickhouse_server: ClickHouseEndpoint) -> Iterator[SharedTables]:
    """All tables of the plugin, made once per process. Tests take clickhouse."""
    name = uuid.uuid4().hex[:12]
    connection = Connection(
        url=f"chdb://{clickhouse_engine_path}", database=f"event_sink_{name}", xapi_database=f"xapi_{name}"
    )
    shared = SharedTables(connection)
    close_clients()
    yield shared
    close_clients()
    for database in (connection.database, connection.xapi_database):
        clickhouse_server.engine.query(f"DROP DATABASE IF EXISTS {database} SYNC")


@pytest.fixture
def clickhouse(
    shared_tables: SharedTables, clickhouse_endpoint: ClickHouseEndpoint, settings: Any
) -> Iterator[ClickHouse]:
    """The embedded engine as the configured ClickHouse, with all tables, empty. A test may change and drop them."""
    connection = shared_tables.connection
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        "url": connection.url,
        "database": connection.database,
        "xapi_database": connection.xapi_database,
    }
    shared_tables.put_right()
    yield get_client(connection)
    close_other_clients(connection)


def close_other_clients(connection: Connection) -> None:
    """Close all clients but that of the shared tables, which takes longer to open than a small test takes."""
    key = (os.getpid(), connection)
    kept = client._clients.pop(key, None)
    close_clients()
    if kept is not None:
        client._clients[key] = kept


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
