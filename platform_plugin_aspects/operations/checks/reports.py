"""Checks of the settings of reports."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.operations.checks.check import check, refusals, valid
from platform_plugin_aspects.reporting.layout import database_of, event_days
from platform_plugin_aspects.reporting.rules import Rules


@check("W028", "Correct the setting.")
def check_reporting_settings() -> Iterator[str]:
    """ASPECTS_REPORTING_ENABLED, _DATABASE, _EVENT_DAYS and _RULES are valid."""
    if not isinstance(settings.ASPECTS_REPORTING_ENABLED, bool):
        yield f"ASPECTS_REPORTING_ENABLED is {settings.ASPECTS_REPORTING_ENABLED!r}: it must be True or False."
    # E001 reports a connection that is invalid.
    connection = valid(Connection.from_settings) or Connection()
    yield from refusals(lambda: database_of(connection), event_days, Rules.from_settings)
