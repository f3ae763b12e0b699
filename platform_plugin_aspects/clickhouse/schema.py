"""Columns and tables as ClickHouse sees them: their DDL, and how a table that exists differs from its declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from platform_plugin_aspects.clickhouse.client import ClickHouse, quote
from platform_plugin_aspects.clickhouse.text import has_encoded_halves, whole, whole_bytes

#: Values that tell whether a column's values repeat: so many are seldom all different unless nearly all are.
LOOKED_AT = 500


class Encoded(list[bytes]):
    """Values of a String column as they travel, in UTF-8: the source made them, and nobody need look at each."""


def convert_each(values: Sequence[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """``[convert(value) for value in values]``, with one call per distinct value where values repeat."""
    first = values[:LOOKED_AT]
    if len(set(first)) == len(first):
        return list(map(convert, values))
    converted = {value: convert(value) for value in set(values)}
    return list(map(converted.__getitem__, values))


@dataclass(frozen=True)
class Column:
    """A column of a ClickHouse table, and where its values come from.

    ``source``: the path of a model field (``"user__username"``), by default the column's own name; or several paths,
    then ``convert`` takes that many values. ``convert``: from the field's value to ClickHouse's; without one a String
    gets ``str(value)`` with null as the empty string, and other types the value as it is. ``convert_all``: the same as
    ``convert``, for a whole sequence of values at once. ``as_text``: the field's value may also come as the database's
    own text, null as the empty string, which spares making Python objects of it; where nothing converts it, as bytes
    in UTF-8, which are sent as they are. ``as_number``: as the database's own whole number. ``sent_as``: the type in
    which values travel where that is cheaper for the client; ClickHouse makes ``type`` of it. ``default``: a DEFAULT
    expression of the DDL. ``personal``: the values are personal data.
    """

    name: str
    type: str
    source: str | tuple[str, ...] | None = None
    convert: Callable[..., Any] | None = None
    convert_all: Callable[..., Sequence[Any]] | None = None
    as_text: bool = False
    as_number: bool = False
    sent_as: str = ""
    default: str = ""
    personal: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the model fields that the values come from."""
        if isinstance(self.source, tuple):
            return self.source
        return (self.source or self.name,)

    def values(self, *fields: Sequence[Any]) -> Sequence[Any]:
        """The column's values, from one sequence of field values per source; text is such as ClickHouse can hold."""
        values = self._converted(*fields)
        return _all_whole(values) if "String" in self.type else values

    def _converted(self, *fields: Sequence[Any]) -> Sequence[Any]:
        if self.convert_all is not None:
            return self.convert_all(*fields)
        if self.convert is not None:
            if len(fields) == 1:
                return convert_each(fields[0], self.convert)
            return list(map(self.convert, *fields))
        if "String" in (self.type, self.sent_as):
            return _texts(fields[0])
        return fields[0]

    @property
    def ddl(self) -> str:
        """The column's line in CREATE TABLE."""
        return f"{quote(self.name)} {self.type}" + (f" DEFAULT {self.default}" if self.default else "")


def _texts(values: Sequence[Any]) -> Sequence[str | bytes]:
    """``str()`` of each value, bytes as they are, null as the empty string."""
    if isinstance(values, Encoded):
        return values
    types = set(map(type, values))
    if types <= {str}:
        return values
    if types <= {str, type(None)}:
        return [value or "" for value in values]
    if types <= {bytes, type(None)}:
        # Some of those that were encoded.
        return Encoded(value or b"" for value in values)
    # One call per object, not per distinct value: what is equal, as 1 and True are, need not look the same.
    objects = {id(value): value for value in values}
    texts = {key: "" if value is None else str(value) for key, value in objects.items()}
    return [texts[id(value)] for value in values]


def _all_whole(values: Sequence[Any]) -> Sequence[Any]:
    """``whole`` of each text; the same object, after one look at all of them together, where there are no halves."""
    if isinstance(values, Encoded):
        return Encoded(map(whole_bytes, values)) if has_encoded_halves(b"".join(values)) else values
    try:
        "".join(values).encode()
    except (UnicodeEncodeError, TypeError):
        # There is a half among them, or what is not text.
        return [whole(value) if isinstance(value, str) else value for value in values]
    return values


#: The two columns that end every table of a sink; the same for a whole write, so that each travels once.
DUMP_COLUMNS = (
    Column("dump_id", "UUID", sent_as="LowCardinality(String)"),
    Column("time_last_dumped", "String", sent_as="LowCardinality(String)"),
)


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
        return [(column.name, column.sent_as or column.type) for column in self.columns]

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

        ``actual`` are (name, type) pairs in order. Columns that an operator added are no difference; neither are the
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


#: Tables of the load test commands: no sink writes them.
LOAD_TEST_TABLES = (
    Table(
        "load_test_runs",
        (
            Column("run_id", "String"),
            Column("timestamp", "DateTime", default="now()"),
            Column("event_type", "String"),
            Column("extra", "String"),
        ),
        order_by=("run_id", "timestamp"),
    ),
    Table(
        "load_test_stats",
        (
            Column("run_id", "String"),
            Column("timestamp", "DateTime", default="now()"),
            Column("stats", "String"),
        ),
        order_by=("run_id", "timestamp"),
    ),
)


def create_database_statement(database: str, cluster: str = "") -> str:
    """CREATE DATABASE IF NOT EXISTS."""
    return f"CREATE DATABASE IF NOT EXISTS {quote(database)}{on_cluster(cluster)}"


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
