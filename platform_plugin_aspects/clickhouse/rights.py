"""Rights of users: as GRANT gives them, and as the rows of SHOW GRANTS list them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.schema import on_cluster

#: The wider privileges that include one.
INCLUDED_IN = {
    "ALTER DELETE": {"ALTER TABLE", "ALTER"},
    "SHOW TABLES": {"SHOW"},
}
_NAME = r"(`(?:[^`\\]|\\.)*`|[^.`\s]+)"
_PLACE = re.compile(rf"{_NAME}(?:\.{_NAME})? TO ")
_PRIVILEGE = re.compile(r"([A-Za-z][A-Za-z ]*)(\([^()]*\))?")


@dataclass(frozen=True)
class Grant:
    """Privileges on a database, or on one of its tables."""

    privileges: Sequence[str]
    database: str
    table: str = ""

    @property
    def where(self) -> str:
        """The place, quoted."""
        return f"{quote(self.database)}.{quote(self.table) if self.table else '*'}"

    def statement(self, username: str, cluster: str = "") -> str:
        """The GRANT to a user; ON CLUSTER when ``cluster`` is a name."""
        return f"GRANT{on_cluster(cluster)} {', '.join(self.privileges)} ON {self.where} TO {quote(username)}"


class Rights:
    """The rights in the rows of SHOW GRANTS.

    ``granted``: (privilege, place) pairs, a place being the database and the table.
    ``roles``: the names of granted roles, whose rights are not seen here.
    """

    def __init__(self, rows: Iterable[str]):
        self.granted: list[tuple[str, tuple[str, ...]]] = []
        self.roles: list[str] = []
        #: Privileges on a whole table or more.
        self._whole: set[tuple[str, tuple[str, ...]]] = set()
        for row in rows:
            verb, _space, granted = row.partition(" ")
            if verb != "GRANT":  # REVOKE: an exception to a wider right
                continue
            privileges, _on, rest = granted.partition(" ON ")
            at = _PLACE.match(rest)
            if at is None:
                self.roles.append(granted.partition(" TO ")[0])
                continue
            place = tuple(_unquoted(name) for name in at.groups() if name is not None)
            for found in _PRIVILEGE.finditer(privileges):
                right = (found[1].strip(), place)
                self.granted.append(right)
                if not found[2]:
                    self._whole.add(right)

    def cover(self, privilege: str, database: str, table: str = "") -> bool:
        """Whether one of them gives the privilege on all of the database, or of the table."""
        privileges = {privilege, "ALL", *INCLUDED_IN.get(privilege, ())}
        return any(name in privileges and _includes(place, database, table) for name, place in self._whole)

    def missing(self, wanted: Iterable[Grant]) -> list[Grant]:
        """The wanted ones that are not covered, with the privileges that are missing."""
        found = []
        for grant in wanted:
            lacking = [name for name in grant.privileges if not self.cover(name, grant.database, grant.table)]
            if lacking:
                found.append(Grant(lacking, grant.database, grant.table))
        return found


def _includes(place: tuple[str, ...], database: str, table: str) -> bool:
    where, what = place[0], place[-1]
    is_there = where == database or (where.endswith("*") and database.startswith(where[:-1]))
    return is_there and what in ("*", table or "*")


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1], flags=re.DOTALL) if name.startswith("`") else name
