"""A ClickHouse that has nothing of the plugin, and its administrator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import close_clients
from test_utils.clickhouse_endpoint import ALL, ClickHouseEndpoint
from test_utils.clickhouse_endpoint.limits import Limits


@pytest.fixture
def bare(
    clickhouse_endpoint: ClickHouseEndpoint, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ClickHouseEndpoint]:
    """A ClickHouse with nobody but its administrator; settings name three databases and two users.

    The environment has the administrator's credentials.
    """
    names = [f"{kind}_{uuid.uuid4().hex[:12]}" for kind in ("event_sink", "xapi", "reports")]
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        "url": clickhouse_endpoint.url,
        "username": "plugin",
        "password": "plugin-secret",
        "database": names[0],
        "xapi_database": names[1],
        "timeout_secs": 30,
    }
    settings.ASPECTS_REPORTING_DATABASE = names[2]
    settings.ASPECTS_REPORTING_ENABLED = True
    settings.ASPECTS_SUPERSET_READER = {"username": "boards", "password": "boards-secret"}
    monkeypatch.setattr(clickhouse_endpoint, "users", {"root": ("root-secret", ALL)})
    monkeypatch.setattr(clickhouse_endpoint, "limits", Limits())
    monkeypatch.setenv("ASPECTS_CLICKHOUSE_ADMIN_USERNAME", "root")
    monkeypatch.setenv("ASPECTS_CLICKHOUSE_ADMIN_PASSWORD", "root-secret")
    yield clickhouse_endpoint
    clickhouse_endpoint.heal()
    close_clients()
    for name in reversed(names):
        clickhouse_endpoint.engine.query(f"DROP DATABASE IF EXISTS {name} SYNC")
