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
from platform_plugin_aspects.clickhouse.rights import Grant, Rights
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


def plugin_grants(connection: Connection, *, deletes_statements: bool = False) -> list[Grant]:
    """The rights that the plugin's user needs on the plugin's tables and on that of the statements.

    ALTER DELETE removes retired learners; ``deletes_statements``: from the xAPI table, too. The load test's monitor
    reads that table.
    """
    deletes = ["ALTER DELETE"] if deletes_statements else []
    return [
        Grant(["SELECT", "INSERT", "ALTER DELETE"], connection.database),
        Grant(["SELECT", "INSERT", *deletes], connection.xapi_database, connection.xapi_table),
    ]


def grant_statements(connection: Connection, cluster: str = "", *, deletes_statements: bool = False) -> list[str]:
    """CREATE USER for the user of ``connection``, and a GRANT for each of ``plugin_grants``.

    ON CLUSTER when ``cluster`` is a name.
    """
    name, password = connection.credentials
    grants = plugin_grants(connection, deletes_statements=deletes_statements)
    return [create_user_statement(name, password, cluster), *(grant.statement(name, cluster) for grant in grants)]


def owner_statements(connection: Connection, reports: str, cluster: str = "") -> list[str]:
    """CREATE USER for the user of ``connection``, and the rights to create and rebuild the database ``reports``.

    The views of boards, and the feeds, run with these rights, so the user must keep them. ON CLUSTER when ``cluster``
    is a name.
    """
    name, password = connection.credentials
    grants = [
        Grant(OWNS, reports),
        Grant(["SELECT"], connection.database),
        Grant(["SELECT"], connection.xapi_database, connection.xapi_table),
    ]
    return [
        create_user_statement(name, password, cluster),
        *(grant.statement(name, cluster) for grant in grants),
        *([f"GRANT{on_cluster(cluster)} CLUSTER ON *.* TO {quote(name)}"] if cluster else []),
    ]


def onlooker_grants(reports: str, views: Iterable[str], *, deletes: bool = False) -> list[Grant]:
    """The rights with which the plugin's user sees the state of the database ``reports``, and reads ``views`` of it.

    ``deletes``: it deletes rows of retired learners there, too, and so reads everything.
    """
    if deletes:
        return [Grant(["SHOW TABLES", "SELECT", "ALTER DELETE"], reports)]
    return [Grant(["SHOW TABLES"], reports), *(Grant(["SELECT"], reports, view) for view in views)]


def create_user_statement(name: str, password: str, cluster: str = "") -> str:
    """CREATE USER IF NOT EXISTS. It holds a salted hash of the password, a different one each time."""
    return f"CREATE USER IF NOT EXISTS {quote(name)}{on_cluster(cluster)} {_identified(password)}"


def alter_user_statement(name: str, password: str, cluster: str = "") -> str:
    """ALTER USER: another password, of which it holds a salted hash."""
    return f"ALTER USER {quote(name)}{on_cluster(cluster)} {_identified(password)}"


def _identified(password: str) -> str:
    salt = secrets.token_hex(16)
    digest = sha256((password + salt).encode()).hexdigest()
    return f"IDENTIFIED WITH sha256_hash BY '{digest}' SALT '{salt}'"


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
    #: The address of ClickHouse for Superset, where it is not the plugin's.
    url: str = ""

    @classmethod
    @raises_without_frames(Misconfigured)
    def from_settings(cls, default: Iterable[tuple[str, str]], **overrides: str | None) -> Reader:
        """The reader that ASPECTS_SUPERSET_READER describes; ``overrides`` that are not None win.

        ``default``: the relations while the setting names none. Raises Misconfigured for an invalid value.
        """
        values = read_mapping(cls, SETTING, Misconfigured, overrides)
        return cls(**{"relations": tuple(default)} | values)

    @property
    def grants(self) -> list[Grant]:
        """The rights to read the relations, one by one."""
        return [Grant(["SELECT"], database, relation) for database, relation in self.relations]

    def statements(self, cluster: str = "") -> list[str]:
        """The statements that create the user, with limits, and let it read the relations and nothing else.

        Run again, they revoke the rights that the user got otherwise, except those of roles.
        ON CLUSTER when ``cluster`` is a name.
        """
        return [
            create_user_statement(self.username, self.password, cluster),
            self.profile_statement(cluster),
            self.quota_statement(cluster),
            self.revoke_statement(cluster),
            *(grant.statement(self.username, cluster) for grant in self.grants),
        ]

    def profile_statement(self, cluster: str = "") -> str:
        """CREATE SETTINGS PROFILE IF NOT EXISTS, with LIMITS for each query."""
        user, limits = quote(self.username), ", ".join(f"{name} = {value}" for name, value in LIMITS.items())
        return f"CREATE SETTINGS PROFILE IF NOT EXISTS {user}{on_cluster(cluster)} SETTINGS {limits} TO {user}"

    def quota_statement(self, cluster: str = "") -> str:
        """CREATE QUOTA IF NOT EXISTS, with the QUOTA of an hour."""
        user, most = quote(self.username), ", ".join(f"{name} = {value}" for name, value in QUOTA.items())
        return f"CREATE QUOTA IF NOT EXISTS {user}{on_cluster(cluster)} FOR INTERVAL 1 hour MAX {most} TO {user}"

    def revoke_statement(self, cluster: str = "") -> str:
        """REVOKE ALL, which leaves roles."""
        return f"REVOKE{on_cluster(cluster)} ALL ON *.* FROM {quote(self.username)}"

    def unreadable(self, grants: Iterable[str]) -> list[str]:
        """The relations, as "database.table", on which no row of SHOW GRANTS gives SELECT."""
        return [f"{grant.database}.{grant.table}" for grant in Rights(grants).missing(self.grants)]

    def excess(self, grants: Iterable[str]) -> list[str]:
        """The rights in the rows of SHOW GRANTS that the reader should not have: "dictGet ON event_sink.*"."""
        rights = Rights(grants)
        return [
            *(f"the role {role}" for role in rights.roles),
            *(
                f"{name} ON {'.'.join(place)}"
                for name, place in rights.granted
                if not (HARMLESS.fullmatch(name) or (name == "SELECT" and place in self.relations))
            ),
        ]
