"""ClickHouse: whether it answers, has the tables, gives the plugin the rights it needs, and has the right time."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.embedded import EngineInUse
from platform_plugin_aspects.clickhouse.errors import (
    ACCESS_DENIED,
    REMEDIES,
    UNKNOWN_IDENTIFIER,
    Failure,
    Misconfigured,
    Unavailable,
)
from platform_plugin_aspects.clickhouse.schema import Table, missing_and_drifted
from platform_plugin_aspects.load_test.tables import tables_by_database
from platform_plugin_aspects.operations.checks import valid
from platform_plugin_aspects.operations.doctor import reader
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.personal_data import not_tables, personal_tables, unknown_among
from platform_plugin_aspects.sinks.registry import is_on, sinks
from platform_plugin_aspects.xapi.addresses import has_addresses

DELETE = "ALTER DELETE"
#: Statements that need a right and leave no trace. A DELETE, even of nothing, would go through all parts of the table:
#: this one ends, once the right has been looked at, because there is no such column.
PROBES = {
    "INSERT": "INSERT INTO {table} ({columns}) SELECT {defaults} WHERE 0",
    "SELECT": "SELECT {columns} FROM {table} LIMIT 0",
    DELETE: "ALTER TABLE {table} DELETE WHERE aspects_check_of_rights",
}
URL = '"url" in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG'
#: Seconds by which clocks may differ.
MAX_SKEW_SECS = 10


def examine(examination: Examination) -> Iterator[Finding]:
    """Examine from the outside in; the first failure ends it."""
    try:
        connection = examination.connection
    except Misconfigured as failure:
        yield examination.because_of("Settings", "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG is invalid", str(failure))
        return
    try:
        client = examination.clickhouse
        version = client.select("SELECT version()")[0][0]
        yield Mark.OK(f"ClickHouse {version} answers at {connection.place}")
        before = time.time()
        microseconds = client.select("SELECT toUnixTimestamp64Micro(now64(6))")[0][0]
        yield compare_clocks(before, microseconds / 1e6, time.time())
        for place, some in tables_by_database(connection).items():
            on = _tables_in_use(connection, place)
            # A database of other sinks is not looked at while they are off.
            if on or place == connection:
                yield from _database(get_client(place), some, on, is_own=place == connection)
        yield from reader.examine(examination)
    except Failure as failure:
        yield _problem(failure, connection)


def _problem(failure: Failure, connection: Connection) -> Finding:
    if isinstance(failure, EngineInUse):
        return Mark.PROBLEM(failure.problem, capitalized(failure.remedy))
    known = REMEDIES.get(failure.code or 0, "")
    remedy = known or f"Correct {URL}, or the certificate or proxy behind it"
    if not known and connection.embedded_path is not None:
        remedy = f"See that this process may make and write the folder in {URL}"
    if isinstance(failure, Unavailable):
        remedy = f"See that it runs, that {URL} names it, and the proxies in between"
    if failure.code is None and connection.proxy:
        remedy += f"; if the proxy is not meant for it, add {urlsplit(connection.url).hostname} to no_proxy"
    return Mark.PROBLEM(str(failure).removesuffix(f": {known}"), remedy)


def compare_clocks(before: float, theirs: float, after: float) -> Finding:
    """The finding for ClickHouse's time, which it read at some moment between two of this host."""
    ahead, uncertain = theirs - (before + after) / 2, (after - before) / 2
    if abs(ahead) - uncertain > MAX_SKEW_SECS:
        return Mark.PROBLEM(
            f"ClickHouse's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} that of this host",
            "Set the wrong clock by NTP, because the row with the latest time counts as the object's newest",
        )
    if uncertain > MAX_SKEW_SECS:
        return Mark.NOTE(f"The clocks cannot be compared: ClickHouse took {after - before:,.0f} s to answer")
    return Mark.OK("The clocks agree")


def _tables_in_use(connection: Connection, place: Connection) -> dict[str, Table]:
    """The tables in the database of ``place`` of the sinks that are on, by name."""
    on = [sink for sink in sinks().values() if is_on(sink) and sink.place(connection) == place]
    return {table.name: table for sink in on for table in sink.tables_at(connection)}


