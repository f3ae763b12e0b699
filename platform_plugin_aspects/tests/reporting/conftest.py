"""Fixtures: the reports in the embedded engine, created once per process and emptied before each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.load_test.tables import tables_by_database
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.fixtures import go_on, reporting_database
from platform_plugin_aspects.tests.reporting.site import clear, with_clock
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

__all__ = ["go_on", "reporting_database"]


@pytest.fixture(scope="session")
def shared_settings(clickhouse_engine_path: Path, clickhouse_server: ClickHouseEndpoint) -> Iterator[dict[str, Any]]:
    """The settings of three databases of this process: the sinks' tables, statements, and all relations."""
    names = [f"{kind}_{uuid.uuid4().hex[:12]}" for kind in ("event_sink", "xapi", "reports")]
    made = {
        "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {
            "url": f"chdb://{clickhouse_engine_path}",
            "database": names[0],
            "xapi_database": names[1],
        },
        "ASPECTS_REPORTING_DATABASE": names[2],
    }
    clickhouse_server.engine.query(f"CREATE DATABASE {names[0]}")
    with override_settings(**made):
        connection = Connection.from_settings()
        for place, some in tables_by_database(connection).items():
            create_missing(get_client(place), some)
        Reports(get_client(connection), with_clock()).create(go_on)
        close_clients()
    yield made
    for name in reversed(names):
        clickhouse_server.engine.query(f"DROP DATABASE IF EXISTS {name} SYNC")


@pytest.fixture
def clickhouse(shared_settings: dict[str, Any], settings: Any) -> Iterator[ClickHouse]:
    """The embedded engine as the configured ClickHouse, with all tables and relations of the process, empty."""
    for name, value in shared_settings.items():
        setattr(settings, name, value)
    client = get_client(Connection.from_settings())
    clear(client, client.connection.database, client.connection.xapi_database, settings.ASPECTS_REPORTING_DATABASE)
    yield client
    close_clients()


@pytest.fixture
def reports(clickhouse: ClickHouse) -> Reports:
    """All relations, with those that show who learners are, without rows. Their clock is that of the class."""
    found = Reports(clickhouse, with_clock())
    found.create(go_on)
    return found
