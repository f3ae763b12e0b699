"""From EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG to a connection whose errors say what the caller should do.

Nothing here knows of Django models or sinks, and nothing in the sinks knows whether ClickHouse is a server
(``http://``, ``https://``) or the embedded engine (``chdb:///folder``).
"""

from __future__ import annotations

import logging
import math
import os
import re
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, OperationalError
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform
from django.conf import settings

from platform_plugin_aspects.clickhouse.embedded import holder, in_use
from platform_plugin_aspects.errors import cause_of
from platform_plugin_aspects.hidden import Hidden, raises_without_frames
from platform_plugin_aspects.proxies import driver_proxy

#: Driver options that are the same for every HTTP connection.
HTTP_OPTIONS: dict[str, Any] = {
    # One session per client would forbid two threads to share it.
    "autogenerate_session_id": False,
    # Waiting and trying again is delivery's business; it knows how long ClickHouse has been away.
    "query_retries": 0,
    "compress": "lz4",
    "client_name": "platform-plugin-aspects",
}
#: Options of the embedded engine. Its own pool is as small as the machine: deleting from a table of 100 partitions
#: then takes half a minute of waiting.
EMBEDDED_OPTIONS = "background_pool_size=64"


class Failure(Exception):
    """ClickHouse did not do what was asked. ``code`` is its error code, or None when there was no answer."""

    def __init__(self, message: str, code: int | None = None):
        super().__init__(message)
        self.code = code


class Unavailable(Failure):
    """A passing fault: the same request may succeed later."""


class Misconfigured(Failure):
    """An operator must act; the message says on what."""


class EngineInUse(Misconfigured):
    """Another process has the folder of the embedded engine open. ``problem`` and ``remedy``: the text's two parts."""

    def __init__(self, path: str, pid: int):
        self.problem, self.remedy = in_use(path, pid)
        super().__init__(f"{self.problem}: {self.remedy}")


class Rejected(Failure):
    """ClickHouse, or the encoding for it, refuses these rows; others may pass."""


class Unclear(Rejected):
    """ClickHouse refuses an insert with a code that does not say whether the rows or something else is at fault.

    It is the rows', when others get through.
    """

    @property
    def way(self) -> Misconfigured:
        """The failure for the case that no rows get through."""
        return Misconfigured(
            f"{self.refusal}, whichever rows were sent. Its words may quote learners and are not repeated: "
            f"read them in system.query_log (exception_code = {self.code}), and check the table's materialized views",
            self.code,
        )

    def __init__(self, refusal: str, code: int | None = None):
        super().__init__(f"{refusal}, while other rows got through", code)
        self.refusal = refusal


# The codes are those of ClickHouse's src/Common/ErrorCodes.cpp.
#: Passing: timeouts, memory, overload, network, replicas and keeper that are not ready.
PASSING = frozenset({3, 33, 159, 160, 202, 203, 209, 210, 225, 241, 242, 243, 252, 285, 319, 394, 425, 999})
#: The row's own fault: cannot be parsed or converted, out of range, too large.
ROW_FAULTS = frozenset({6, 26, 27, 38, 41, 53, 69, 70, 72, 131, 321, 349, 376, 407, 469})
#: An operator's faults whose text names settings, functions, columns or clusters, and never a value that is inserted.
#: ClickHouse's text is quoted for these only while values travel: any other may hold a learner's.
QUOTABLE = frozenset({10, 20, 46, 48, 73, 115, 218, 344, 452, 701})
#: What an operator should look at, by code.
REMEDIES = {
    16: "a column is missing: run `manage.py lms aspects_create_tables` to see how the table differs",
    47: "a column is missing: run `manage.py lms aspects_create_tables` to see how the table differs",
    60: "a table is missing: create it with `manage.py lms aspects_create_tables`",
    81: "the database is missing: create it with `manage.py lms aspects_create_tables`, "
    'or correct "database" in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG',
    164: "the user may only read: its settings profile must not be readonly",
    497: "the user lacks a grant: it needs INSERT, SELECT and DELETE on the plugin's database; "
    "`manage.py lms aspects_create_tables --print-grants` prints the statements",
    516: 'wrong user or password: correct "username" and "password" in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG',
}
REMEDIES |= dict.fromkeys((192, 193, 194), REMEDIES[516])
#: Answers of proxies and load balancers, without a ClickHouse code, that mean "later".
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
#: TLS ended by the other side, as when a server restarts; other faults of TLS are of certificates and protocols.
CLOSED_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_STATUS = re.compile(r"HTTP status (\d{3})")
_MESSAGE_LIMIT = 400


