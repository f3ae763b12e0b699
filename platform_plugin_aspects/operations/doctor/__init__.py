"""The doctor behind ``aspects_check``: why are the dashboards empty?

Each section is a module whose ``examine`` yields findings. They are in the order in which data flows, so the first
problem is the one to fix first. Consequences of an earlier problem are notes or skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType

from django.db import Error as DatabaseError

from platform_plugin_aspects.errors import where_raised
from platform_plugin_aspects.operations.doctor import (
    boards,
    clickhouse,
    delivery,
    events,
    filters,
    freshness,
    platform,
    reports,
    settings,
    sinks,
    superset,
    workers,
)
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark

SETTINGS, PLATFORM = "Settings", "Platform"
SECTIONS: Mapping[str, Callable[[Examination], Iterator[Finding]]] = {
    SETTINGS: settings.examine,
    PLATFORM: platform.examine,
    "Sinks": sinks.examine,
    "ClickHouse": clickhouse.examine,
    "Workers": workers.examine,
    "Delivery": delivery.examine,
    "Events": events.examine,
    "Reports": reports.examine,
    "Freshness": freshness.examine,
    "Filters": filters.examine,
    "Superset": superset.examine,
    "Boards": boards.examine,
}


def diagnose(
    examination: Examination,
    only: Collection[str] = (),
    more: Mapping[str, Callable[[Examination], Iterator[Finding]]] = MappingProxyType({}),
) -> Iterator[tuple[str, list[Finding]]]:
    """Examine all sections, or ``only`` those of these titles, and ``more``; yields (title, findings) of each."""
    chosen = {title: examine for title, examine in SECTIONS.items() if not only or title in only}
    for title, examine in {**chosen, **more}.items():
        findings = examination.found[title] = []
        try:
            for finding in examine(examination):
                findings.append(finding)
        except Exception as error:
            findings.append(_crashed(error, examination))
        yield title, findings


def _crashed(error: Exception, examination: Examination) -> Finding:
    """The finding of a section that raised. If settings or the database are broken, that may be a consequence."""
    place = where_raised(error)
    for cause in (SETTINGS, PLATFORM):
        if examination.has_problem(cause):
            return Mark.SKIPPED(f"This cannot be looked at ({place}): see {cause} first")
    if isinstance(error, DatabaseError) and PLATFORM not in examination.found:
        return examination.because_of(PLATFORM, "This cannot be looked at", f"The platform's database fails ({place})")
    return Mark.CRASHED(place, "Report this as a bug of the plugin")
