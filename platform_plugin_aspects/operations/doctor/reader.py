"""Superset's user in ClickHouse: whether it may do more than read the relations of the boards.

Guests of Superset read with its rights, past the row-level clauses of their tokens (ADR 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from platform_plugin_aspects.clickhouse.client import get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure, Misconfigured, Unavailable
from platform_plugin_aspects.clickhouse.grants import SETTING, Reader
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, manage
from platform_plugin_aspects.sinks.personal_data import WrongShape

ACCESS_DENIED, UNKNOWN_USER = 497, 192
#: The codes of a user or a password that is wrong.
NOT_LET_IN = {192, 193, 194, 516}


def examine(examination: Examination) -> Iterator[Finding]:
    """Nothing, where the site has no Superset, or ClickHouse no users."""
    if not is_configured() or examination.connection.embedded_path is not None:
        return
    try:
        reader = examination.reader
    except WrongShape as failure:
        yield examination.because_of("Settings", "The rights of Superset's user are not examined", str(failure))
        return
    except Misconfigured as failure:
        yield Finding(Mark.PROBLEM, str(failure), f"Correct {SETTING}")
        return
    name = f"Superset's user {reader.username}"
    try:
        grants = _grants(examination.connection, reader)
        readonly = _readonly(examination.connection, reader)
    except Unavailable as failure:
        yield Finding(Mark.SKIPPED, f"The rights of {name} cannot be seen: ClickHouse does not answer ({failure.code})")
        return
    except Failure as failure:
        yield _unseen(failure, examination.connection, reader)
        return
    excess = reader.excess(grants)
    printed = f"run as an administrator what {manage('aspects_create_tables --print-grants')} prints for it"
    if excess:
        yield Finding(
            Mark.PROBLEM,
            f"{name} may do more than read the relations of the boards: {', '.join(excess)}. Guests read with its "
            "rights, past the clauses of their tokens",
            f"Name what the boards read by relations in {SETTING}, and {printed}. It takes away all other rights, but "
            "not roles: revoke those by name. If something else uses this user, as in Tutor's Aspects, make another "
            "for Superset with --reader_username",
        )
    if readonly == 0:
        yield Finding(
            Mark.NOTE, f"{name} may change its own limits: its setting readonly is 0", printed[0].upper() + printed[1:]
        )
    elif not excess:
        yield Finding(Mark.OK, f"{name} may read the relations of the boards, and nothing else")


def _as_reader(connection: Connection, reader: Reader) -> Connection:
    return replace(connection, url=connection.place, username=reader.username, password=reader.password)


def _grants(connection: Connection, reader: Reader) -> list[str]:
    """The rows of SHOW GRANTS: asked for as the reader where its password is known, else as the user of ours."""
    if reader.password:
        rows = get_client(_as_reader(connection, reader)).select("SHOW GRANTS")
    else:
        rows = get_client(connection).select(f"SHOW GRANTS FOR {quote(reader.username)}")
    return [str(row[0]) for row in rows]


def _readonly(connection: Connection, reader: Reader) -> int | None:
    """The reader's setting ``readonly``; None where only the reader itself could tell."""
    if not reader.password:
        return None
    sql = "SELECT value FROM system.settings WHERE name = 'readonly'"
    return int(get_client(_as_reader(connection, reader)).select(sql)[0][0])


def _unseen(failure: Failure, connection: Connection, reader: Reader) -> Finding:
    name = f"Superset's user {reader.username}"
    if reader.password and failure.code in NOT_LET_IN:
        return Finding(
            Mark.PROBLEM,
            f"ClickHouse does not let {name} in (code {failure.code})",
            f"Correct username and password in {SETTING}, or --reader_username and --reader_password",
        )
    if failure.code == UNKNOWN_USER:
        return Finding(
            Mark.NOTE,
            f"ClickHouse has no user {reader.username}",
            f"Name the user with whom Superset reads by username in {SETTING}",
        )
    own, _password = connection.credentials
    if failure.code == ACCESS_DENIED:
        return Finding(
            Mark.NOTE,
            f"The rights of {name} cannot be seen by {own}",
            f"Run {manage('aspects_check')} with its --reader_password, or with --username and --password of an "
            "administrator",
        )
    return Finding(Mark.SKIPPED, f"The rights of {name} cannot be seen (code {failure.code})")