@dataclass(frozen=True)
class Connection:
    """One ClickHouse, as EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG describes it, with defaults for what it leaves out."""

    url: str = field(default="http://clickhouse:8123", repr=False)  # may hold credentials
    username: str = "ch_cms"
    password: str = field(default="", repr=False)
    database: str = "event_sink"
    timeout_secs: float = 5
    xapi_database: str = "xapi"
    xapi_table: str = "xapi_events_all"
    runs_table: str = "load_test_runs"
    stats_table: str = "load_test_stats"

    @classmethod
    @raises_without_frames(Misconfigured)
    def from_settings(cls, overrides: Mapping[str, Any] | None = None) -> Connection:
        """The configured connection; ``overrides`` (same keys, None means "as configured") win.

        Raises Misconfigured for a value that cannot be meant.
        """
        known = {f.name for f in fields(cls)}
        configured = getattr(settings, "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG", None) or {}
        if not isinstance(configured, Mapping):
            raise Misconfigured(
                "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG must be a mapping with url, username, password, ..."
            )
        config = dict(configured)
        config.update({key: value for key, value in (overrides or {}).items() if value is not None})
        connection = cls(**{key: value for key, value in config.items() if key in known and value not in (None, "")})
        connection.check()
        try:
            timeout = float(connection.timeout_secs)
        except (TypeError, ValueError):
            timeout = 0
        if not 0 < timeout <= threading.TIMEOUT_MAX:
            raise Misconfigured(
                f"timeout_secs is {connection.timeout_secs!r}: it must be a number of seconds above 0 and at most "
                f"{threading.TIMEOUT_MAX:,.0f}"
            )
        return replace(connection, timeout_secs=timeout)

    def check(self) -> None:
        """Raise Misconfigured when the URL is of no known kind or the database has no usable name."""
        for setting in fields(self):
            if setting.name != "timeout_secs" and not isinstance(getattr(self, setting.name), str):
                raise Misconfigured(f"{setting.name} in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG must be text")
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if any(map(str.isspace, self.url)) and not self.embedded_path:
            raise Misconfigured(f"The ClickHouse url {self.place!r} holds white space")
        if not usable and not self.embedded_path:
            raise Misconfigured(f"The ClickHouse url {self.place!r} is neither http(s)://host:port nor chdb:///folder")
        if not self.database or "\x00" in self.database:
            raise Misconfigured(f"{self.database!r} cannot be the name of a ClickHouse database")

    @property
    def embedded_path(self) -> str | None:
        """The folder of the embedded engine, or None when ClickHouse is a server."""
        return self.url.removeprefix("chdb://") if self.url.startswith("chdb:///") else None

    @property
    def compression(self) -> str | None:
        """How inserts are compressed; None for the embedded engine, to which nothing travels."""
        return HTTP_OPTIONS["compress"] if self.embedded_path is None else None

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password: those in the URL, where it has some."""
        parts = urlsplit(self.url)
        return unquote(parts.username or "") or self.username, unquote(parts.password or "") or self.password

    @property
    def place(self) -> str:
        """The URL without credentials, for messages."""
        # Up to the last "@": passwords are not always quoted as they should be.
        scheme, slashes, rest = self.url.partition("//")
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"

    @property
    def proxy(self) -> str:
        """`` through the proxy ...`` where the environment names one for this server, else an empty text."""
        return driver_proxy(self.url) if self.embedded_path is None else ""


class ClickHouse:
    """An open connection: insert, select, command and delete, with errors as Unavailable, Misconfigured or Rejected."""

    def __init__(self, connection: Connection):
        self.connection = connection
        with _typed_errors(self.connection, "connecting"):
            self._client = _open(connection)

    def insert(self, table: str, columns: Sequence[tuple[str, str]], data: Sequence[Sequence[Any]]) -> None:
        """Insert rows into ``table``, whole or not at all, in one statement.

        ``columns`` are (name, ClickHouse type) pairs; ``data`` holds one sequence of values per column, in that order.
        """
        self.send(table, columns, [encode(self.connection, columns, data)])

    def send(self, table: str, columns: Sequence[tuple[str, str]], blocks: Sequence[bytes]) -> None:
        """Insert what ``encode`` made of rows with these columns, whole or not at all, in one statement."""
        names = [name for name, _type in columns]
        with _typed_errors(self.connection, f"inserting into {self.connection.database}.{table}", inserting=True):
            self._client.raw_insert(
                self.qualified(table),
                names,
                b"".join(blocks),
                fmt="Native",
                compression=self.connection.compression,
            )

    def select(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """The rows of a query, UUIDs as text. ``parameters`` fill ``{name:Type}`` placeholders on the server."""
        with _typed_errors(self.connection, "reading", with_values=bool(parameters)):
            result = self._client.query(sql, parameters=dict(parameters or {}), query_formats={"UUID": "string"})
            return result.result_rows

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement that returns no rows."""
        with _typed_errors(self.connection, "running a statement", with_values=bool(parameters)):
            self._client.command(sql, parameters=dict(parameters or {}))

    def delete(self, table: str, column: str, type_: str, values: Sequence[Any]) -> None:
        """Delete the rows of ``table`` whose ``column`` (of ClickHouse type ``type_``) is one of ``values``.

        Returns when the rows are gone from every replica's disk, not only hidden.
        """
        self.command(
            f"ALTER TABLE {self.qualified(table)} DELETE "
            f"WHERE {quote(column)} IN {{values:Array({type_})}} SETTINGS mutations_sync = 2",
            {"values": list(values)},
        )

    def qualified(self, table: str) -> str:
        """`` `database`.`table` ``, quoted."""
        return f"{quote(self.connection.database)}.{quote(table)}"

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


