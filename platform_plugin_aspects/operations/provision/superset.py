"""The boards in Superset: what the settings say, for ``dashboards.provision.provision``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.grants import SETTING, Reader
from platform_plugin_aspects.dashboards.boards.catalog import boards
from platform_plugin_aspects.dashboards.boards.parts import InvalidBoard
from platform_plugin_aspects.dashboards.bundle.bundle import Bundle, bundle, languages
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.own_boards.own_boards import UnusableBoard, own_boards, own_bundles
from platform_plugin_aspects.dashboards.provision.provision import Provision
from platform_plugin_aspects.dashboards.superset.api import Account, SupersetApi
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig, is_configured
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.operations.page_addresses import origins
from platform_plugin_aspects.operations.provision.standing import standing
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, reports_are_on
from platform_plugin_aspects.sinks.registry import names_are_on


def why_without() -> tuple[str, str]:
    """Why this site can have no boards in Superset, and what to do; empty texts where it can have some."""
    if not is_configured():
        return "SUPERSET_CONFIG is not set", "Set it in LMS and CMS to show boards in Superset"
    if not reports_are_on():
        return f"{ENABLED_SETTING} is False", f"Set {ENABLED_SETTING} to True in LMS and CMS"
    place = Connection.from_settings()
    if place.embedded_path is not None:
        return (
            f"Superset cannot read {place.place}, which is the embedded engine",
            "Name a server by url in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
        )
    if not Reader.from_settings(()).password:
        return f"{SETTING} has no password, with which Superset reads", f"Set username and password in {SETTING}"
    return "", ""


@dataclass(frozen=True)
class SupersetPart:
    """Superset according to the settings: the plugin's boards in each language, the site's own, and their reader.

    ``faults``: texts on boards of the site's own that are left out. ``standing``: slugs of those of them that Superset
    keeps.
    """

    config: SupersetConfig
    database: DatabaseConnection
    password: str = field(repr=False)
    bundles: Sequence[Bundle]
    faults: Sequence[str] = ()
    standing: Collection[str] = ()

    @classmethod
    def from_settings(cls, *, tolerant: bool = False) -> SupersetPart:
        """The part as configured. Raises SupersetMisconfigured, also for ``faults`` unless it is ``tolerant``."""
        problem, remedy = why_without()
        if problem:
            raise SupersetMisconfigured(problem, remedy)
        reader = Reader.from_settings(())
        try:
            database = DatabaseConnection.from_settings(reader.username, reader.url)
        except Misconfigured as failure:
            raise SupersetMisconfigured(str(failure)) from None
        chosen = boards(personal=names_are_on())
        try:
            kept = own_boards()
            if kept.problems and not tolerant:
                raise UnusableBoard(kept.problems)
        except UnusableBoard as error:
            raise SupersetMisconfigured(" ".join(error.problems)) from None
        try:
            # Texts of views name the rules.
            bundles = [bundle(chosen, language, database) for language in languages()]
        except (InvalidBoard, Misconfigured) as failure:
            raise SupersetMisconfigured(str(failure)) from None
        return cls(
            SupersetConfig.from_settings(),
            database,
            reader.password,
            [*bundles, *own_bundles(kept, database)],
            kept.problems,
            kept.standing,
        )

    def provision(self, administrator: Account | None = None, guest_role: str = "") -> Provision:
        """The comparison with Superset. Without an ``administrator``, only what was there before can be updated.

        Raises SupersetError.
        """
        config = self.config
        account = administrator or Account(config.username, config.password, "SUPERSET_CONFIG")
        superset = SupersetApi(config.internal_service_url, account, config.timeout_secs)
        return Provision(
            [*self.bundles, *(standing(self.standing, superset) if self.standing else ())],
            config=self.config,
            database=self.database,
            database_password=self.password,
            admin=administrator,
            guest_role=guest_role or self.config.guest_role,
            allowed_domains=origins(),
        )
