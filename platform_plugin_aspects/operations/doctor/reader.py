"""Superset's user in ClickHouse: whether it may do more than read the relations of the boards.

Guests of Superset read with its rights, past the row-level clauses of their tokens (ADR 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from platform_plugin_aspects.clickhouse.client import get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import ACCESS_DENIED, Failure, Misconfigured, Unavailable
from platform_plugin_aspects.clickhouse.grants import SETTING, Reader
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.operations.reports import views_of_boards
from platform_plugin_aspects.sinks.personal_data import WrongShape

UNKNOWN_USER = 192
#: The codes of a user or a password that is wrong.
NOT_LET_IN = {192, 193, 194, 516}


def examine(examination: Examination) -> Iterator[Finding]:
    """Compare the user's rights with the relations. Yields nothing without Superset, or without users in ClickHouse."""
    if not is_configured() or examination.connection.embedded_path is not None:
        return
    try:
        reader = examination.reader
    except WrongShape as failure:
        yield examination.because_of("Settings", "The rights of Superset's user are not examined", str(failure))
        return
    except Misconfigured as failure:
        yield Mark.PROBLEM(str(failure), f"Correct {SETTING}")
        return
    try:
        grants, readonly = _rights(examination.connection, reader)
    except Failure as failure:
        yield _unseen(failure, examination.connection, reader)
        return
    name = f"Superset's user {reader.username}"
    excess = reader.excess(grants)
    printed = f"run as an administrator what {manage('aspects_create_tables --print-grants')} prints for it"
    if excess:
        yield Mark.PROBLEM(
            f"{name} may do more than read the relations of the boards: {', '.join(excess)}. Guests read with its "
            "rights, past the clauses of their tokens",
            f"Name what the boards read by relations in {SETTING}, and {printed}. It takes away all other rights, but "
            "not roles: revoke those by name. If something else uses this user, as in Tutor's Aspects, make another "
            "for Superset with --reader_username",
        )
    views = set(map(".".join, views_of_boards(examination.connection)))
    if unreadable := [name for name in reader.unreadable(grants) if name in views]:
        yield Mark.PROBLEM(
            f"{name} may not read {', '.join(unreadable)}: boards that read them show errors", capitalized(printed)
        )
    if readonly == 0:
        yield Mark.NOTE(f"{name} may change its own limits: its setting readonly is 0", capitalized(printed))
    elif not (excess or unreadable):
        yield Mark.OK(f"{name} may read the relations of the boards, and nothing else")


def _rights(connection: Connection, reader: Reader) -> tuple[list[str], int | None]:
    """The rows of SHOW GRANTS and the setting ``readonly``: as the reader sees them, if its password is known.

    Otherwise as the plugin's user sees them, and ``readonly``, which only the reader itself sees, is None.
    """
    if not reader.password:
        rows, readonly = get_client(connection).select(f"SHOW GRANTS FOR {quote(reader.username)}"), None
    else:
        theirs = replace(connection, url=connection.place, username=reader.username, password=reader.password)
        client = get_client(theirs)
        rows = client.select("SHOW GRANTS")
        readonly = int(client.select("SELECT value FROM system.settings WHERE name = 'readonly'")[0][0])
    return [str(row[0]) for row in rows], readonly


def _unseen(failure: Failure, connection: Connection, reader: Reader) -> Finding:
    """Why the rights of the user cannot be seen."""
    name = f"Superset's user {reader.username}"
    if isinstance(failure, Unavailable):
        return Mark.SKIPPED(f"The rights of {name} cannot be seen: ClickHouse does not answer ({failure.code})")
    if reader.password and failure.code in NOT_LET_IN:
        return Mark.PROBLEM(
            f"ClickHouse does not let {name} in (code {failure.code})",
            f"Correct username and password in {SETTING}, or --reader_username and --reader_password",
        )
    if failure.code == UNKNOWN_USER:
        remedy = f"Name the user with whom Superset reads by username in {SETTING}"
        return Mark.NOTE(f"ClickHouse has no user {reader.username}", remedy)
    if failure.code == ACCESS_DENIED:
        return Mark.NOTE(
            f"The rights of {name} cannot be seen by {connection.credentials[0]}",
            f"Run {manage('aspects_check')} with its --reader_password, or with --username and --password of an "
            "administrator",
        )
    return Mark.SKIPPED(f"The rights of {name} cannot be seen (code {failure.code})")
