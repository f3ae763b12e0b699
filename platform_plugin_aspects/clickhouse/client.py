"""An open ClickHouse: insert, select, command and delete, with errors that say what the caller should do."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.driver import encode, open_client
from platform_plugin_aspects.clickhouse.errors import ACCESS_DENIED, NOT_THERE, Misconfigured, typed_errors

#: How long the text of one parameter may be, so that the request's address, in which it travels, stays below 64 KiB.
#: ClickHouse refuses parameters above 128 KiB (http_max_field_value_size).
PARAMETER_BYTES = 40_000


class ClickHouse:
    """An open connection: insert, select, command and delete, with errors as Unavailable, Misconfigured or Rejected."""

    def __init__(self, connection: Connection):
        self.connection = connection
        with typed_errors(self.connection, "connecting"):
            self._client = open_client(connection)

    def insert(self, table: str, columns: Sequence[tuple[str, str]], data: Sequence[Sequence[Any]]) -> None:
        """Insert rows into ``table``, whole or not at all, in one statement.

        ``columns`` are (name, ClickHouse type) pairs; ``data`` holds one sequence of values per column, in that order.
        """
        self.send(table, columns, [encode(self.connection, columns, data)])

    def send(self, table: str, columns: Sequence[tuple[str, str]], blocks: Sequence[bytes]) -> None:
        """Insert what ``encode`` made of rows with these columns, whole or not at all, in one statement."""
        names = [name for name, _type in columns]
        with typed_errors(self.connection, f"inserting into {self.connection.database}.{table}", inserting=True):
            self._client.raw_insert(
                self.qualified(table),
                names,
                b"".join(blocks),
                fmt="Native",
                compression=self.connection.compression,
            )

    def select(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The rows of a query, UUIDs as text. ``parameters`` fill ``{name:Type}`` placeholders on the server."""
        with typed_errors(self.connection, "reading", with_values=bool(parameters)):
            result = self._client.query(sql, parameters=dict(parameters or {}), query_formats={"UUID": "string"})
            return result.result_rows

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns no rows."""
        with typed_errors(self.connection, "running a statement", with_values=bool(parameters)):
            self._client.command(sql, parameters=dict(parameters or {}))

    def delete(self, table: str, column: str, type_: str, values: Sequence[Any]) -> None:
        """Delete the rows of ``table`` whose ``column`` (of ClickHouse type ``type_``) is one of ``values``.

        Returns when the rows are gone from every replica's disk, not only hidden. If there are none, nothing is done.
        """
        where = f"WHERE {quote(column)} IN {{values:Array({type_})}}"
        query = f"SELECT DISTINCT {quote(column)} FROM {self.qualified(table)} {where}"
        there = [value for some in in_parameters(values) for (value,) in self.select(query, {"values": some})]
        # Each of these statements rewrites parts of the table.
        for some in in_parameters(there):
            self.command(
                f"ALTER TABLE {self.qualified(table)} DELETE {where} SETTINGS mutations_sync = 2", {"values": some}
            )

    def qualified(self, table: str) -> str:
        """`` `database`.`table` ``, quoted."""
        return f"{quote(self.connection.database)}.{quote(table)}"

    def refusal(self, relation: str, database: str = "") -> Misconfigured | None:
        """The reason that keeps the user from reading a relation; None if it may, or if there is no such relation.

        Lists have no relation on which the user has no right. ``database``: that of the connection, if empty.
        Raises Unavailable, and Misconfigured for other reasons.
        """
        try:
            self.command(f"SELECT 1 FROM {quote(database or self.connection.database)}.{quote(relation)} LIMIT 0")
        except Misconfigured as failure:
            if failure.code == ACCESS_DENIED:
                return failure
            if failure.code not in NOT_THERE:
                raise
        return None

    def columns(self) -> dict[str, list[tuple[str, str]]]:
        """The tables of the database that this user can see: {table: [(column, type), ...] in order}."""
        found: dict[str, list[tuple[str, str]]] = {}
        for table, name, type_ in self.select(
            "SELECT table, name, type FROM system.columns WHERE database = {database:String} ORDER BY table, position",
            {"database": self.connection.database},
        ):
            found.setdefault(table, []).append((name, type_))
        return found

    def close(self) -> None:
        """Close the connection; the object is not usable afterwards."""
        self._client.close()


def quote(identifier: str) -> str:
    """A ClickHouse identifier in backticks."""
    escaped = identifier.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def in_parameters(values: Iterable[Any]) -> Iterator[list[Any]]:
    """The values in lists that are short enough for one array parameter each."""
    some: list[Any] = []
    size = 0
    for value in values:
        # With quotes, comma and space.
        length = len(str(value).encode()) + 4
        if some and size + length > PARAMETER_BYTES:
            yield some
            some, size = [], 0
        some.append(value)
        size += length
    if some:
        yield some


def get_client(connection: Connection) -> ClickHouse:
    """The client of this process for ``connection``, opened when first asked for."""
    # A client inherited through fork would share its sockets with the parent.
    key = (os.getpid(), connection)
    with _lock:
        if key not in _clients:
            _clients[key] = ClickHouse(connection)
        return _clients[key]


def close_clients() -> None:
    """Close every client that this process opened."""
    with _lock:
        for (pid, _connection), client in _clients.items():
            if pid == os.getpid():
                client.close()
        _clients.clear()


_clients: dict[tuple[int, Connection], ClickHouse] = {}
_lock = threading.Lock()


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)
