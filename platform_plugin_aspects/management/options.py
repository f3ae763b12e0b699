"""Options that several commands share: --object with its sinks, ClickHouse's connection, --json; what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import TIMEOUT_MAX
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.operations.doctor.findings import manage
from platform_plugin_aspects.sinks import BaseSink, StatementSink
from platform_plugin_aspects.sinks.registry import HOW_TO_WRITE_IF_OFF, is_on, sinks, why_off

ALL = "all"
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


def objects() -> dict[str, type[BaseSink]]:
    """The sinks that an --object can name, in the order in which they are written."""
    return {name: sink for name, sink in sinks().items() if sink.has_objects}


def add_object_argument(parser: Any, text: str) -> None:
    """Add --object, which may name several and be given several times, to a parser; see ``names_of``."""
    parser.add_argument(
        "--object",
        required=True,
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"{text}, one or several of {', '.join(objects())}, or {ALL} (every object whose sink is on)",
    )


def names_of(given: str | Sequence[str]) -> list[str]:
    """The names after --object, each once; [ALL] if that is one of them."""
    names = list(dict.fromkeys([given] if isinstance(given, str) else given))
    return [ALL] if ALL in names else names


def is_several(names: Sequence[str]) -> bool:
    """Whether there may be more than one object."""
    return len(names) > 1 or ALL in names


def add_even_if_off_argument(parser: Any) -> None:
    """Add --even_if_off to a parser, or to a group of its options."""
    parser.add_argument("--even_if_off", action="store_true", help="write rows also of sinks that are off")


def chosen(
    names: Sequence[str], tell: Callable[[str], Any], *, writes: bool = True, even_if_off: bool = False
) -> list[type[BaseSink]]:
    """The sinks that ``names_of`` an --object means, in the order of ``objects``; ``tell`` gets a line about those that
    are off.

    ``writes``: whether the command writes rows, which it may do of sinks that are off only ``even_if_off``. Raises
    CommandError for a sink that is off and for a wrong name.
    """
    known = objects()
    if ALL in names and not even_if_off:
        on = [sink for sink in known.values() if is_on(sink)]
        off = [sink for sink in known.values() if sink not in on]
        if not on:
            raise CommandError(
                "No sink is on: turn one on by its setting EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED or its waffle flag "
                "event_sink_clickhouse.<model>.enabled, or add --even_if_off to take all of them"
            )
        if off:
            tell(f"off, so left out: {', '.join(sink.name for sink in off)}")
        return on
    for name in names:
        if name == StatementSink.name:
            raise CommandError(
                f"The rows of {name} are learning events, not objects: load the platform's tracking logs with "
                f"`{manage('aspects_load_tracking_logs')}`, which writes what is missing, and nothing twice"
            )
        if name not in (*known, ALL):
            raise CommandError(f"There is no object {name!r}: choose one of {', '.join(known)}, or {ALL}")
    wanted = [sink for name, sink in known.items() if name in names]
    if ALL in names:
        wanted = [sink for sink in known.values() if edx_platform.get_model(sink.model) is not None]
    for sink in wanted:
        if edx_platform.get_model(sink.model) is None:
            raise CommandError(
                f"The model of {sink.name} cannot be imported: "
                f"correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]"
            )
        if writes and not even_if_off and not is_on(sink):
            raise CommandError(f"{why_off(sink)}. {HOW_TO_WRITE_IF_OFF}")
    for sink in wanted:
        if not is_on(sink):
            tell(f"{sink.name} is off: later changes will not reach ClickHouse")
    return wanted


def parse_keys(sink: BaseSink, given: str | list[str] | None) -> Any:
    """The key or keys that an option names, or None without the option; CommandError for an invalid key."""
    try:
        if isinstance(given, list):
            return [sink.parse_key(text) for text in given]
        return None if given is None else sink.parse_key(given)
    except ValueError as error:
        raise CommandError(str(error)) from None
