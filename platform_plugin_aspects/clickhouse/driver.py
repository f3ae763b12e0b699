"""The driver, clickhouse-connect: its options, its connections and its encoding of rows."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform

from platform_plugin_aspects.clickhouse.connection import COMPRESSION, Connection
from platform_plugin_aspects.clickhouse.embedded import EngineInUse, holder
from platform_plugin_aspects.clickhouse.errors import Misconfigured, typed_errors
from platform_plugin_aspects.redaction import Hidden

#: Driver options that are the same for every HTTP connection.
HTTP_OPTIONS: dict[str, Any] = {
    # One session per client would forbid two threads to share it.
    "autogenerate_session_id": False,
    # Waiting and trying again is delivery's business; it knows how long ClickHouse has been away.
    "query_retries": 0,
    "compress": COMPRESSION,
    "client_name": "platform-plugin-aspects",
}
#: Options of the embedded engine, unless its URL has some (``chdb:///folder?name=value``). Its own pool is as small as
#: the machine: deleting from a table of 100 partitions then takes half a minute of waiting.
EMBEDDED_OPTIONS = "background_pool_size=64"


def _hush_driver() -> None:
    """Keep the driver from logging errors, values and tracebacks included, that it also raises."""
    for name in ("rustcodec", "streaming", "transform"):
        logging.getLogger(f"clickhouse_connect.driver.{name}").setLevel(logging.CRITICAL)


def open_client(connection: Connection) -> Client:
    """A clickhouse-connect client; tables are always named with their database, so none is selected."""
    _hush_driver()
    if (path := connection.embedded_path) is not None:
        _require_free_folder(path)
        folder = path if "?" in path else f"{path}?{EMBEDDED_OPTIONS}"
        try:
            return clickhouse_connect.get_client(interface="chdb", path=folder)
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


def _require_free_folder(path: str) -> None:
    """Refuse a folder before the engine writes to stderr that it is locked, or creates what is a typing error."""
    parent = Path(path.partition("?")[0]).parent
    if not parent.is_dir():
        raise Misconfigured(f"The folder {parent} of chdb://{path} does not exist: correct the url, or create {parent}")
    pid = holder(path)
    if pid not in (None, os.getpid()):
        raise EngineInUse(path, pid)


def encode(connection: Connection, columns: Sequence[tuple[str, str]], data: Sequence[Sequence[Any]]) -> bytes:
    """Rows in ClickHouse's Native format, compressed, as ``ClickHouse.send`` takes them; Rejected when they cannot be.

    ``columns`` and ``data`` as for ``ClickHouse.insert``. The results of several calls may be sent together.
    """
    names, types = zip(*columns, strict=True)
    _hush_driver()
    with _held(data) as held, typed_errors(connection, "encoding", encoding=True):
        context = InsertContext(
            "", names, list(map(get_from_name, types)), held, column_oriented=True, compression=connection.compression
        )
        # The driver writes the statement before the block with number 0.
        context.current_block = 1
        blocks = b"".join(NativeTransform.build_insert(context))
        if context.insert_exception is not None:
            raise context.insert_exception
    return blocks


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
