"""One thing that a run changes in Superset, and what the steps of a run share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from platform_plugin_aspects.dashboards.bundle.bundle import Bundle
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, provisioned
from platform_plugin_aspects.dashboards.provision.rights import SERVICE_ROLE, role_id
from platform_plugin_aspects.dashboards.superset.api import SupersetApi
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.redaction import Hidden

DATASET, CHART, DASHBOARD = "dataset", "chart", "dashboard"
#: Kinds of objects that have owners, with the columns of their lists that the steps read.
KINDS = {
    DATASET: ("table_name", "owners.id"),
    CHART: ("slice_name", "owners.id"),
    DASHBOARD: ("slug", "dashboard_title", "owners.id"),
}
NAMES = {DATASET: "table_name", CHART: "slice_name", DASHBOARD: "slug"}


@dataclass(frozen=True)
class Change:
    """Something that Superset does not have as it should: ``text`` says what ``do`` does about it."""

    text: str
    do: Callable[[], None] = field(repr=False, compare=False)


@dataclass
class Run:
    """One run: what Superset should have, and two ways to it. ``admin`` is None where no administrator logs in."""

    bundles: Sequence[Bundle]
    config: SupersetConfig
    database: DatabaseConnection
    database_password: Hidden = field(repr=False)
    service: SupersetApi
    admin: SupersetApi | None
    guest_role: str
    allowed_domains: Sequence[str]
    #: The known ones: primary key of a dashboard -> how it is embedded.
    embeddings: dict[int, dict[str, Any] | None] = field(default_factory=dict, init=False, repr=False)
    #: The files of datasets and of the connection that this run has imported.
    imported: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    @property
    def reader(self) -> SupersetApi:
        """The account that reads: an administrator sees more."""
        return self.admin or self.service

    def wished(self, kind: str) -> dict[str, str]:
        """The UUIDs of the datasets, charts or dashboards that Superset should have, with their names."""
        return {uuid: name for bundle in self.bundles for name, uuid in objects(bundle, kind).items()}

    @cached_property
    def present(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The objects in Superset of these boards and of former ones: kind -> UUID -> row of the list."""
        return {kind: self.read(kind, {*self.wished(kind), *self.former(kind)}) for kind in KINDS}

    def read(self, kind: str, uuids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The objects in Superset with these UUIDs, as `present` has them."""
        return self.reader.by_uuid(kind, uuids, KINDS[kind])

    @cached_property
    def recorded(self) -> tuple[Provisioned, ...]:
        """The plugin's table: what former runs have put into Superset."""
        return provisioned()

    def former(self, kind: str) -> set[str]:
        """The UUIDs that former runs have put there."""
        if kind == DASHBOARD:
            return {row.dashboard_uuid for row in self.recorded}
        return {uuid for row in self.recorded for uuid in (row.datasets if kind == DATASET else row.charts)}

    def number_of(self, dashboard_uuid: str) -> int | None:
        """The primary key of a dashboard; None where Superset does not have it."""
        row = self.present[DASHBOARD].get(dashboard_uuid)
        return int(row["id"]) if row else None

    def embedded(self, dashboard_uuid: str) -> dict[str, Any] | None:
        """How a dashboard is embedded (``uuid``, ``allowed_domains``); None while it is not."""
        number = self.number_of(dashboard_uuid)
        if number is None:
            return None
        if number not in self.embeddings:
            answer = self.reader.get(f"dashboard/{number}/embedded")
            self.embeddings[number] = answer and answer.get("result")
        return self.embeddings[number]

    @cached_property
    def service_id(self) -> int | None:
        """The primary key of the service account; None where it does not exist yet."""
        if self.admin is None:
            return self.service.user_id
        rows = self.admin.rows("security/users/", ["id", "username"], username=("eq", self.config.username))
        return int(rows[0]["id"]) if rows else None

    @property
    def service_role(self) -> int | None:
        """The primary key of the service account's role; None where it does not exist yet. For administrators."""
        return None if self.admin is None else role_id(self.admin, SERVICE_ROLE)

    def refresh(self) -> None:
        """Read everything anew, when it is asked for."""
        self.embeddings.clear()
        self.imported.clear()
        self.forget("present", "recorded", "service_id")

    def forget(self, *names: str) -> None:
        """Read these properties anew, when they are asked for."""
        for name in names:
            self.__dict__.pop(name, None)


def objects(bundle: Bundle, kind: str) -> Mapping[str, str]:
    """Name -> UUID of what a bundle holds of a kind."""
    found: Mapping[str, Mapping[str, str]] = {
        DATASET: bundle.datasets,
        CHART: bundle.charts,
        DASHBOARD: bundle.dashboards,
    }
    return found[kind]


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names for a message: the first few, and how many more."""
    shown = ", ".join(sorted(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