def _database(
    client: ClickHouse, wanted: Sequence[Table], on: Mapping[str, Table], *, is_own: bool
) -> Iterator[Finding]:
    """One database: ``wanted`` are all tables of the plugin in it, ``on`` those of the sinks that are on, by name.

    ``is_own``: it is that of the plugin.
    """
    database = client.connection.database
    if not client.select("SELECT 1 FROM system.databases WHERE name = {name:String}", {"name": database}):
        needed: dict[str, list[str]] = {}
        for right, table in _needed(client.connection, on):
            needed.setdefault(right, []).append(table.name)
        grants = _grants(client, {right: [] for right in PROBES} if is_own else needed, is_own=is_own)
        yield Mark.PROBLEM(
            f"There is no database {database}, or none that the user may see",
            f"Run {manage('aspects_create_tables')} with an administrator's --username and --password, then {grants}",
        )
        return
    actual = client.columns()
    # Names that mean nothing hold up retirements and profiles.
    if is_own and (unknown := unknown_among(valid(personal_tables) or (), actual)):
        problem, _, remedy = str(not_tables(unknown, database)).partition(". ")
        yield Mark.PROBLEM(problem, remedy)
    # They exist, and are not listed.
    hidden = {name for name in on if name not in actual and client.refusal(name)}
    yield from _missing(client, wanted, on, actual, hidden)
    sound = {
        name: table
        for name, table in on.items()
        # _rights reports the missing rights on a hidden table.
        if name in hidden or (name in actual and not table.drift(actual[name]))
    }
    yield from _rights(client, sound, [name for name in on if name not in sound], is_own=is_own)


def _missing(
    client: ClickHouse,
    tables: Sequence[Table],
    on: Collection[str],
    actual: Mapping[str, list[tuple[str, str]]],
    hidden: Collection[str],
) -> Iterator[Finding]:
    """Tables that are missing or differ: a problem if a sink that is on writes to them, or else a note."""
    database = client.connection.database
    wanted = [table for table in tables if table.name not in hidden]
    missing = [table.name for table in missing_and_drifted(wanted, actual)[0]]
    for mark, text, names in (
        (Mark.PROBLEM, f"Missing in {database}", [name for name in missing if name in on]),
        (Mark.NOTE, "Missing, but not needed as things are", [name for name in missing if name not in on]),
    ):
        if names:
            create = f"Run {manage('aspects_create_tables')} with an administrator's --username and --password"
            yield mark(f"{text}: {', '.join(names)}", create)
    drifted = [(table, how) for table in wanted if table.name in actual for how in table.drift(actual[table.name])]
    for table, how in drifted:
        yield (Mark.PROBLEM if table.name in on else Mark.NOTE)(
            how,
            f"ALTER TABLE {client.qualified(table.name)} so that the column is as expected; or rename the table, "
            f"run {manage('aspects_create_tables')} and backfill the objects",
        )
    if not (missing or drifted or hidden):
        yield Mark.OK(f"The tables in {database} are as they should be")


def _rights(client: ClickHouse, on: Mapping[str, Table], others: Sequence[str], *, is_own: bool) -> Iterator[Finding]:
    """The missing rights of the user; one finding per reason, because a missing grant is missing on many tables.

    ``others``: tables that are needed, and on which rights cannot be tried.
    """
    refused: dict[int | None, tuple[Failure, dict[str, list[str]]]] = {}
    for right, table in _needed(client.connection, on):
        columns = ", ".join(quote(column.name) for column in table.columns)
        defaults = ", ".join(f"defaultValueOfTypeName('{column.type}')" for column in table.columns)
        try:
            client.command(PROBES[right].format(table=client.qualified(table.name), columns=columns, defaults=defaults))
        except Misconfigured as failure:
            if right != DELETE or failure.code != UNKNOWN_IDENTIFIER:
                refused.setdefault(failure.code, (failure, {}))[1].setdefault(right, []).append(table.name)
    for code, (reason, by_right) in refused.items():
        text = "; ".join(f"{right} on {', '.join(names)}" for right, names in by_right.items())
        remedy = _problem(reason, client.connection).remedy
        if code == ACCESS_DENIED:
            remedy = _grants(client, by_right, is_own=is_own)
        yield Mark.PROBLEM(f"ClickHouse refuses {text} (code {code})", remedy)
    if others:
        yield Mark.SKIPPED(f"The rights on {', '.join(others)} cannot be examined")
    elif on and not refused:
        yield Mark.OK("The user has the rights that the plugin needs")


def _grants(client: ClickHouse, by_right: Mapping[str, Sequence[str]], *, is_own: bool) -> str:
    """GRANT statements for rights on tables: on all of the plugin's own database, or on these tables of another."""
    if is_own:
        places = {f"{quote(client.connection.database)}.*": list(by_right)}
    else:
        places = {}
        for right, names in by_right.items():
            for name in names:
                places.setdefault(client.qualified(name), []).append(right)
    user = quote(client.connection.credentials[0])
    return "; ".join(f"GRANT {', '.join(rights)} ON {place} TO {user}" for place, rights in places.items())


def _needed(connection: Connection, on: Mapping[str, Table]) -> Iterator[tuple[str, Table]]:
    """Rights, and the tables on which they are needed."""
    deleting = {table.name for sink in sinks().values() if sink.deletes for table in sink.tables}
    if has_addresses():
        deleting.update(table.name for table in StatementSink.tables_at(connection))
    deleting.update(valid(personal_tables) or ())
    for table in on.values():
        yield "INSERT", table
        yield "SELECT", table
        if table.name in deleting:
            yield DELETE, table
