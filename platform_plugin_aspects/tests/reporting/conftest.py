"""Fixtures: the reports in the embedded engine, in a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports


@pytest.fixture
def reporting_database(clickhouse: ClickHouse, settings: Any) -> Iterator[str]:
    """The name of the reports' database, which the test drops at its end."""
    name = clickhouse.connection.database.replace("event_sink", "reports")
    settings.ASPECTS_REPORTING_DATABASE = name
    yield name
    clickhouse.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")


@pytest.fixture
def reports(clickhouse: ClickHouse, reporting_database: str) -> Reports:
    """All relations, created, without rows."""
    found = Reports(clickhouse, Layout.from_settings())
    found.create(go_on)
    return found


def go_on(_relation: str, _month: int, _number: int, _months: int) -> bool:
    """A watcher that never stops."""
    return True
