"""Statements about users of ClickHouse, as commands print them for an administrator."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.management.base import CommandError, OutputWrapper

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.operations.text import Verbatim


def refuse_embedded(connection: Connection) -> None:
    """CommandError for the embedded engine, in which nobody can be granted anything."""
    if connection.embedded_path is not None:
        raise CommandError(f"{connection.place} is the embedded engine, which has no users: nothing to grant")


def reader_statements(reader: Reader, cluster: str, err: OutputWrapper) -> list[str]:
    """The statements that make Superset's user; none, and a line on ``err``, without its password."""
    if reader.password:
        return reader.statements(cluster)
    err.write(
        f"Superset's user {reader.username} is left out. Give its password by --reader_password or "
        "ASPECTS_SUPERSET_READER to print its statements too."
    )
    return []


def print_statements(statements: Iterable[str], out: OutputWrapper) -> None:
    """Print them as clickhouse-client takes them."""
    for statement in statements:
        out.write(Verbatim(f"{statement};"))
