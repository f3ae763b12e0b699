"""The state of the reports in ClickHouse, for ``aspects_status``, the metrics and ``aspects_check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.conf import settings

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.reporting.layout import Layout, reports_are_on
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.state import State, Status
from platform_plugin_aspects.sinks.registry import names_are_on, relations_of_boards

#: ClickHouse answers in milliseconds; a page or a scrape does not wait for longer.
PATIENCE_SECS = 5
#: How long one statement that fills a relation may take: a month of a large site is read whole.
STATEMENT_SECS = 6 * 3600


@dataclass(frozen=True)
class ReportsStatus:
    """The state of the relations of the reports.

    ``relations``: names by status; statuses without any are left out. ``begun``: those with a rebuild that has begun
    and not ended. ``remedies``: the action of ``aspects_reports`` that ends a status. ``tables``: those of
    stored relations. ``error``: why nothing else is known.
    """

    database: str = ""
    relations: dict[Status, list[str]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    remedies: dict[Status, str] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def is_current(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.error or self.begun or self.relations.keys() - {Status.CURRENT})


def reports_status(connection: Connection | None = None) -> ReportsStatus | None:
    """The state of the reports, or None while they are off. Asks ClickHouse twice."""
    if not reports_are_on():
        return None
    try:
        layout = Layout.from_settings(connection, personal=names_are_on())
        quick = replace(layout.connection, timeout_secs=min(layout.connection.timeout_secs, PATIENCE_SECS))
        return status_of(layout.database, Reports(get_client(quick), layout).states())
    except Failure as failure:
        return ReportsStatus(settings.ASPECTS_REPORTING_DATABASE, error=str(failure))


def status_of(database: str, states: Sequence[State]) -> ReportsStatus:
    """The states by status."""
    by_status = {status: [state.relation.name for state in states if state.status is status] for status in Status}
    relations = {status: names for status, names in by_status.items() if names}
    begun = [state.relation.name for state in states if state.begun]
    tables = [state.table for state in states if state.table]
    return ReportsStatus(database, relations, begun, remedies(states), tables)


def remedies(states: Sequence[State]) -> dict[Status, str]:
    """The action of ``aspects_reports`` that ends each status which is not current. ``create`` replaces views."""
    must = {state.status for state in states if state.relation.is_stored}
    found = {Status.MISSING: "create", Status.OLDER: "create", Status.UNFED: "rebuild"}
    if Status.OLDER in must:
        found[Status.OLDER] = "rebuild"
    return {status: action for status, action in found.items() if any(state.status is status for state in states)}


def views_of_boards(connection: Connection) -> list[tuple[str, str]]:
    """(database, view) of the views that boards read; none while reports are off. Raises Misconfigured."""
    if not reports_are_on():
        return []
    layout = Layout.from_settings(connection, personal=names_are_on())
    return [(layout.database, relation.name) for relation in layout.wanted if relation.is_for_boards]


def relations_of_reader(connection: Connection) -> list[tuple[str, str]]:
    """(database, table or view) of all that Superset's user reads, unless ASPECTS_SUPERSET_READER names others.

    Raises Misconfigured.
    """
    return [*relations_of_boards(connection), *views_of_boards(connection)]
