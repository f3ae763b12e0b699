"""The relations of the reports, as ``aspects_reports create`` makes them."""

from __future__ import annotations

from dataclasses import replace

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.operations.doctor.findings import Mark, manage
from platform_plugin_aspects.operations.provision.step import Change, Step, Tell
from platform_plugin_aspects.operations.reports import STATEMENT_SECS, remedies
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.state import Status


class RelationsStep(Step):
    """Creates what is missing, and replaces views. ``layout`` has the administrator's connection."""

    def __init__(self, layout: Layout, tell: Tell):
        super().__init__()
        self.layout = layout
        self.tell = tell

    @property
    def reports(self) -> Reports:
        """The reports, with patience for the filling of large tables."""
        return Reports(get_client(replace(self.layout.connection, timeout_secs=STATEMENT_SECS)), self.layout)

    def look(self) -> None:
        """See ``Step``."""
        self.changes = [Change(text) for text in self.reports.due()]

    def apply(self) -> None:
        """See ``Step``."""
        self.reports.create(self._filled)

    def remaining(self) -> None:
        """Find what only a rebuild ends."""
        states = self.reports.states()
        for status, action in remedies(states).items():
            names = ", ".join(state.relation.name for state in states if state.status is status)
            if action == "rebuild" and status is not Status.MISSING:
                self.findings.append(
                    Mark.PROBLEM(f"Relations are {status}: {names}", f"Run {manage(f'aspects_reports {action}')}")
                )

    def _filled(self, relation: str, month: int, number: int, months: int) -> bool:
        self.tell(f"fill {relation} {month // 100}-{month % 100:02} ({number} of {months})")
        return True
