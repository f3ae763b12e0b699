"""Statements about users, profiles, quotas and grants. The embedded engine refuses them, so the endpoint runs them.

The engine's parser turns a statement into its canonical form, so only the few forms that it writes are known here.
Other parts of a server's statements (settings of users, roles, hosts, columns, clusters) are refused, not ignored.
Users, profiles and quotas made here are forgotten when the process ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping

from .engine import Session, quote, quote_name
from .errors import ClickHouseError
from .grants import Grants, HashedPassword, User
from .limits import Limits, Profile, Quota
from .sql import Statement

_NAME = r"(?:\w+|`(?:[^`\\]|\\.)*`)"
_TEXT = r"'((?:[^'\\]|\\.)*)'"
_ACCOUNT = re.compile(
    rb"\s*(?:(?:CREATE|DROP)\s+(?:USER|SETTINGS\s+PROFILE|QUOTA)|ALTER\s+USER|GRANT|REVOKE)\b", re.IGNORECASE
)
_SHOW = re.compile(rb"\s*SHOW\s+GRANTS\b", re.IGNORECASE)
_IDENTIFIED = rf"IDENTIFIED (?:WITH (?:sha256_password|(sha256_hash)) )?BY {_TEXT}(?: SALT {_TEXT})?"
_CREATE = re.compile(rf"CREATE USER (IF NOT EXISTS )?({_NAME}) {_IDENTIFIED}")
_ALTER = re.compile(rf"ALTER USER ({_NAME}) {_IDENTIFIED}")
_DROP = re.compile(rf"DROP USER (IF EXISTS )?({_NAME})")
_GRANT = re.compile(rf"(GRANT|REVOKE) (?!ON )([A-Za-z, ]+) ON ({_NAME})\.({_NAME}|\*) (?:TO|FROM) ({_NAME})")
_REVOKE_ALL = re.compile(rf"REVOKE ALL ON \*\.\* FROM ({_NAME})")
#: Tables of accounts, which the engine shows to nobody.
_LISTED = re.compile(rb"\bsystem\.(settings_profiles|quotas)\b", re.IGNORECASE)
_SHOW_GRANTS = re.compile(rf"SHOW GRANTS(?: FOR ({_NAME}))?(?: FORMAT \w+)?")
_SETTING = r"\w+ = (?:\d+|'\w*')"
_PROFILE = re.compile(
    rf"CREATE SETTINGS PROFILE (IF NOT EXISTS )?({_NAME}) SETTINGS ({_SETTING}(?:, {_SETTING})*) TO ({_NAME})"
)
_MOST = r"(?:queries|execution_time) = \d+"
_QUOTA = re.compile(
    rf"CREATE QUOTA (IF NOT EXISTS )?({_NAME}) FOR INTERVAL (\d+) (minute|hour) "
    rf"MAX ({_MOST}(?:, {_MOST})*) TO ({_NAME})"
)
_SECONDS = {"minute": 60, "hour": 3600}
_DROP_LIMIT = re.compile(rf"DROP (SETTINGS PROFILE|QUOTA) (IF EXISTS )?({_NAME})")

Accounts = MutableMapping[str, tuple[str | HashedPassword, Grants]]


def concerns(statement: Statement) -> bool:
    """Whether the statement is about users."""
    return _ACCOUNT.match(statement.sql) is not None


def shows_grants(statement: Statement) -> bool:
    """Whether the statement asks for somebody's grants."""
    return _SHOW.match(statement.sql) is not None


def grants_query(users: Accounts, user: User, session: Session, statement: Statement) -> bytes:
    """A query with the rows of SHOW GRANTS. Raises ClickHouseError: 192, 497, or 48 for other forms."""
    canonical = _canonical(session, statement)
    found = _SHOW_GRANTS.fullmatch(canonical)
    if found is None:
        raise ClickHouseError(48, f"Not implemented here: {canonical}")
    name = _unquoted(found[1]) if found[1] else user.name
    if name != user.name and not user.is_admin:
        user.need("SHOW USERS", "*")
    if name not in users:
        raise _unknown(name)
    rows = ", ".join(quote(row) for row in _grants_of(name, users[name][1]))
    return f"SELECT arrayJoin(CAST([{rows}] AS Array(String))) AS GRANTS".encode()


def listing(limits: Limits, sql: bytes) -> bytes:
    """The query, with the names of profiles and quotas in place of the tables system.settings_profiles and .quotas."""

    def rows(found: re.Match[bytes]) -> bytes:
        known = limits.quotas if found[1].lower() == b"quotas" else limits.profiles
        names = ", ".join(map(quote, known))
        return f"(SELECT arrayJoin(CAST([{names}] AS Array(String))) AS name)".encode()

    return _LISTED.sub(rows, sql)


