"""The two users in ClickHouse: the plugin's, and Superset's, each with its rights and no others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.clickhouse.grants import SETTING, Reader, alter_user_statement, create_user_statement
from platform_plugin_aspects.clickhouse.rights import Grant, Rights
from platform_plugin_aspects.operations.doctor.findings import Mark
from platform_plugin_aspects.operations.doctor.reader import NOT_LET_IN, UNKNOWN_USER
from platform_plugin_aspects.operations.provision.step import Change, Step

CONFIG = "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG"
#: The database of Aspects' own reports, whose user is left alone.
OF_ASPECTS = "reporting"


@dataclass(frozen=True)
class Account:
    """A user that shall exist with a password and with rights."""

    username: str
    password: str
    grants: Sequence[Grant]


class UserStep(Step):
    """Creates the user, applies its password, and adds the rights that are missing.

    ``administrator``: the connection that may do so. A password is compared by logging in with it.
    """

    def __init__(self, administrator: Connection, account: Account, cluster: str = ""):
        super().__init__()
        self.administrator = administrator
        self.account = account
        self.cluster = cluster

    @property
    def client(self) -> ClickHouse:
        """The administrator's connection."""
        return get_client(self.administrator)

    def rows(self) -> list[str] | None:
        """The rows of SHOW GRANTS for the user; None if there is no such user."""
        try:
            found = self.client.select(f"SHOW GRANTS FOR {quote(self.account.username)}")
        except Failure as failure:
            if failure.code == UNKNOWN_USER:
                return None
            raise
        return [str(row[0]) for row in found]

    def change(self, text: str, *statements: str) -> None:
        """Add a change."""
        self.changes.append(Change(text, statements))

    def look(self) -> None:
        """See ``Step``."""
        name, password = self.account.username, self.account.password
        rows = self.rows()
        if rows is None:
            self.change(f"create the user {name}", create_user_statement(name, password, self.cluster))
        elif not self._logs_in():
            self.change(f"change the password of {name}", alter_user_statement(name, password, self.cluster))
        self.grant(rows or [])

    def grant(self, rows: Sequence[str]) -> None:
        """Add the changes of the user's rights."""
        name = self.account.username
        for grant in Rights(rows).missing(self.account.grants):
            text = f"grant {', '.join(grant.privileges)} on {grant.database}.{grant.table or '*'} to {name}"
            self.change(text, grant.statement(name, self.cluster))

    def _logs_in(self) -> bool:
        theirs = replace(self.administrator, username=self.account.username, password=self.account.password)
        try:
            ClickHouse(theirs).close()
        except Failure as failure:
            if failure.code in NOT_LET_IN:
                return False
            raise
        return True

    def apply(self) -> None:
        """See ``Step``."""
        for change in self.changes:
            for statement in change.statements:
                self.client.command(statement)


class ReaderStep(UserStep):
    """The same for Superset's user, who gets limits, and loses all other rights.

    ``allowed``: relations that it may read besides those that it gets.
    """

    def __init__(
        self, administrator: Connection, reader: Reader, allowed: Sequence[tuple[str, str]] = (), cluster: str = ""
    ):
        super().__init__(administrator, Account(reader.username, reader.password, reader.grants), cluster)
        self.reader = reader
        self.permitted = replace(reader, relations=(*reader.relations, *allowed))

    def look(self) -> None:
        """See ``Step``."""
        name, rows = self.reader.username, self.rows()
        if any(place[0] == OF_ASPECTS and right != "SELECT" for right, place in Rights(rows or []).granted):
            self.findings.append(
                Mark.PROBLEM(
                    f"The user {name} may change the database {OF_ASPECTS}: Tutor's Aspects uses this user, so it is "
                    "left as it is",
                    f"Name another user for Superset by username in {SETTING}",
                )
            )
            return
        super().look()
        for kind, table, statement in (
            ("settings profile", "settings_profiles", self.reader.profile_statement(self.cluster)),
            ("quota", "quotas", self.reader.quota_statement(self.cluster)),
        ):
            sql = f"SELECT count() FROM system.{table} WHERE name = {{name:String}}"
            if not self.client.select(sql, {"name": name})[0][0]:
                self.change(f"create the {kind} {name}", statement)

    def grant(self, rows: Sequence[str]) -> None:
        """See ``UserStep``; takes other rights away, too."""
        name = self.reader.username
        for role in Rights(rows).roles:
            self.findings.append(
                Mark.PROBLEM(
                    f"The user {name} has the role {role}, whose rights Superset's guests get, too",
                    f"Run in ClickHouse: REVOKE {role} FROM {quote(name)}",
                )
            )
        others = [row for row in rows if " ON " in row]
        if excess := self.permitted.excess(others):
            self.change(f"revoke from {name}: {', '.join(excess)}", self.reader.revoke_statement(self.cluster))
            rows = []
        missing = Rights(rows).missing(self.reader.grants)
        if missing:
            names = ", ".join(f"{grant.database}.{grant.table}" for grant in missing)
            statements = [grant.statement(name, self.cluster) for grant in missing]
            self.change(f"grant SELECT on {names} to {name}", *statements)
