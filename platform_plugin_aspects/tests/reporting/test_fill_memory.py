"""A month that is larger than the memory of a statement is filled all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.relation import parse
from platform_plugin_aspects.tests.reporting.conftest import go_on

TEXTS = """-- One row: a text.
-- From: the xAPI table.
-- Key: the text.
-- Read by: relations
-- Freshness: at once
-- Engine: AggregatingMergeTree
-- Source: xapi
-- Month of: emission_time
-- Order by: what
-- Columns:
--   what String: Text.
--   acts AggregateFunction(uniqExact, UUID): Statements.
SELECT event AS what, uniqExactState(event_id) AS acts FROM {source} GROUP BY what
"""
#: The memory of a statement suffices for some of these texts, each with its state.
NUMBER, MEMORY = 1_000_000, 400_000_000


def test_a_month_larger_than_memory_is_grouped_on_disk(clickhouse: ClickHouse, reporting_database: str) -> None:
    connection = clickhouse.connection
    clickhouse.command(
        f"INSERT INTO `{connection.xapi_database}`.`{connection.xapi_table}` "
        f"SELECT generateUUIDv4(), '2026-03-01', hex(SHA256(toString(number))) FROM numbers({NUMBER})"
    )
    layout = replace(Layout.from_settings(), relations=[parse("texts", TEXTS)])
    before = clickhouse.select("SELECT value FROM system.settings WHERE name = 'max_memory_usage'")[0][0]
    clickhouse.command(f"SET max_memory_usage = {MEMORY}")
    try:
        with pytest.raises(Failure, match="MEMORY_LIMIT_EXCEEDED"):
            Reports(clickhouse, replace(layout, fill_memory=0)).create(go_on)
        Reports(clickhouse, replace(layout, fill_memory=20_000_000)).create(go_on)
    finally:
        clickhouse.command(f"SET max_memory_usage = {before}")
    [(rows, texts)] = clickhouse.select(f"SELECT count(), uniqExact(what) FROM {layout.qualified('texts')}")
    assert (rows, texts) == (NUMBER, NUMBER)
