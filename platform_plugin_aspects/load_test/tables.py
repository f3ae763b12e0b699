"""The tables of the load test commands, and all tables of the plugin."""

from __future__ import annotations

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import Column, Table
from platform_plugin_aspects.sinks.registry import tables

DEFAULTS = Connection()


def load_test_tables(connection: Connection = DEFAULTS) -> list[Table]:
    """The tables of runs and of figures, with the names that ``connection`` gives them."""
    first = (Column("run_id", "String"), Column("timestamp", "DateTime", default="now()"))
    order_by = ("run_id", "timestamp")
    return [
        Table(connection.runs_table, (*first, Column("event_type", "String"), Column("extra", "String")), order_by),
        Table(connection.stats_table, (*first, Column("stats", "String")), order_by),
    ]


def all_tables(connection: Connection = DEFAULTS) -> list[Table]:
    """The tables of all sinks and of load tests."""
    return [*tables(), *load_test_tables(connection)]
