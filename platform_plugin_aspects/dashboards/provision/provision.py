"""From a bare Superset to boards in it: what is there is read and compared, and only differences are written.

A run may end at any point, and the next one completes it. The order of the steps sees to it: the row rule closes new
datasets right after Superset has them, whatever becomes of the rest. No page shows a board before it is complete. The
plugin's table knows of an object before Superset has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from platform_plugin_aspects.dashboards.bundle.bundle import Bundle
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.dashboards.provision import accounts, connection, content, embedding, removal, row_rule
from platform_plugin_aspects.dashboards.provision.change import Change, Run
from platform_plugin_aspects.dashboards.provision.rights import GUEST_ROLE
from platform_plugin_aspects.dashboards.provision.verify import Problem, verify
from platform_plugin_aspects.dashboards.superset.api import Account, SupersetApi
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.redaction import Hidden

Step = Callable[[Run], Iterator[Change]]
STEPS: tuple[Step, ...] = (
    accounts.service_role,
    accounts.account,
    accounts.guest_role,
    connection.connection,
    accounts.access_to_connection,
    content.owners,
    content.datasets,
    row_rule.row_rule,
    content.content,
    embedding.embedding,
    removal.removal,
    embedding.table,
)


class Provision:
    """The boards of ``bundles`` in the Superset of ``config``, whose account owns them.

    ``database`` is Superset's connection to ClickHouse, with the password apart. ``admin`` is somebody who may make
    roles and row rules; without one, what is new in Superset is refused, and updates go on. ``guest_role`` is
    Superset's GUEST_ROLE_NAME. ``allowed_domains`` are the origins of the pages that show boards; none means all.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        config: SupersetConfig,
        database: DatabaseConnection,
        database_password: str,
        admin: Account | None = None,
        guest_role: str = GUEST_ROLE,
        allowed_domains: Sequence[str] = (),
    ):
        accounts.check_guest_role(guest_role)
        url, timeout = config.internal_service_url, config.timeout_secs
        service = Account(config.username, config.password, "SUPERSET_CONFIG")
        self._run = Run(
            bundles=bundles,
            config=config,
            database=database,
            database_password=Hidden(database_password),
            service=SupersetApi(url, service, timeout),
            admin=SupersetApi(url, admin, timeout) if admin else None,
            guest_role=guest_role,
            allowed_domains=allowed_domains,
        )

    def plan(self) -> list[Change]:
        """The changes that `apply` would make, in order; nothing is written. Raises SupersetError."""
        self._run.refresh()
        return [change for step in STEPS for change in step(self._run)]

    def apply(self, on_change: Callable[[Change], None] = lambda change: None) -> list[Change]:
        """Make the changes, and return them; ``on_change`` is called before each. Raises SupersetError.

        What stands before an error is done, and is not done again by the next run.
        """
        # All of it first: a conflict is said before anything is written.
        self.plan()
        done = []
        for step in STEPS:
            for change in list(step(self._run)):
                on_change(change)
                change.do()
                done.append(change)
        return done

    def verify(self) -> list[Problem]:
        """Look at each board as a guest does; empty where all of them show rows. Raises SupersetError."""
        return verify(self._run)
