"""Pytest's plugin for tests of the reports on an older ClickHouse: an older embedded engine, called like the newest.

`make older-clickhouse` loads it with the engine of requirements/older-clickhouse.txt first in Python's path. The engine
takes no parameters of statements, so these are set first. It lacks a setting and some counts of results.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Mapping
from typing import Any

import chdb
import pytest

#: The release that must be tested, so that a newer engine in the path is not taken for it.
RELEASE = "24.8."
#: A setting of the endpoint that this engine does not know, and waiting for the end of a removal, which it cannot.
UNKNOWN = re.compile(r"implicit_select = '0',\s*|(?<=\S)\s+SYNC\s*\Z")
#: Connections of a process share one session: nothing may come between parameters and their statement.
_lock = threading.Lock()
_connect = chdb.connect
_ended = 0


class Result:
    """A result; counts that the engine lacks are 0."""

    def __init__(self, found: Any):
        self._found = found

    def __getattr__(self, name: str) -> Any:
        if name in ("storage_rows_read", "storage_bytes_read", "rows_written", "bytes_written"):
            return lambda: 0
        return getattr(self._found, name)


class Connection:
    """A connection that takes parameters."""

    def __init__(self, path: str):
        self._engine = _connect(path)
        # Parameters are text of a statement here, and 4 MB of text are tested.
        self._engine.query("SET max_query_size = 100000000", "TabSeparated")

    def query(self, sql: str | bytes, output_format: str = "CSV", params: Mapping[str, Any] | None = None) -> Result:
        text = sql.decode("utf-8", "surrogateescape") if isinstance(sql, bytes) else sql
        if text.startswith("DROP DATABASE"):
            # It would wait for ever. The folder of the engine is removed after the tests.
            text = "SELECT 1"
        with _lock:
            for name, value in (params or {}).items():
                # The value is unescaped twice: as a literal, and then as text of its type.
                literal = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
                self._engine.query(f"SET param_{name} = '{literal}'", "TabSeparated")
            return Result(self._engine.query(UNKNOWN.sub("", text), output_format))

    def send_query(self, *arguments: Any, **_params: Any) -> Any:
        return self._engine.send_query(*arguments)

    def close(self) -> None:
        self._engine.close()


chdb.connect = Connection


def pytest_report_header() -> str:
    """The engine, in the first lines of a run. Raises RuntimeError for another one."""
    version = chdb.query("SELECT version()", "TabSeparated").bytes().decode().strip()
    if not version.startswith(RELEASE):
        raise RuntimeError(f"The engine is ClickHouse {version}, not {RELEASE}x: run `make older-clickhouse`")
    return f"ClickHouse {version}"


def pytest_sessionfinish(exitstatus: int) -> None:
    """Keep how the tests ended."""
    global _ended
    _ended = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """End the process here, because this engine may wait for ever at its end."""
    sys.stdout.flush()
    os._exit(_ended)
