"""CREATE USER, DROP USER, GRANT and REVOKE, which the embedded engine refuses, on the endpoint's own users.

The engine's parser brings a statement into its canonical form, so that the few forms here are those that it writes.
What it would do besides (settings, roles, hosts, columns, clusters) is refused and not left out silently. Users made
here are forgotten when the process ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import MutableMapping

from .engine import Session, quote
from .errors import ClickHouseError
from .grants import Grants, HashedPassword
from .sql import Statement

_NAME = r"(?:\w+|`(?:[^`\\]|\\.)*`)"
_TEXT = r"'((?:[^'\\]|\\.)*)'"
_ACCOUNT = re.compile(rb"\s*(?:(?:CREATE|DROP)\s+USER|GRANT|REVOKE)\b", re.IGNORECASE)
_CREATE = re.compile(
    rf"CREATE USER (IF NOT EXISTS )?({_NAME}) IDENTIFIED (?:WITH (?:sha256_password|(sha256_hash)) )?BY {_TEXT}"
    rf"(?: SALT {_TEXT})?"
)
_DROP = re.compile(rf"DROP USER (IF EXISTS )?({_NAME})")
_GRANT = re.compile(rf"(GRANT|REVOKE) ([A-Z, ]+) ON ({_NAME})\.({_NAME}|\*) (?:TO|FROM) ({_NAME})")

Accounts = MutableMapping[str, tuple[str | HashedPassword, Grants]]


def concerns(statement: Statement) -> bool:
    """Whether the statement is about users."""
    return _ACCOUNT.match(statement.sql) is not None


def change(users: Accounts, session: Session, statement: Statement) -> None:
    """Do what the statement says.

    Raises ClickHouseError: 62 for bad syntax, 192 and 493 for a user that is not there, or is; 48 for other forms.
    """
    text = quote(statement.text.rstrip("; "))
    (canonical,) = json.loads(session.run(f"SELECT formatQuerySingleLine({text})", "JSONCompactEachRow").body)
    if found := _CREATE.fullmatch(canonical):
        _create(users, *found.groups())
    elif found := _DROP.fullmatch(canonical):
        if users.pop(_unquoted(found[2]), None) is None and not found[1]:
            raise _unknown(found[2])
    elif found := _GRANT.fullmatch(canonical):
        _grant(users, *found.groups())
    else:
        raise ClickHouseError(48, f"Not implemented here: {canonical.partition(' IDENTIFIED ')[0]}")


def _create(users: Accounts, tolerant: str | None, quoted: str, hashed: str | None, secret: str, salt: str) -> None:
    name = _unquoted(quoted)
    if name not in users:
        users[name] = (HashedPassword(secret, salt or "") if hashed else _unescaped(secret), {})
    elif not tolerant:
        raise ClickHouseError(493, f"user `{name}`: cannot insert because user `{name}` already exists")


def _grant(users: Accounts, verb: str, privileges: str, database: str, table: str, quoted: str) -> None:
    name = _unquoted(quoted)
    if name not in users:
        raise _unknown(quoted)
    password, grants = users[name]
    if isinstance(grants, str):
        return  # an administrator's rights are not taken away here
    where = _unquoted(database) if table == "*" else f"{_unquoted(database)}.{_unquoted(table)}"
    named = set(privileges.split(", "))
    before = set(grants.get(where, ()))
    if verb == "REVOKE" and not named <= before:
        raise ClickHouseError(48, f"Not implemented here: to revoke what was not granted on {where} itself")
    after = {**grants, where: before | named if verb == "GRANT" else before - named}
    users[name] = (password, {where: names for where, names in after.items() if names})


def _unknown(quoted: str) -> ClickHouseError:
    return ClickHouseError(192, f"There is no user `{_unquoted(quoted)}` in user directories", "UNKNOWN_USER")


def _unquoted(name: str) -> str:
    return _unescaped(name[1:-1]) if name.startswith("`") else name


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
