"""Users, passwords and grants. The embedded engine has none, so they are the endpoint's own.

The rights of a restricted user follow a server's defaults. With any grant on a database its tables may be
described and listed. A short list of system tables is open to everyone; system.parts and system.mutations are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256

from .engine import Session, quote, quote_name
from .errors import ClickHouseError
from .sql import Statement
from .tree import Node, reads_of_expressions, split_name, tree_of

ALL = "all"
READ_WRITE = ("SELECT", "INSERT", "ALTER DELETE")
# ALL, or database (may end in *) or database.table -> names of privileges
Grants = str | Mapping[str, Collection[str]]


@dataclass(frozen=True)
class HashedPassword:
    """A password of which only the SHA-256 of itself and the salt is known, in hexadecimal digits."""

    digest: str
    salt: str = ""


Users = Mapping[str, tuple[str | HashedPassword, Grants]]  # name -> (password, grants)

DEFAULT_USERS: Users = {
    "default": ("", ALL),
    "ch_admin": ("admin-password", ALL),
    "ch_cms": ("password", {"event_sink": READ_WRITE, "xapi": READ_WRITE}),
}

# Readable without a grant where select_from_system_db_requires_grant is on, as in a server's default
# configuration.
_OPEN_SYSTEM_TABLES = frozenset(
    {
        *(
            "one",
            "contributors",
            "licenses",
            "time_zones",
            "collations",
            "formats",
            "privileges",
            "functions",
        ),
        *("data_type_families", "database_engines", "table_engines", "table_functions", "disk_types"),
        *("dictionary_layouts", "aggregate_function_combinators", "completions"),
        *("databases", "tables", "columns", "settings", "current_roles", "enabled_roles", "quota_usage"),
    }
)
_HARMLESS_TABLE_FUNCTIONS = frozenset(
    {
        "generateRandom",
        "generateSeries",
        "generate_series",
        "null",
        "numbers",
        "numbers_mt",
        "values",
        "zeros",
    }
)
# The columns that name database and table in the system tables that hide what a user has no grant for.
_NAMING_COLUMNS = {
    "system.databases": ("name", ""),
    "system.tables": ("database", "name"),
    "system.columns": ("database", "table"),
}

# Root of the syntax tree -> the privilege. None of these can be in READ_WRITE.
_PRIVILEGES = {
    "CheckQuery": "CHECK",
    "KillQueryQuery": "KILL QUERY",
    "OptimizeQuery": "OPTIMIZE",
    "Rename": "ALTER TABLE",
    "SYSTEM": "SYSTEM",
    "TruncateQuery": "TRUNCATE",
    "UndropQuery": "UNDROP TABLE",
    "UpdateQuery": "ALTER UPDATE",
}
# CREATE and DROP need rights of their own for each kind of object.
_DDL = re.compile(
    r"\s*(CREATE|DROP)\s+(OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?(DATABASE|TABLE|VIEW|DICTIONARY)\b", re.IGNORECASE
)
# Alter commands whose right has another name than they have.
_ALTERS = {"MODIFY TTL": "TTL", "REMOVE TTL": "TTL"}
_FREE = frozenset(
    {"Set", "UseQuery", "ShowTables", "ShowColumns", "ShowIndexes", "ShowGrantsQuery", "ShowProcesslistQuery"}
)
_SHOW = frozenset(
    {
        "ExistsDatabaseQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "ShowCreateDatabaseQuery",
        "ShowCreateTableQuery",
    }
)


@dataclass(frozen=True)
class User:
    """Somebody who has given the right password."""

    name: str
    grants: Grants

    @property
    def is_admin(self) -> bool:
        return self.grants == ALL

    def may(self, privilege: str, database: str, table: str = "*") -> bool:
        if isinstance(self.grants, str):
            return self.is_admin
        return any(
            (fnmatchcase(database, pattern) or pattern == f"{database}.{table}")
            and (not privilege or privilege in names)
            for pattern, names in self.grants.items()
        )

    def need(self, privilege: str, database: str, table: str = "*", *, granted: str | None = None) -> None:
        """Raise ClickHouseError 497 unless `privilege` (or `granted` in its place) is granted."""
        if not self.may(privilege if granted is None else granted, database, table):
            raise ClickHouseError(
                497,
                f"{self.name}: Not enough privileges. To execute this query, it's necessary to have "
                f"the grant {privilege} ON {database}.{table}",
            )


def authenticate(users: Users, name: str, password: str) -> User:
    """Raises ClickHouseError 516 for an unknown user or another password."""
    known = users.get(name)
    if known is None or not _is_password(known[0], password):
        raise ClickHouseError(
            516, f"{name}: Authentication failed: password is incorrect, or there is no user with such name"
        )
    return User(name, known[1])


def _is_password(secret: str | HashedPassword, password: str) -> bool:
    if isinstance(secret, HashedPassword):
        return sha256((password + secret.salt).encode()).hexdigest() == secret.digest.lower()
    return password == secret


def load_users(text: str) -> Users:
    """Users from JSON: {name: [password, "all" or {database: [privilege, ...]}]}. Raises ValueError."""
    users = json.loads(text)
    for name, entry in users.items():
        if not (isinstance(entry, list) and len(entry) == 2 and (entry[1] == ALL or isinstance(entry[1], dict))):
            raise ValueError(f'User {name!r}: give [password, "all" or {{database: [privilege, ...]}}], not {entry!r}.')
    return {name: (password, grants) for name, (password, grants) in users.items()}


def check(session: Session, user: User, statement: Statement, params: Mapping[str, str]) -> None:
    """Refuse what `user` has no grant for, and hide other databases from them for the rest of the session.

    Raises ClickHouseError: 497, or what the engine says to a statement that it cannot parse.
    """
    if isinstance(user.grants, str):
        return
    current = session.run("SELECT currentDatabase()").body.decode().strip()
    tree = tree_of(session, statement.sql, params)
    _check_verb(session, user, tree, current, statement.text)
    _check_reads(session, user, tree, current, statement.text)
    session.set({"additional_table_filters": _filters(user.grants)})


def _exists(session: Session, database: str, table: str) -> bool:
    """A server looks for the table of a SELECT or INSERT before it looks at the grants."""
    return session.run(f"EXISTS TABLE {quote_name(database)}.{quote_name(table)}").body == b"1\n"


def _check_verb(session: Session, user: User, tree: Node, current: str, text: str) -> None:
    database, table = tree.target(current)
    if tree.kind == "InsertQuery":
        if tree.children[0].kind == "Function":
            user.need("CREATE TEMPORARY TABLE", "*")
        elif user.may("INSERT", database, table) or _exists(session, database, table):
            user.need("INSERT", database, table)
    elif tree.kind == "DeleteQuery":
        user.need("ALTER DELETE", database, table)
    elif tree.kind == "AlterQuery":
        for command in tree.walk():
            if command.kind == "AlterCommand":
                name = command.rest.replace("_", " ")
                user.need(f"ALTER {_ALTERS.get(name, name)}", database, table)
    elif tree.kind in _SHOW:
        is_table = "Table" in tree.kind or "View" in tree.kind
        user.need("SHOW TABLES" if is_table else "SHOW DATABASES", database if is_table else table, granted="")
    elif tree.kind in ("CreateQuery", "DropQuery"):
        _check_ddl(user, text, database, table)
    elif tree.kind in _PRIVILEGES:
        user.need(_PRIVILEGES[tree.kind], database, table)
    elif tree.kind not in _FREE | {"SelectWithUnionQuery", "DescribeQuery", "Explain"}:
        user.need(tree.kind, "*")


def _check_ddl(user: User, text: str, database: str, table: str) -> None:
    """CREATE and DROP of databases, tables and views, each with a right of its own."""
    found = _DDL.match(text)
    if found is None:
        user.need(text.split()[0].upper(), database, table)
        return
    verb, replaces, what = found[1].upper(), found[2], found[3].upper()
    where = (table, "*") if what == "DATABASE" else (database, table)
    for right in (verb, "DROP") if replaces else (verb,):
        user.need(f"{right} {what}", *where)


def _check_reads(session: Session, user: User, tree: Node, current: str, text: str) -> None:
    describes = tree.kind == "DescribeQuery"
    privilege, granted = ("SHOW COLUMNS", "") if describes else ("SELECT", "SELECT")
    local_names = {name.lower() for name in re.findall(r"(\w+)[`\"]?\s+AS\s*\(", text, re.IGNORECASE)}

    def check_table(name: str) -> None:
        database, table = split_name(name, current)
        if "." not in name and table.lower() in local_names:  # WITH name AS (...)
            return
        if database == "system" and table in _OPEN_SYSTEM_TABLES:
            return
        if database.lower() == "information_schema":
            return
        if describes or user.may(granted, database, table) or _exists(session, database, table):
            user.need(privilege, database, table, granted=granted)
        if not describes:
            _check_view(session, user, database, table)

    for node in tree.walk():
        if node.kind == "TableIdentifier":
            check_table(node.rest)
        elif node.kind == "TableExpression":
            for child in node.children:
                if child.kind == "Function" and child.rest not in _HARMLESS_TABLE_FUNCTIONS:
                    user.need("CREATE TEMPORARY TABLE", "*")
    for needed, name in reads_of_expressions(tree):
        if needed == "SELECT" and name != "*":
            check_table(name)
        else:
            user.need(needed, *(split_name(name, current) if name != "*" else ("*",)))


def _check_view(session: Session, user: User, database: str, table: str) -> None:
    """A view reads with the rights of who asks (SQL SECURITY INVOKER), unless its definition says otherwise."""
    asked = (
        "SELECT as_select, position(create_table_query, 'SQL SECURITY DEFINER') "
        "+ position(create_table_query, 'SQL SECURITY NONE') FROM system.tables "
        f"WHERE database = {quote(database)} AND name = {quote(table)} AND engine = 'View'"
    )
    found = session.run(asked, "JSONCompactEachRow").body
    if found:
        as_select, is_trusted = json.loads(found)
        if not int(is_trusted):
            _check_reads(session, user, tree_of(session, as_select.encode(), {}), database, as_select)


def _filters(grants: Mapping[str, Collection[str]]) -> str:
    """The setting additional_table_filters that lets only what is granted be listed."""
    entries = []
    for system_table, columns in _NAMING_COLUMNS.items():
        conditions = [f"{columns[0]} = 'system'", *(_listed(pattern, *columns) for pattern in grants)]
        entries.append(f"{quote(system_table)}: {quote(' OR '.join(conditions))}")
    return "{" + ", ".join(entries) + "}"


def _listed(pattern: str, database_column: str, table_column: str) -> str:
    """The condition under which a grant on `pattern` lets a row of a system table be seen."""
    database, _, table = pattern.partition(".")
    if database.endswith("*"):
        return f"startsWith({database_column}, {quote(database[:-1])})"
    condition = f"{database_column} = {quote(database)}"
    return f"({condition} AND {table_column} = {quote(table)})" if table and table_column else condition
