"""Content of the stand-in for Superset: accounts with roles, connections, datasets, charts, dashboards and row rules.

It keeps the oddities of Superset 6.1 that provisioning has to live with; each was seen on a running one.
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import yaml

MASK = "XXXXXXXXXX"
#: As safe as Superset's, and several times as fast where PyYAML has libyaml.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ADMIN = "Admin"
Right = tuple[str, str]
KINDS = ("dataset", "chart", "dashboard")
#: `can_read` is on more views than a page of a list holds.
MANY = [("can_read", f"View {number}") for number in range(120)]
RIGHTS: list[Right] = [
    *MANY,
    *((f"can_{what}", view) for view in ("Database", "Dataset", "Chart", "Dashboard") for what in ("read", "write")),
    ("can_read", "EmbeddedDashboard"),
    ("can_read", "CurrentUserRestApi"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_read", "ExploreFormDataRestApi"),
    ("can_read", "SecurityRestApi"),
    ("can_grant_guest_token", "SecurityRestApi"),
    ("can_get_embedded", "Dashboard"),
    ("can_set_embedded", "Dashboard"),
    ("can_import_", "ImportExportRestApi"),
    ("can_time_range", "Api"),
    ("can_csv", "Superset"),
    ("can_dashboard", "Superset"),
    ("can_explore_json", "Superset"),
    ("all_datasource_access", "all_datasource_access"),
    ("all_database_access", "all_database_access"),
]


class ImportFailed(Exception):
    """Superset says no more than that, and nothing of the import is kept."""


@dataclass
class ClickHouse:
    """The server that connections of Superset reach: ``users`` with their passwords, at ``place``.

    ``rows``: those of each view.
    """

    place: str = "clickhouse.invalid:8123"
    users: dict[str, str] = field(default_factory=lambda: {"reader": "reader-secret"})
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def fault(self, uri: str) -> str:
        """Why a connection with this address fails, as Superset quotes it; empty if it works."""
        found = re.fullmatch(r"clickhousedb://(.*?):(.*)@([^/]+)/.*", uri)
        assert found, f"{uri} is not an address that provisioning makes"
        username, password, place = found.groups()
        if place != self.place:
            return "Failed to establish a new connection: [Errno 111] Connection refused"
        if self.users.get(username) != unquote(password):
            return f"code: 516, server response: Code: 516. DB::Exception: {username}: Authentication failed"
        return ""


class Objects:
    """Everything by primary key. Rows are dicts, as the lists of the API show them."""

    def __init__(self) -> None:
        self.rights = list(RIGHTS)
        names = (ADMIN, "Public", "Alpha", "Gamma", "sql_lab")
        self.roles: dict[int, dict[str, Any]] = {
            number: {"id": number, "name": name, "rights": set()} for number, name in enumerate(names, 1)
        }
        self.users: dict[int, dict[str, Any]] = {}
        self.databases: dict[int, dict[str, Any]] = {}
        self.dataset: dict[int, dict[str, Any]] = {}
        self.chart: dict[int, dict[str, Any]] = {}
        self.dashboard: dict[int, dict[str, Any]] = {}
        self.embedded: dict[int, dict[str, Any]] = {}
        self.rules: dict[int, dict[str, Any]] = {}
        self.clickhouse = ClickHouse()
        #: The files of each import that was kept.
        self.imports: list[list[str]] = []
        self.add_user("admin", "admin-secret", [1])

    # Accounts

    def add_user(self, username: str, password: str, roles: list[int], **more: Any) -> int:
        number = next_number(self.users)
        self.users[number] = {
            "id": number,
            "username": username,
            "email": f"{username}@example.invalid",
            "active": True,
            "password": password,
            "roles": set(roles),
            **more,
        }
        return number

    def rights_of(self, user: int) -> set[Right]:
        roles = [self.roles[role] for role in self.users[user]["roles"]]
        return (
            set(self.rights).union() if self.is_admin(user) else {right for role in roles for right in role["rights"]}
        )

    def is_admin(self, user: int) -> bool:
        return any(self.roles[role]["name"] == ADMIN for role in self.users[user]["roles"])

    # Content

    def of(self, kind: str) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = getattr(self, kind)
        return found

    def visible(self, kind: str, user: int) -> list[dict[str, Any]]:
        """The rows of a list for somebody: administrators see all, others not the drafts and data of others."""
        rows = list(self.of(kind).values())
        if self.is_admin(user):
            return rows
        return [row for row in rows if user in row["owners"] or self._opened(kind, row, user)]

    def _opened(self, kind: str, row: Mapping[str, Any], user: int) -> bool:
        if kind == "dashboard":
            return bool(row["published"])
        dataset = row if kind == "dataset" else self.dataset[row["dataset"]]
        return self.has_access(self.databases[dataset["database"]], user)

    def has_access(self, database: Mapping[str, Any], user: int) -> bool:
        return self.is_admin(user) or access_to(database) in self.rights_of(user)

    def rows(self, number: int, user: int) -> list[dict[str, Any]] | None:
        """The rows of a dataset that somebody sees; None without access."""
        dataset = self.dataset[number]
        if not self.has_access(self.databases[dataset["database"]], user):
            return None
        roles = self.users[user]["roles"]
        rules = [rule for rule in self.rules.values() if number in rule["tables"] and not roles & rule["roles"]]
        return [] if rules else self.clickhouse.rows.get(dataset["table_name"], [])

    def owns(self, row: Mapping[str, Any], user: int) -> bool:
        return self.is_admin(user) or user in row["owners"]

    def import_assets(self, content: bytes, passwords: Mapping[str, str], sparse: bool, user: int) -> None:
        """All or nothing. Raises ImportFailed."""
        names = ("databases", *KINDS, "rights", "imports")
        kept = {name: copy.deepcopy(getattr(self, name)) for name in names}
        try:
            self._import(content, passwords, sparse, user)
        except Exception as error:
            for name in names:
                setattr(self, name, kept[name])
            raise ImportFailed from error

    def _import(self, content: bytes, passwords: Mapping[str, str], sparse: bool, user: int) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {
                name.partition("/")[2]: yaml.load(archive.read(name), Loader=_LOADER) for name in archive.namelist()
            }
        assert files["metadata.yaml"]["type"] == "assets"
        self.imports.append(sorted(files))
        known = {
            kind: {row["uuid"]: number for number, row in self.of(kind).items()} if sparse else {}
            for kind in ("databases", "dataset", "chart")
        }
        for path, file in files.items():
            if path.startswith("databases/"):
                known["databases"][file["uuid"]] = self._put_database(file, passwords.get(path))
        for path, file in files.items():
            if path.startswith("datasets/"):
                more = {
                    "table_name": file["table_name"],
                    "schema": file["schema"],
                    "database": known["databases"][file["database_uuid"]],
                }
                same = [row for row in self.dataset.values() if row["uuid"] != file["uuid"]]
                assert all((row["table_name"], row["schema"]) != (more["table_name"], more["schema"]) for row in same)
                known["dataset"][file["uuid"]] = self._put("dataset", file["uuid"], user, more)
        for path, file in files.items():
            if path.startswith("charts/"):
                more = {name: file[name] for name in ("slice_name", "query_context")}
                more |= {"params": json.dumps(file["params"]), "dataset": known["dataset"][file["dataset_uuid"]]}
                known["chart"][file["uuid"]] = self._put("chart", file["uuid"], user, more)
        for path, file in files.items():
            if path.startswith("dashboards/"):
                more = {name: file[name] for name in ("dashboard_title", "slug", "published")}
                parts = [part for part in file["position"].values() if isinstance(part, dict)]
                more["charts"] = [known["chart"][part["meta"]["uuid"]] for part in parts if part["type"] == "CHART"]
                self._put("dashboard", file["uuid"], user, more)

    def _put_database(self, file: Mapping[str, Any], password: str | None) -> int:
        row = next((row for row in self.databases.values() if row["uuid"] == file["uuid"]), None)
        others = [other for other in self.databases.values() if other is not row]
        assert all(other["database_name"] != file["database_name"] for other in others)
        options = {name: value for name, value in file.items() if name.startswith(("allow_", "expose_"))}
        options["allow_file_upload"] = options.pop("allow_csv_upload", True)
        number = row["id"] if row else next_number(self.databases)
        held = row["password"] if row else None
        self.databases[number] = {
            "id": number,
            "uuid": file["uuid"],
            "database_name": file["database_name"],
            "uri": file["sqlalchemy_uri"],
            "password": (password or held) if MASK in file["sqlalchemy_uri"] else None,
            **options,
        }
        right = access_to(self.databases[number])
        if right not in self.rights:
            self.rights.append(right)
        return number

    def _put(self, kind: str, uuid: str, user: int, more: Mapping[str, Any]) -> int:
        rows = self.of(kind)
        row = next((row for row in rows.values() if row["uuid"] == uuid), None)
        if row is not None:
            assert self.owns(row, user)
        elif "slug" in more:
            # Superset takes a dashboard with the same slug, whoever it belongs to.
            row = next((row for row in rows.values() if row["slug"] == more["slug"]), None)
        number = row["id"] if row else next_number(rows)
        owners = {*(row["owners"] if row else ()), user}
        rows[number] = {"id": number, "uuid": uuid, "owners": owners, **more}
        return number

    def delete(self, kind: str, number: int) -> None:
        del self.of(kind)[number]
        if kind == "dashboard":
            self.embedded.pop(number, None)
        for rule in self.rules.values() if kind == "dataset" else ():
            rule["tables"].discard(number)

    def embed(self, dashboard: int, domains: list[str]) -> dict[str, Any]:
        known = self.embedded.get(dashboard, {"uuid": str(uuid4())})
        self.embedded[dashboard] = {**known, "allowed_domains": domains}
        return self.embedded[dashboard]


def access_to(database: Mapping[str, Any]) -> Right:
    return "database_access", f"[{database['database_name']}].(id:{database['id']})"


def next_number(rows: Mapping[int, Any]) -> int:
    return max(rows, default=0) + 1
