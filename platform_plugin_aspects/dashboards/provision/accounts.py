"""The service account with its role, and the role of guests: an administrator's work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from platform_plugin_aspects.dashboards.provision.change import Change, Run, listed
from platform_plugin_aspects.dashboards.provision.rights import (
    ADMIN_ROLE,
    BUILT_IN_ROLES,
    GUEST_RIGHTS,
    SERVICE_RIGHTS,
    SERVICE_ROLE,
    Right,
    access_to,
    add_rights,
    rights_of,
    role_id,
)
from platform_plugin_aspects.dashboards.superset.api import SupersetApi, WrongPassword
from platform_plugin_aspects.dashboards.superset.errors import SupersetConflict, SupersetMisconfigured
from platform_plugin_aspects.redaction import Hidden


def check_guest_role(name: str) -> None:
    """Raise SupersetMisconfigured for a role that people have."""
    if name in BUILT_IN_ROLES:
        raise SupersetMisconfigured(
            f"{name!r} is a role of Superset's own, which people may have",
            "name a role for guests alone: the rule that closes the boards' data does not apply to it",
        )


def service_role(run: Run) -> Iterator[Change]:
    """The role of the service account."""
    if run.admin is not None:
        yield from _role(run.admin, SERVICE_ROLE, SERVICE_RIGHTS)


def guest_role(run: Run) -> Iterator[Change]:
    """The role of guests. Rights that it has beside those of the table stay: they are an operator's."""
    if run.admin is None:
        return
    role = role_id(run.admin, run.guest_role)
    people = run.admin.rows("security/users/", ["id", "username"], roles=("rel_m_m", role)) if role else []
    if people:
        raise SupersetConflict(
            f"{len(people)} accounts in Superset have the role {run.guest_role!r} of guests, for whom the boards' data "
            "is open",
            "take the role from them, or name another role with --guest_role",
        )
    yield from _role(run.admin, run.guest_role, GUEST_RIGHTS)


def access_to_connection(run: Run) -> Iterator[Change]:
    """The service account's right to see the boards' connection, and no other."""
    if run.admin is None:
        return
    role = run.service_role
    rows = run.admin.by_uuid("database", [run.database.uuid], ["database_name"])
    known = rows.get(run.database.uuid)
    if role and known and access_to(known["database_name"], known["id"]) in rights_of(run.admin, role):
        return
    yield Change(
        f"let the role {SERVICE_ROLE!r} use the connection {run.database.name!r}",
        lambda: _let_use_connection(run),
    )


def account(run: Run) -> Iterator[Change]:
    """The service account. Without an administrator, it must be there, with the password of SUPERSET_CONFIG."""
    if run.admin is None:
        run.service.log_in()
        return
    username = run.config.username
    rows = run.admin.rows(
        "security/users/", ["id", "username", "active", "roles.id", "roles.name"], username=("eq", username)
    )
    if not rows:
        yield Change(f"create the account {username!r} with the role {SERVICE_ROLE!r}", lambda: _create_account(run))
        return
    (user,) = rows
    held = {role["name"]: int(role["id"]) for role in user["roles"]}
    is_ours = SERVICE_ROLE in held
    if not is_ours and ADMIN_ROLE not in held:
        yield Change(f"give the account {username!r} the role {SERVICE_ROLE!r}", lambda: _add_role(run, user))
    if user["active"] and _can_log_in(run.service):
        return
    if not is_ours:
        state = "is there with another password" if user["active"] else "is there and is not active"
        raise SupersetConflict(
            f"The account {username!r} of SUPERSET_CONFIG {state}",
            "correct username and password in SUPERSET_CONFIG, or name there an account that does not exist yet",
        )
    yield Change(
        f"set the password of the account {username!r} to that of SUPERSET_CONFIG, and activate it",
        lambda: _activate(run, user),
    )


def _role(admin: SupersetApi, name: str, wanted: Iterable[Right]) -> Iterator[Change]:
    role = role_id(admin, name)
    if role is None:
        yield Change(
            f"create the role {name!r} with {len(set(wanted))} rights", lambda: _make_role(admin, name, wanted)
        )
        return
    missing = set(wanted) - set(rights_of(admin, role))
    if missing:
        texts = [f"{permission} on {view}" for permission, view in missing]
        yield Change(f"give the role {name!r} {listed(texts)}", lambda: add_rights(admin, role, wanted))


def _make_role(admin: SupersetApi, name: str, wanted: Iterable[Right]) -> None:
    add_rights(admin, int(admin.post("security/roles/", {"name": name})["id"]), wanted)


def _let_use_connection(run: Run) -> None:
    assert run.admin is not None
    role = run.service_role
    rows = run.admin.by_uuid("database", [run.database.uuid], ["database_name"])
    if role is None or not rows:
        raise SupersetConflict("The connection or the role is gone again", "run the command again")
    (row,) = rows.values()
    add_rights(run.admin, role, [access_to(row["database_name"], row["id"])])


def _create_account(run: Run) -> None:
    assert run.admin is not None
    run.forget("service_id")
    username = run.config.username
    run.admin.post(
        "security/users/",
        {
            "username": username,
            "password": Hidden(run.config.password),
            "first_name": "Open edX",
            "last_name": "Aspects",
            # Superset wants one, unlike all others, and sends nothing there.
            "email": f"{username.replace('@', '.')}@aspects.invalid",
            "active": True,
            "roles": [run.service_role],
        },
    )


def _add_role(run: Run, user: dict[str, Any]) -> None:
    assert run.admin is not None
    roles = {int(role["id"]) for role in user["roles"]}
    run.admin.put(f"security/users/{user['id']}", {"roles": sorted({*roles, run.service_role or 0})})


def _activate(run: Run, user: dict[str, Any]) -> None:
    assert run.admin is not None
    run.admin.put(f"security/users/{user['id']}", {"active": True, "password": Hidden(run.config.password)})


def _can_log_in(api: SupersetApi) -> bool:
    try:
        api.log_in()
    except WrongPassword:
        return False
    return True
