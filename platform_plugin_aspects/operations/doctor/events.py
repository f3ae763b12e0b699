"""Learning events have one writer: neither Ralph nor Vector writes statements of the same events beside the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connections, router
from django.utils import timezone

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.operations.checks.events import HOW_TO
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import is_on

ROUTERS = ("event_routing_backends", "RouterConfiguration")
#: Databases of Tutor's Aspects, and who writes statements to them.
WRITERS = {"xapi": "Ralph", "openedx": "Vector"}
#: A table is being written to if it has a statement of an event as new as this.
LATELY = timedelta(hours=1)


def examine(examination: Examination) -> Iterator[Finding]:
    """Other writers of statements; nothing while learning events are off."""
    if not is_on(StatementSink):
        yield Finding(Mark.NOTE, "Learning events are off")
        return
    found = [*_routers(), *_tables(examination)]
    yield from found
    # Each finding is another writer, or a place that could not be examined.
    if not found:
        yield Finding(Mark.OK, "No other writer of learning events is seen")


def _routers() -> Iterator[Finding]:
    """The enabled routers of edx-event-routing-backends, which send statements to Ralph or another store."""
    if not apps.is_installed(ROUTERS[0]):
        return
    model: Any = apps.get_model(*ROUTERS)
    try:
        if model._meta.db_table not in connections[router.db_for_read(model)].introspection.table_names():
            yield Finding(
                Mark.PROBLEM,
                "The tables of edx-event-routing-backends are missing: its migrations have not run",
                f"Run {manage(f'migrate {ROUTERS[0]}')}",
            )
            return
        enabled = model.objects.current_set().filter(enabled=True, backend_name__iexact="xapi").count()
    except DatabaseError as error:
        yield Finding(
            Mark.NOTE,
            f"The routers of edx-event-routing-backends cannot be read ({type(error).__name__}): not examined",
            f"See that the platform's database answers, and run {manage(f'migrate {ROUTERS[0]}')}",
        )
        return
    if enabled:
        yield Finding(
            Mark.PROBLEM,
            f"{enabled} enabled RouterConfiguration of edx-event-routing-backends for xAPI: its store gets statements "
            "of the same events, with other ids",
            f"Disable it in the admin site under Event routing backends: {HOW_TO}",
        )


def _tables(examination: Examination) -> Iterator[Finding]:
    """The databases of Ralph and Vector to which somebody writes beside ours."""
    try:
        ours = StatementSink.place(examination.connection).database
        for database in WRITERS.keys() - {ours}:
            newest = _newest(examination, database)
            if newest is not None and newest > timezone.now() - LATELY:
                yield Finding(
                    Mark.PROBLEM,
                    f"{WRITERS[database]}'s database {database} has statements of the last hour: the same events are "
                    f"written there and to {ours}",
                    capitalized(f"{HOW_TO}"),
                )
    except Failure as failure:
        yield examination.because_of("ClickHouse", "Other databases cannot be examined", str(failure))


def _newest(examination: Examination, database: str) -> datetime | None:
    """The moment of the newest statement in a database; None without one, or without the right to see its table."""
    client = examination.clickhouse
    table = examination.connection.xapi_table
    there = client.select(
        "SELECT count() FROM system.tables WHERE database = {database:String} AND name = {table:String}",
        {"database": database, "table": table},
    )
    if not there[0][0]:
        return None
    # The end of its sorting key.
    place = f"{quote(database)}.{quote(table)}"
    found = client.select(f"SELECT emission_time FROM {place} ORDER BY emission_time DESC LIMIT 1")
    return found[0][0].replace(tzinfo=UTC) if found else None
