"""The row rule that closes the boards' data for people who log in to Superset: they see no row of any dataset.

Guests are not concerned: their token's clauses choose the rows of a course. Neither are administrators of Superset.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from platform_plugin_aspects.dashboards.provision.change import DATASET, Change, Run
from platform_plugin_aspects.dashboards.provision.rights import ADMIN_ROLE, role_id
from platform_plugin_aspects.dashboards.superset.errors import SupersetConflict

NAME = "Aspects boards: closed"
CLAUSE = "1 = 0"
ABOUT = (
    "Made by aspects_provision. People who log in to Superset see no row of these datasets. Boards in the LMS and "
    "Studio show the rows of their course. To open datasets for a role, add it to the excluded roles."
)


def row_rule(run: Run) -> Iterator[Change]:
    """The rule, on every dataset of the boards. It keeps the datasets and the excluded roles that it has already.

    Without an administrator it cannot be read. No dataset is new then, because new ones are refused without one.
    """
    if run.admin is None:
        return
    tables = _tables(run)
    missing = set(run.wished(DATASET)) - set(run.present[DATASET])
    number = _number(run)
    if number is None:
        yield Change(
            f"close {len(tables) + len(missing)} datasets for people who log in to Superset (row rule {NAME!r})",
            lambda: _write(run),
        )
        return
    rule = (run.admin.get(f"rowlevelsecurity/{number}") or {}).get("result", {})
    faults = []
    held = {int(table["id"]) for table in rule.get("tables", ())}
    if (added := len(missing) + len(tables - held)) > 0:
        faults.append(f"add {added} dataset{'s' if added > 1 else ''}")
    if not {ADMIN_ROLE, run.guest_role} <= {role["name"] for role in rule.get("roles", ())}:
        faults.append(f"exclude the roles {ADMIN_ROLE!r} and {run.guest_role!r}")
    if (rule.get("clause"), rule.get("filter_type")) != (CLAUSE, "Base"):
        faults.append(f"make its clause {CLAUSE!r} for everybody else")
    if faults:
        yield Change(f"correct the row rule {NAME!r}: {', '.join(faults)}", lambda: _write(run))


def _tables(run: Run) -> set[int]:
    wished = run.wished(DATASET)
    return {int(row["id"]) for uuid, row in run.present[DATASET].items() if uuid in wished}


def _number(run: Run) -> int | None:
    assert run.admin is not None
    rows = run.admin.rows("rowlevelsecurity/", ["id", "name"], name=("eq", NAME))
    return int(rows[0]["id"]) if rows else None


def _write(run: Run) -> None:
    assert run.admin is not None
    roles = []
    for name in (ADMIN_ROLE, run.guest_role):
        role = role_id(run.admin, name)
        if role is None:
            raise SupersetConflict(f"Superset has no role {name!r} any more", "run the command again")
        roles.append(role)
    body: dict[str, Any] = {
        "name": NAME,
        "description": ABOUT,
        "filter_type": "Base",
        "clause": CLAUSE,
        "group_key": "",
    }
    number = _number(run)
    if number is None:
        run.admin.post("rowlevelsecurity/", {**body, "tables": sorted(_tables(run)), "roles": roles})
        return
    rule = (run.admin.get(f"rowlevelsecurity/{number}") or {}).get("result", {})
    roles += [int(role["id"]) for role in rule.get("roles", ())]
    # Datasets of former versions, which charts of others use, and those that an operator has added.
    tables = _tables(run) | {int(table["id"]) for table in rule.get("tables", ())}
    # All of it: Superset empties the roles and tables that a change does not name.
    run.admin.put(f"rowlevelsecurity/{number}", {**body, "tables": sorted(tables), "roles": sorted(set(roles))})