def encode(connection: Connection, columns: Sequence[tuple[str, str]], data: Sequence[Sequence[Any]]) -> bytes:
    """Rows in ClickHouse's Native format, compressed, as ``ClickHouse.send`` takes them; Rejected when they cannot be.

    ``columns`` and ``data`` as for ``ClickHouse.insert``. What several calls return may be sent together.
    """
    names, types = zip(*columns, strict=True)
    _hush_driver()
    with _held(data) as held, _typed_errors(connection, "encoding", encoding=True):
        context = InsertContext(
            "", names, list(map(get_from_name, types)), held, column_oriented=True, compression=connection.compression
        )
        # The driver writes the statement before the block with number 0.
        context.current_block = 1
        blocks = b"".join(NativeTransform.build_insert(context))
        if context.insert_exception is not None:
            raise context.insert_exception
    return blocks


def quote(identifier: str) -> str:
    """A ClickHouse identifier in backticks."""
    escaped = identifier.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


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


@contextmanager
def _held(data: Sequence[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """The columns in a list for the driver, which lets go of them at the end.

    The driver's context refers to itself and to this list: it would keep the values until the garbage collector comes
    by, and a backfill as many batches in memory as that takes.
    """
    held = list(data)
    try:
        yield held
    finally:
        held.clear()


@contextmanager
def _typed_errors(
    connection: Connection, doing: str, *, encoding: bool = False, inserting: bool = False, with_values: bool = False
) -> Iterator[None]:
    """Errors as typed failures. ``with_values``: values travel, which ClickHouse's text and the driver's may quote."""
    try:
        yield
    except ClickHouseError as error:
        silent = encoding or inserting or with_values
        raise _typed(error, doing, connection, inserting=inserting, silent=silent) from None
    except (ValueError, TypeError, AttributeError, OverflowError, KeyError) as error:
        if not encoding:
            raise
        # The value itself stays out of the message: it may be a learner's.
        raise Rejected(f"A value cannot be encoded for ClickHouse ({type(error).__name__})") from None


def _hush_driver() -> None:
    """Keep the driver from logging errors, values and tracebacks included, that it also raises."""
    for name in ("rustcodec", "streaming", "transform"):
        logging.getLogger(f"clickhouse_connect.driver.{name}").setLevel(logging.CRITICAL)


def _open(connection: Connection) -> Client:
    """A clickhouse-connect client; tables are always named with their database, so none is selected."""
    _hush_driver()
    if connection.embedded_path is not None:
        try:
            return clickhouse_connect.get_client(interface="chdb", path=_with_options(connection.embedded_path))
        except ImportError:
            raise Misconfigured(
                'chdb:/// needs the embedded engine: pip install "platform-plugin-aspects[embedded]"'
            ) from None
    parts = urlsplit(connection.url)
    # The driver takes whole seconds.
    timeout = math.ceil(connection.timeout_secs)
    return clickhouse_connect.get_client(
        interface=parts.scheme,
        host=parts.hostname,
        port=parts.port or (443 if parts.scheme == "https" else 80),
        username=connection.credentials[0],
        password=Hidden(connection.credentials[1]),
        proxy_path=parts.path.strip("/"),
        connect_timeout=timeout,
        send_receive_timeout=timeout,
        **HTTP_OPTIONS,
    )


def _with_options(path: str) -> str:
    """The folder of the embedded engine with its options, unless an operator gave some: ``chdb:///folder?name=value``."""
    return path if "?" in path else f"{path}?{EMBEDDED_OPTIONS}"


def _typed(
    error: ClickHouseError, doing: str, connection: Connection, *, inserting: bool = False, silent: bool = False
) -> Failure:
    """The typed failure for an exception of the driver. ``silent``: its text is not quoted, unless it is known to be
    free of values."""
    code: int | None = getattr(error, "code", None)
    name = getattr(error, "name", None) or ""
    text = str(error)
    about = f"{doing} at {connection.place}"
    if code in ROW_FAULTS:
        # ClickHouse quotes the offending value, which may be a learner's.
        return Rejected(f"ClickHouse refused rows while {about}: code {code} {name}".rstrip(), code)
    if code in PASSING:
        return Unavailable(f"ClickHouse is busy or not ready while {about}: code {code} {name}".rstrip(), code)
    words = type(error).__name__ if silent and code not in QUOTABLE else _excerpt(text)
    if code is not None:
        refusal = f"ClickHouse refused {about}: code {code} {name}".rstrip()
        if inserting and code not in REMEDIES and code not in QUOTABLE:
            return Unclear(refusal, code)
        return Misconfigured(f"{refusal}: {REMEDIES.get(code) or words}", code)
    if isinstance(error, DataError):
        return Rejected(f"A value cannot be encoded for ClickHouse ({type(error).__name__})")
    status = _STATUS.search(text)
    if status and int(status[1]) not in PASSING_STATUSES:
        return Misconfigured(
            f"{connection.place}{connection.proxy} answered HTTP {status[1]}, not as ClickHouse does: check the url "
            "and proxies"
        )
    if connection.embedded_path is not None:
        pid = holder(connection.embedded_path)
        if pid is not None and pid != os.getpid():
            return EngineInUse(connection.embedded_path, pid)
        what = words if silent else _excerpt(text.partition(", Stack trace")[0])
        return Misconfigured(f"The embedded ClickHouse engine failed while {about}: {what}")
    about += connection.proxy
    if status:
        return Unavailable(f"ClickHouse cannot be reached while {about}: HTTP {status[1]}")
    if isinstance(error, OperationalError):
        cause = cause_of(error)
        kind = Misconfigured if isinstance(cause, ssl.SSLError) and not isinstance(cause, CLOSED_TLS) else Unavailable
        return kind(f"ClickHouse cannot be reached while {about}: {_excerpt(str(cause) or type(cause).__name__)}")
    return Misconfigured(f"ClickHouse's driver failed while {about}: {words}")


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_LIMIT else line[:_MESSAGE_LIMIT] + "..."
