"""Reports: whether the relations that boards read are there, of this version, and fed with new statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.errors import UNKNOWN_IDENTIFIER, Failure, Misconfigured
from platform_plugin_aspects.clickhouse.grants import onlooker_grants
from platform_plugin_aspects.operations.doctor.clickhouse import DELETE, PROBES
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, manage
from platform_plugin_aspects.operations.reports import (
    ReportsStatus,
    reports_status,
)
from platform_plugin_aspects.operations.text import counted
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, VIEWS_OF_PAGES, reports_are_on
from platform_plugin_aspects.reporting.state import Status
from platform_plugin_aspects.xapi.addresses import has_addresses


def examine(examination: Examination) -> Iterator[Finding]:
    """Examine the relations. While reports are off, ClickHouse is not asked."""
    if not reports_are_on():
        yield Mark.NOTE(f"Reports are off: {ENABLED_SETTING} is False")
        return
    try:
        connection = examination.connection
    except Misconfigured as failure:
        yield examination.because_of("Settings", "The reports cannot be examined", str(failure))
        return
    status = reports_status(connection)
    if status is None or status.error:
        yield examination.because_of("ClickHouse", "The reports cannot be examined", status.error if status else "")
        return
    # They exist, and are not listed.
    if status.relations.keys() == {Status.MISSING} and _is_refused(
        examination, status, status.relations[Status.MISSING][0]
    ):
        name = connection.credentials[0]
        yield Mark.PROBLEM(
            f"The relations in {status.database} cannot be seen by {name}",
            _grants(status, name, deletes=has_addresses()),
        )
        return
    yield from _relations(status)
    yield from _right_to_read(examination, status)
    if has_addresses():
        yield from _right_to_delete(examination, status)


def _relations(status: ReportsStatus) -> Iterator[Finding]:
    for found, action in status.remedies.items():
        names = status.relations[found]
        yield Mark.PROBLEM(
            f"{counted(len(names), 'relation')} in {status.database} {_are(names)} {found}: {', '.join(names)}",
            f"Run {manage(f'aspects_reports {action}')} as the user who creates the reports",
        )
    if status.begun:
        yield Mark.PROBLEM(
            f"A rebuild of {', '.join(status.begun)} in {status.database} has begun and not ended",
            f"If none is running, resume it with {manage('aspects_reports rebuild')}",
        )
    if status.is_current:
        number = len(status.relations[Status.CURRENT])
        yield Mark.OK(f"The {number} relations in {status.database} are of this version and fed")


def _right_to_read(examination: Examination, status: ReportsStatus) -> Iterator[Finding]:
    """Whether pages can show the numbers of courses."""
    refused = [view for view in VIEWS_OF_PAGES if _is_refused(examination, status, view)]
    if refused:
        name = examination.connection.credentials[0]
        yield Mark.PROBLEM(
            f"ClickHouse refuses {name} to read {' and '.join(refused)} in {status.database}: pages show no numbers",
            _grants(status, name, deletes=has_addresses()),
        )


def _grants(status: ReportsStatus, name: str, *, deletes: bool) -> str:
    """The statements for the rights of the plugin's user."""
    grants = onlooker_grants(status.database, VIEWS_OF_PAGES, deletes=deletes)
    return "; ".join(grant.statement(name) for grant in grants)


def _right_to_delete(examination: Examination, status: ReportsStatus) -> Iterator[Finding]:
    """Whether retirements may delete rows, which hashes of addresses tie to learners."""
    if not status.tables:
        return
    try:
        examination.clickhouse.command(
            PROBES[DELETE].format(table=f"{quote(status.database)}.{quote(status.tables[0])}")
        )
    except Misconfigured as failure:
        if failure.code != UNKNOWN_IDENTIFIER:
            name = examination.connection.credentials[0]
            yield Mark.PROBLEM(
                f"ClickHouse refuses {DELETE} on {status.database} (code {failure.code}): retirements are kept",
                _grants(status, name, deletes=True),
            )


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _is_refused(examination: Examination, status: ReportsStatus, relation: str) -> bool:
    """Whether the plugin's user may not read a relation."""
    with suppress(Failure):
        return examination.clickhouse.refusal(relation, status.database) is not None
    return False
