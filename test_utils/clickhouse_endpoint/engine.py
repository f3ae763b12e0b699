"""The embedded engine at one path of this process: statements as bytes in, formatted bytes out."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chdb

from .errors import ClickHouseError

# The embedded engine allows these by default, and a server does not.
SERVER_DEFAULTS = {"implicit_select": "0", "allow_introspection_functions": "0"}
# Its own pool is as small as the machine: a deletion from a table of 100 partitions then takes half a minute.
OPTIONS = "background_pool_size=64"
_SETTING_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Answer:
    """The result of a statement, and its counts, named like the fields of X-ClickHouse-Summary."""

    body: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_ns: int = 0


class Session:
    """A connection to the engine, with its own current database and settings. For one thread at a time."""

    def __init__(self, connection: Any):
        self._connection = connection
        self.set(SERVER_DEFAULTS)

    def run(
        self, sql: str | bytes, output_format: str = "TabSeparated", params: Mapping[str, str] | None = None
    ) -> Answer:
        """Run one statement. `params` are the values of its `{name:Type}` places, as text.

        Raises ClickHouseError.
        """
        try:
            result = self._connection.query(sql, output_format, params=dict(params or {}))
        except Exception as error:  # chdb raises its two unrelated ChdbErrors and plain RuntimeErrors
            raise ClickHouseError.from_engine(str(error)) from None
        return Answer(
            body=result.bytes(),
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            result_rows=result.rows_read() if result.size() else 0,
            elapsed_ns=int(result.elapsed() * 1e9),
        )

    def use(self, database: str) -> None:
        """Make `database` the current one. Raises ClickHouseError 81 if there is none."""
        self.run(f"USE {quote_name(database)}")

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings for all that follows. Raises ClickHouseError 115 for an unknown setting."""
        if not settings:
            return
        for name in settings:
            if not _SETTING_NAME.fullmatch(name):
                raise ClickHouseError(115, f"Unknown setting '{name}'")
        self.run("SET " + ", ".join(f"{name} = {quote(value)}" for name, value in settings.items()))


class Engine:
    """The engine at `path`, kept open until close().

    A process has one engine path, and an engine path one process; within the process any number of
    connections share it, those of clickhouse-connect (`chdb://` + path) included.
    """

    def __init__(self, path: str | Path):
        self.path = os.path.abspath(path)  # the engine compares paths as text
        Path(self.path).mkdir(parents=True, exist_ok=True)
        self._keeper = chdb.connect(f"{self.path}?{OPTIONS}")
        ((self.version, self.timezone, self.host),) = self.query("SELECT version(), timezone(), hostName()")

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of its own, closed afterwards. Costs about a millisecond."""
        connection = chdb.connect(self.path)
        try:
            yield Session(connection)
        finally:
            connection.close()

    def query(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """The rows of any statement, past users, grants and faults; times, UUIDs and decimals are text."""
        with self.session() as session:
            session.set({"output_format_json_quote_64bit_integers": "0"})
            body = session.run(sql, "JSONCompactEachRow", {name: str(value) for name, value in params.items()}).body
        return [tuple(json.loads(line.decode("utf-8", "surrogateescape"))) for line in body.split(b"\n") if line]

    def close(self) -> None:
        """Give the path up. The engine stops when the last connection of the process is closed."""
        self._keeper.close()


def quote_name(name: str) -> str:
    """`name` as an identifier of ClickHouse's SQL."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote(text: str) -> str:
    """`text` as a literal of ClickHouse's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
