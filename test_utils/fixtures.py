"""Fixtures on the ClickHouse endpoint; the root conftest loads them with pytest_plugins.

A process has one engine path, so all tests of a process share one engine: clickhouse_engine_path.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from test_utils.clickhouse_endpoint import ALL, READ_WRITE, ClickHouseEndpoint

# As DEFAULT_USERS of the endpoint, but the plugin's user may write to the databases of clickhouse_database too.
USERS = {
    "default": ("", ALL),
    "ch_admin": ("admin-password", ALL),
    "ch_cms": ("password", {"event_sink*": READ_WRITE, "xapi*": READ_WRITE}),
}


@pytest.fixture(scope="session")
def clickhouse_engine_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this process's engine, for `chdb://{path}` and for the endpoint alike."""
    return tmp_path_factory.mktemp("clickhouse")


@pytest.fixture(scope="session")
def clickhouse_server(clickhouse_engine_path: Path) -> Iterator[ClickHouseEndpoint]:
    """The endpoint of this process; tests take clickhouse_endpoint."""
    with ClickHouseEndpoint(clickhouse_engine_path, users=USERS) as endpoint:
        yield endpoint


@pytest.fixture
def clickhouse_endpoint(clickhouse_server: ClickHouseEndpoint) -> Iterator[ClickHouseEndpoint]:
    """The endpoint: listening, without faults, without requests. Users: see USERS."""
    clickhouse_server.start()
    clickhouse_server.clear()
    yield clickhouse_server
    clickhouse_server.heal()
    clickhouse_server.wait_until_idle()


@pytest.fixture
def clickhouse_database(clickhouse_endpoint: ClickHouseEndpoint) -> Iterator[str]:
    """The name of an empty database of the test's own, which the user ch_cms may write to."""
    name = f"event_sink_{uuid.uuid4().hex[:12]}"
    clickhouse_endpoint.engine.query(f"CREATE DATABASE {name}")
    yield name
    clickhouse_endpoint.engine.query(f"DROP DATABASE {name} SYNC")
