"""The two users in ClickHouse, each with the rights that it needs and no others.

The plugin's user writes and deletes. Superset's user, the reader, reads the tables and views of the boards (ADR 8):
guests of Superset send expressions of their own, which no row-level clause can stop. ClickHouse runs them with the
rights of this user, so its rights are the protection.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import on_cluster
from platform_plugin_aspects.mapping_settings import WrongValue, kind, read_mapping
from platform_plugin_aspects.redaction import raises_without_frames

SETTING = "ASPECTS_SUPERSET_READER"
#: Limits of each query. ``readonly`` forbids the user to change them.
LIMITS = {
    "max_execution_time": 60,
    "max_memory_usage": 4_000_000_000,
    "max_result_rows": 1_000_000,
    "readonly": 1,
}
#: Limits of all queries of an hour, and of the seconds that they take.
QUOTA = {"queries": 50_000, "execution_time": 14_400}
#: Privileges that let nobody read or change a row.
HARMLESS = re.compile(r"USAGE|SHOW( \w+)?")
#: Rights of the user who creates the reports, in their database. The views read with the rights of this user.
OWNS = (
    *("CREATE DATABASE", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW"),
    *("SELECT", "INSERT", "ALTER DELETE", "ALTER TTL"),
)
_NAME = r"(`(?:[^`\\]|\\.)*`|[^.`\s]+)"
_PLACE = re.compile(rf"{_NAME}(?:\.{_NAME})? TO ")
_PRIVILEGE = re.compile(r"([A-Za-z][A-Za-z ]*)(?:\([^()]*\))?")


def grant_statements(connection: Connection, cluster: str = "", *, deletes_statements: bool = False) -> list[str]:
    """CREATE USER for the user of ``connection``, and a GRANT for each database or table that it uses.

    ALTER DELETE removes retired learners; ``deletes_statements``: from the xAPI table, too. The load test's monitor
    reads that table. ON CLUSTER when ``cluster`` is a name.
    """
    name, password = connection.credentials
    user, on = quote(name), on_cluster(cluster)
    rights = {
        f"{quote(connection.database)}.*": "SELECT, INSERT, ALTER DELETE",
        f"{quote(connection.xapi_database)}.{quote(connection.xapi_table)}": "SELECT, INSERT"
        + (", ALTER DELETE" if deletes_statements else ""),
    }
    return [
        create_user_statement(name, password, cluster),
        *(f"GRANT{on} {privileges} ON {where} TO {user}" for where, privileges in rights.items()),
    ]


def owner_statements(connection: Connection, reports: str, cluster: str = "") -> list[str]:
    """CREATE USER for the user of ``connection``, and the rights to create and rebuild the database ``reports``.

    The views of boards, and the feeds, run with these rights, so the user must keep them. ON CLUSTER when ``cluster``
    is a name.
    """
    name, password = connection.credentials
    user, on = quote(name), on_cluster(cluster)
    sources = (
        f"{quote(connection.database)}.*",
        f"{quote(connection.xapi_database)}.{quote(connection.xapi_table)}",
    )
    return [
        create_user_statement(name, password, cluster),
        f"GRANT{on} {', '.join(OWNS)} ON {quote(reports)}.* TO {user}",
        *(f"GRANT{on} SELECT ON {source} TO {user}" for source in sources),
        *([f"GRANT{on} CLUSTER ON *.* TO {user}"] if cluster else []),
    ]


def onlooker_statement(username: str, reports: str, cluster: str = "", *, deletes: bool = False) -> str:
    """The GRANT with which the plugin's user sees the state of the database ``reports``.

    ``deletes``: it deletes rows of retired learners there, too.
    """
    rights = "SHOW TABLES" + (", SELECT, ALTER DELETE" if deletes else "")
    return f"GRANT{on_cluster(cluster)} {rights} ON {quote(reports)}.* TO {quote(username)}"


def create_user_statement(name: str, password: str, cluster: str = "") -> str:
    """CREATE USER IF NOT EXISTS. It holds a salted hash of the password, a different one each time."""
    salt = secrets.token_hex(16)
    digest = sha256((password + salt).encode()).hexdigest()
    identified = f"IDENTIFIED WITH sha256_hash BY '{digest}' SALT '{salt}'"
    return f"CREATE USER IF NOT EXISTS {quote(name)}{on_cluster(cluster)} {identified}"


def _relations(listed: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(listed, list | tuple):
        listed = [listed]
    found = []
    for name in listed:
        database, _dot, relation = name.partition(".") if isinstance(name, str) else ("", "", "")
        if not (database and relation) or "*" in name or "\x00" in name:
            raise WrongValue(f"has {name!r}: list tables and views as 'database.table', one by one")
        found.append((database, relation))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Reader:
    """The user, its password where it is known, and the (database, table or view) pairs that the boards read."""

    username: str = "ch_report"
    password: str = field(default="", repr=False)
    relations: tuple[tuple[str, str], ...] = field(default=(), metadata=kind(_relations))

    @classmethod
    @raises_without_frames(Misconfigured)
    def from_settings(cls, default: Iterable[tuple[str, str]], **overrides: str | None) -> Reader:
        """The reader that ASPECTS_SUPERSET_READER describes; ``overrides`` that are not None win.

        ``default``: the relations while the setting names none. Raises Misconfigured for an invalid value.
        """
        values = read_mapping(cls, SETTING, Misconfigured, overrides)
        return cls(**{"relations": tuple(default)} | values)

    def statements(self, cluster: str = "") -> list[str]:
        """The statements that create the user, with limits, and let it read the relations and nothing else.

        Run again, they revoke the rights that the user got otherwise, except those of roles.
        ON CLUSTER when ``cluster`` is a name.
        """
        user, on = quote(self.username), on_cluster(cluster)
        limits = ", ".join(f"{name} = {value}" for name, value in LIMITS.items())
        quota = ", ".join(f"{name} = {value}" for name, value in QUOTA.items())
        return [
            create_user_statement(self.username, self.password, cluster),
            f"CREATE SETTINGS PROFILE IF NOT EXISTS {user}{on} SETTINGS {limits} TO {user}",
            f"CREATE QUOTA IF NOT EXISTS {user}{on} FOR INTERVAL 1 hour MAX {quota} TO {user}",
            f"REVOKE{on} ALL ON *.* FROM {user}",
            *(
                f"GRANT{on} SELECT ON {quote(database)}.{quote(relation)} TO {user}"
                for database, relation in self.relations
            ),
        ]

    def unreadable(self, grants: Iterable[str]) -> list[str]:
        """The relations, as "database.table", on which no row of SHOW GRANTS gives SELECT."""
        readable: set[tuple[str, ...]] = set()
        for row in grants:
            privileges, _on, rest = row.removeprefix("GRANT ").partition(" ON ")
            at = _PLACE.match(rest)
            named = {found[1].strip() for found in _PRIVILEGE.finditer(privileges)}
            if row.startswith("GRANT ") and at is not None and named & {"SELECT", "ALL"}:
                readable.add(tuple(_unquoted(name) for name in at.groups() if name is not None))
        return [".".join(place) for place in self.relations if not readable & {place, (place[0], "*"), ("*", "*")}]

    def excess(self, grants: Iterable[str]) -> list[str]:
        """The rights in the rows of SHOW GRANTS that the reader should not have: "dictGet ON event_sink.*"."""
        found = []
        for row in grants:
            verb, _space, granted = row.partition(" ")
            if verb != "GRANT":  # REVOKE: an exception to a wider right
                continue
            privileges, _on, rest = granted.partition(" ON ")
            at = _PLACE.match(rest)
            if at is None:  # a role, whose rights are not seen here
                found.append(f"the role {granted.partition(' TO ')[0]}")
                continue
            place = tuple(_unquoted(name) for name in at.groups() if name is not None)
            for privilege in _PRIVILEGE.finditer(privileges):
                name = privilege[1].strip()
                allowed = HARMLESS.fullmatch(name) or (name == "SELECT" and place in self.relations)
                if not allowed:
                    found.append(f"{name} ON {'.'.join(place)}")
        return found


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL) if name.startswith("`") else name
