"""The rights in Superset that the plugin's account and guests of a board need: no more than were seen to be enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from platform_plugin_aspects.dashboards.superset.api import SupersetApi
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured

#: Permission and view menu, as Superset names them.
Right = tuple[str, str]

#: The role of the account in SUPERSET_CONFIG.
SERVICE_ROLE = "Aspects Service"
#: Imports, updates and deletes objects that it owns, embeds dashboards, and grants guest tokens. It reads no data:
#: the row rule is closed for it, too. The right to see the boards' own connection comes on top, see `access_to`.
SERVICE_RIGHTS: frozenset[Right] = frozenset(
    {
        ("can_import_", "ImportExportRestApi"),
        ("can_read", "Database"),
        ("can_write", "Database"),
        ("can_read", "Dataset"),
        ("can_write", "Dataset"),
        ("can_read", "Chart"),
        ("can_write", "Chart"),
        ("can_read", "Dashboard"),
        ("can_write", "Dashboard"),
        ("can_get_embedded", "Dashboard"),
        ("can_set_embedded", "Dashboard"),
        ("can_read", "SecurityRestApi"),
        ("can_grant_guest_token", "SecurityRestApi"),
    }
)

#: The role of guests where the operator names no other.
GUEST_ROLE = "Aspects Guest"
#: The page in a frame asks for these. No dataset: a guest's token opens those of its dashboards' charts and filters.
GUEST_RIGHTS: frozenset[Right] = frozenset(
    {
        ("can_read", "Chart"),
        ("can_read", "Dashboard"),
        ("can_read", "Dataset"),
        ("can_read", "EmbeddedDashboard"),
        ("can_read", "CurrentUserRestApi"),
        ("can_read", "DashboardFilterStateRestApi"),
        ("can_write", "DashboardFilterStateRestApi"),
        ("can_read", "ExploreFormDataRestApi"),
        ("can_get_embedded", "Dashboard"),
        ("can_time_range", "Api"),
        ("can_csv", "Superset"),
        ("can_dashboard", "Superset"),
        ("can_explore_json", "Superset"),
    }
)
#: Superset's own roles, which people have. Guests get another, because the row rule does not apply to their role.
BUILT_IN_ROLES = frozenset({"Admin", "Alpha", "Gamma", "Public", "sql_lab"})
ADMIN_ROLE = "Admin"


def access_to(database_name: str, database_id: int) -> Right:
    """The right to see one connection, which Superset makes with it."""
    return "database_access", f"[{database_name}].(id:{database_id})"


def role_id(api: SupersetApi, name: str) -> int | None:
    """The primary key of a role, None where there is no such role."""
    rows = api.rows("security/roles/", name=("eq", name))
    return int(rows[0]["id"]) if rows else None


def rights_of(api: SupersetApi, role: int) -> dict[Right, int]:
    """The rights of a role, each with its primary key."""
    rows = (api.get(f"security/roles/{role}/permissions/") or {}).get("result", [])
    return {(row["permission_name"], row["view_menu_name"]): int(row["id"]) for row in rows}


def add_rights(api: SupersetApi, role: int, rights: Iterable[Right]) -> None:
    """Give a role these rights beside those that it has. Raises SupersetMisconfigured where Superset lacks one."""
    held = rights_of(api, role)
    ids = {*held.values(), *_ids(api, set(rights) - set(held)).values()}
    api.post(f"security/roles/{role}/permissions", {"permission_view_menu_ids": sorted(ids)})


def _ids(api: SupersetApi, rights: Iterable[Right]) -> Mapping[Right, int]:
    rows = api.rows("security/permissions-resources/", order="id")
    found = {(row["permission"]["name"], row["view_menu"]["name"]): int(row["id"]) for row in rows}
    wanted = set(rights)
    missing = sorted(f"{permission} on {view}" for permission, view in wanted - set(found))
    if missing:
        raise SupersetMisconfigured(
            f"Superset has no right {', '.join(missing)}",
            "run `superset init` there; the boards are made for Superset 6.1",
        )
    return {right: found[right] for right in wanted}
