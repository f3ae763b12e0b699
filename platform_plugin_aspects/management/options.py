"""Options that several commands share, what they refuse, and how failures end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import TIMEOUT_MAX
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.errors import PLATFORM_FAULTS

CONNECTION_OPTIONS: Mapping[str, tuple[type, str]] = {
    "url": (str, "HTTP(S) address of ClickHouse with port, or chdb:///<folder> for the embedded engine"),
    "username": (str, "user of ClickHouse"),
    "password": (str, "password of that user"),
    "database": (str, "database of the plugin's tables"),
    "timeout_secs": (float, "seconds to wait for a connection and for each answer"),
}


def add_connection_arguments(parser: CommandParser) -> None:
    """Add --url, --username, --password, --database and --timeout_secs."""
    group = parser.add_argument_group(
        "ClickHouse", "Defaults: the values of EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG; each option replaces one of them."
    )
    for name, (type_, text) in CONNECTION_OPTIONS.items():
        group.add_argument(f"--{name}", type=type_, help=text)


def connection_from(options: Mapping[str, Any]) -> Connection:
    """The connection that the options of ``add_connection_arguments`` describe."""
    for name in ("url", "username", "database"):
        if options[name] == "":
            raise CommandError(f"--{name} is empty: give a value, or leave the option out")
    return Connection.from_settings({name: options[name] for name in CONNECTION_OPTIONS})


def add_reader_arguments(parser: CommandParser) -> None:
    """Add --reader_username and --reader_password."""
    group = parser.add_argument_group(
        "Superset's user in ClickHouse", "By default as in ASPECTS_SUPERSET_READER; each option replaces one value."
    )
    group.add_argument("--reader_username", help="user with whom Superset reads from ClickHouse")
    group.add_argument("--reader_password", help="password of that user")


def reader_options(options: Mapping[str, Any]) -> dict[str, str | None]:
    """The values of ``add_reader_arguments``, as Reader.from_settings takes them."""
    return {"username": options["reader_username"], "password": options["reader_password"]}


def add_json_argument(parser: CommandParser) -> None:
    """Add --json: the command then prints one JSON document (``text.as_json``) and nothing else on stdout."""
    parser.add_argument("--json", action="store_true", help="print JSON, for machines")


def require_at_least(options: Mapping[str, Any], **least: float) -> None:
    """Raise CommandError for the first option that is given and is less or not a number: ``limit=1``.

    Seconds, which are not whole numbers, must be so few that an operating system can wait for them.
    """
    for name, bound in least.items():
        value = options[name]
        if value is None or (bound <= value and (isinstance(value, int) or value <= TIMEOUT_MAX)):
            continue
        most = f" and at most {TIMEOUT_MAX:,.0f}" if value > bound else ""
        raise CommandError(f"--{name} {value}: it must be at least {bound}{most}")


def moment(options: Mapping[str, Any], name: str) -> datetime | None:
    """The moment, in UTC, that an option names, or None without the option; CommandError for an invalid one."""
    text = options[name]
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--{name} {text}: it must be an ISO 8601 date, as 2026-01-31 or 2026-01-31T12:00") from None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:
        raise CommandError(f"--{name} {text}: it must be a date of the years 1 to 9999 in UTC") from None


@contextmanager
def failures_as_command_errors(advice: str = "") -> Iterator[None]:
    """End the command with the message of a ClickHouse failure, exit code 1 and no traceback."""
    try:
        yield
    except Failure as failure:
        raise CommandError(f"{failure}{advice}") from None


@contextmanager
def database_errors_as_command_errors() -> Iterator[None]:
    """End the command with what the platform's database says, exit code 1 and no traceback."""
    try:
        yield
    except PLATFORM_FAULTS as error:
        raise CommandError(f"The platform's database failed ({type(error).__name__}): {error}") from None
