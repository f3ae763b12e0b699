"""Columns and tables as ClickHouse sees them: their DDL, and how a table that exists differs from its declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from platform_plugin_aspects.clickhouse.client import ClickHouse, quote


@dataclass(frozen=True)
class Column:
    """A column of a ClickHouse table. ``default``: a DEFAULT expression of the DDL."""

    name: str
    type: str
    default: str = field(default="", kw_only=True)

    @property
    def wire_type(self) -> str:
        """The type in which values travel to ClickHouse, which converts them to ``type``."""
        return self.type

    @property
    def ddl(self) -> str:
        """The column's line in CREATE TABLE."""
        return f"{quote(self.name)} {self.type}" + (f" DEFAULT {self.default}" if self.default else "")


@dataclass(frozen=True)
class Table:
    """A ReplacingMergeTree table of the plugin's database.

    ``columns`` are all of them, in order. ``primary_key`` is a prefix of ``order_by`` where it is not the same.
    """

    name: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    primary_key: tuple[str, ...] = ()
    partition_by: str = ""

    @property
    def types(self) -> list[tuple[str, str]]:
        """(name, ClickHouse type in which it is inserted) of each column, in order."""
        return [(column.name, column.wire_type) for column in self.columns]

    def create_statement(self, database: str, cluster: str = "") -> str:
        """CREATE TABLE IF NOT EXISTS; Replicated and ON CLUSTER when ``cluster`` is a name."""
        columns = ",\n".join(f"    {column.ddl}" for column in self.columns)
        clauses = [
            f"CREATE TABLE IF NOT EXISTS {quote(database)}.{quote(self.name)}{on_cluster(cluster)}",
            f"(\n{columns}\n)",
            f"ENGINE = {'Replicated' if cluster else ''}ReplacingMergeTree",
        ]
        if self.partition_by:
            clauses.append(f"PARTITION BY {self.partition_by}")
        if self.primary_key:
            clauses.append(f"PRIMARY KEY ({_names(self.primary_key)})")
        clauses.append(f"ORDER BY ({_names(self.order_by)})")
        return "\n".join(clauses)

    def drift(self, actual: Sequence[tuple[str, str]]) -> list[str]:
        """How a table that exists differs, one sentence each: a column missing, of another type, in another order.

        ``actual`` are (name, type) pairs in order. Columns that an operator added are ignored, and so are the
        engine and DEFAULT expressions, in which Aspects' migrations differ.
        """
        types = dict(actual)
        found = []
        for column in self.columns:
            if column.name not in types:
                found.append(f"{self.name}: column {column.name} ({column.type}) is missing")
            elif types[column.name] != column.type:
                found.append(f"{self.name}: column {column.name} is {types[column.name]}, expected {column.type}")
        expected = [column.name for column in self.columns if column.name in types]
        order = [name for name, _ in actual if name in set(expected)]
        if order != expected:
            found.append(f"{self.name}: columns are in the order {', '.join(order)}, expected {', '.join(expected)}")
        return found


def create_database_statement(database: str, cluster: str = "") -> str:
    """CREATE DATABASE IF NOT EXISTS."""
    return f"CREATE DATABASE IF NOT EXISTS {quote(database)}{on_cluster(cluster)}"


def has_database(client: ClickHouse, database: str) -> bool:
    """Whether a database exists that this user can see."""
    sql = "SELECT count() FROM system.databases WHERE name = {database:String}"
    return bool(client.select(sql, {"database": database})[0][0])


def missing_and_drifted(
    tables: Iterable[Table], actual: Mapping[str, Sequence[tuple[str, str]]]
) -> tuple[list[Table], list[str]]:
    """The tables that do not exist, and the differences of those that do; ``actual`` is ``ClickHouse.columns()``."""
    missing = []
    differences = []
    for table in tables:
        if table.name in actual:
            differences += table.drift(actual[table.name])
        else:
            missing.append(table)
    return missing, differences


def create_missing(client: ClickHouse, tables: Iterable[Table], cluster: str = "") -> tuple[list[Table], list[str]]:
    """Create the database and the tables that do not exist; alter and drop nothing.

    Returns the tables made and the differences of those that were there.
    """
    client.command(create_database_statement(client.connection.database, cluster))
    missing, differences = missing_and_drifted(tables, client.columns())
    for table in missing:
        client.command(table.create_statement(client.connection.database, cluster))
    return missing, differences


def on_cluster(cluster: str) -> str:
    """The clause `` ON CLUSTER `name` ``, or nothing without a name."""
    return f" ON CLUSTER {quote(cluster)}" if cluster else ""


def _names(columns: Iterable[str]) -> str:
    return ", ".join(quote(column) for column in columns)
