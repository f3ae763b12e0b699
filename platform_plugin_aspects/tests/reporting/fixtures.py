"""Fixtures: reports of the test's own, which it may damage, in the ClickHouse of the fixture ``clickhouse``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports


def go_on(_relation: str, _month: int, _number: int, _months: int) -> bool:
    """A watcher that never stops."""
    return True


@pytest.fixture
def reporting_database(clickhouse: ClickHouse, settings: Any) -> Iterator[str]:
    """The name of a database for reports of the test's own, which is dropped at its end."""
    name = f"reports_{uuid.uuid4().hex[:12]}"
    settings.ASPECTS_REPORTING_DATABASE = name
    yield name
    clickhouse.command(f"DROP DATABASE IF EXISTS `{name}` SYNC")


@pytest.fixture
def own_reports(clickhouse: ClickHouse, reporting_database: str) -> Reports:
    """All relations, created, without rows."""
    found = Reports(clickhouse, Layout.from_settings())
    found.create(go_on)
    return found
