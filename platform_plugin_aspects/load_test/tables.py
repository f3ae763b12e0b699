"""The tables of the load test commands, and all tables of the plugin."""

from __future__ import annotations

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import Column, Table
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import sinks, tables

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
    """The tables in the plugin's database: of its sinks and of load tests."""
    return [*tables(), *load_test_tables(connection)]


def tables_by_database(connection: Connection = DEFAULTS) -> dict[Connection, list[Table]]:
    """All tables, by the connection with their database: that of the plugin first, then that of the statements."""
    found = {connection: all_tables(connection)}
    for sink in sinks().values():
        if sink.database_key != BaseSink.database_key:
            found.setdefault(sink.place(connection), []).extend(sink.tables_at(connection))
    return found