def _grants_of(name: str, grants: Grants) -> list[str]:
    """As a server writes them: names in backticks where they need it."""
    if isinstance(grants, str):
        return [f"GRANT ALL ON *.* TO {_shown(name)} WITH GRANT OPTION"]
    places = {where: ".".join(map(_shown, where.split(".", 1))) if "." in where else f"{where}.*" for where in grants}
    return [f"GRANT {', '.join(sorted(grants[where]))} ON {place} TO {_shown(name)}" for where, place in places.items()]


def _shown(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else quote_name(name)


def _canonical(session: Session, statement: Statement) -> str:
    """Raises ClickHouseError 62 for bad syntax."""
    text = quote(statement.text.rstrip("; "))
    (canonical,) = json.loads(session.run(f"SELECT formatQuerySingleLine({text})", "JSONCompactEachRow").body)
    return str(canonical)


def change(users: Accounts, limits: Limits, session: Session, statement: Statement) -> None:
    """Do what the statement says.

    Raises ClickHouseError: 62 for bad syntax, 192 and 493 for a user that is not there, or is; 48 for other forms.
    """
    canonical = _canonical(session, statement)
    if found := _CREATE.fullmatch(canonical):
        _create(users, *found.groups())
    elif found := _ALTER.fullmatch(canonical):
        _alter(users, *found.groups())
    elif found := _DROP.fullmatch(canonical):
        if users.pop(_unquoted(found[2]), None) is None and not found[1]:
            raise _unknown(found[2])
    elif found := _GRANT.fullmatch(canonical):
        _grant(users, *found.groups())
    elif found := _REVOKE_ALL.fullmatch(canonical):
        name = _known(users, found[1])
        password, grants = users[name]
        if not isinstance(grants, str):
            users[name] = (password, {})
    elif found := _PROFILE.fullmatch(canonical):
        if _is_new(limits.profiles, "settings profile", found[1], found[2]):
            profile = Profile(_known(users, found[4]), _values(found[3]))
            limits.profiles[_unquoted(found[2])] = profile
    elif found := _QUOTA.fullmatch(canonical):
        if _is_new(limits.quotas, "quota", found[1], found[2]):
            most = {name: float(value) for name, value in _values(found[5]).items()}
            seconds = int(found[3]) * _SECONDS[found[4]]
            limits.quotas[_unquoted(found[2])] = Quota(_known(users, found[6]), seconds, most)
    elif found := _DROP_LIMIT.fullmatch(canonical):
        known, code = (limits.quotas, 199) if found[1] == "QUOTA" else (limits.profiles, 180)
        if known.pop(_unquoted(found[3]), None) is None and not found[2]:
            raise ClickHouseError(code, f"There is no {found[1].lower()} {found[3]} in user directories")
    else:
        raise ClickHouseError(48, f"Not implemented here: {canonical.partition(' IDENTIFIED ')[0]}")


def _create(users: Accounts, tolerant: str | None, quoted: str, hashed: str | None, secret: str, salt: str) -> None:
    name = _unquoted(quoted)
    if name not in users:
        users[name] = (HashedPassword(secret, salt or "") if hashed else _unescaped(secret), {})
    elif not tolerant:
        raise ClickHouseError(493, f"user `{name}`: cannot insert because user `{name}` already exists")


def _alter(users: Accounts, quoted: str, hashed: str | None, secret: str, salt: str) -> None:
    name = _known(users, quoted)
    users[name] = (HashedPassword(secret, salt or "") if hashed else _unescaped(secret), users[name][1])


def _grant(users: Accounts, verb: str, privileges: str, database: str, table: str, quoted: str) -> None:
    name = _known(users, quoted)
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


def _known(users: Accounts, quoted: str) -> str:
    name = _unquoted(quoted)
    if name not in users:
        raise _unknown(quoted)
    return name


def _is_new(known: Mapping[str, object], kind: str, tolerant: str | None, quoted: str) -> bool:
    exists = _unquoted(quoted) in known
    if exists and not tolerant:
        raise ClickHouseError(493, f"{kind} {quoted}: cannot insert because {kind} {quoted} already exists")
    return not exists


def _values(listed: str) -> dict[str, str]:
    pairs = (pair.split(" = ") for pair in listed.split(", "))
    return {name: value.strip("'") for name, value in pairs}


def _unknown(quoted: str) -> ClickHouseError:
    return ClickHouseError(192, f"There is no user `{_unquoted(quoted)}` in user directories", "UNKNOWN_USER")


def _unquoted(name: str) -> str:
    return _unescaped(name[1:-1]) if name.startswith("`") else name


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
