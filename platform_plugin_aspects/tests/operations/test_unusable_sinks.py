"""The sink of statements is switched on where statements cannot be made: one clear finding, and nothing breaks."""

from __future__ import annotations

from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.operations.checks import TAG
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import why_off
from test_utils.clickhouse_endpoint import READ_WRITE, ClickHouseEndpoint


@pytest.fixture
def switched_on(settings: Any) -> Any:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    return settings


def warnings() -> list[str]:
    """The texts of W025, each with its hint."""
    return [f"{each.msg} {each.hint}" for each in run_checks(tags=[TAG]) if each.id == "platform_plugin_aspects.W025"]


def check(section: str) -> str:
    """The lines of aspects_check on a section."""
    out = StringIO()
    with suppress(CommandError, SystemExit):
        call_command("aspects_check", "--only", section, stdout=out)
    return " ".join(out.getvalue().split())


def test_a_sink_that_can_be_used_is_not_named(switched_on: Any) -> None:
    assert warnings() == []


def test_erb_s_own_switch_is_off(switched_on: Any, db: None) -> None:
    switched_on.XAPI_EVENTS_ENABLED = False
    assert not StatementSink.is_enabled()
    assert warnings() == [
        "EVENT_SINK_CLICKHOUSE_XAPI_ENABLED is True, but the sink xapi is off: XAPI_EVENTS_ENABLED is off. "
        "Set it to True."
    ]
    assert why_off(StatementSink) == "xapi is off: XAPI_EVENTS_ENABLED is off: set it to True"
    assert "xapi: off, though EVENT_SINK_CLICKHOUSE_XAPI_ENABLED is on, because XAPI_EVENTS_ENABLED is off" in check(
        "sinks"
    )


def test_the_app_is_not_installed(switched_on: Any, db: None) -> None:
    switched_on.INSTALLED_APPS = [app for app in switched_on.INSTALLED_APPS if "event_routing_backends" not in app]
    assert not StatementSink.is_enabled()
    assert warnings() == [
        "EVENT_SINK_CLICKHOUSE_XAPI_ENABLED is True, but the sink xapi is off: event_routing_backends is not in "
        "INSTALLED_APPS. Install edx-event-routing-backends where the platform runs."
    ]


def test_a_sink_that_is_off_needs_nothing(settings: Any, db: None) -> None:
    settings.XAPI_EVENTS_ENABLED = False
    assert warnings() == []
    assert not StatementSink.is_enabled()


@pytest.mark.parametrize("actors", ["external_id", "mbox"])
def test_the_table_of_statements_is_looked_at(actors: str, switched_on: Any, clickhouse: ClickHouse, db: None) -> None:
    switched_on.XAPI_AGENT_IFI_TYPE = actors
    assert f"The tables in {clickhouse.connection.xapi_database} are as they should be" in check("clickhouse")
    client = get_client(StatementSink.place(clickhouse.connection))
    client.command(f"ALTER TABLE {client.qualified('xapi_events_all')} MODIFY COLUMN event LowCardinality(String)")
    assert "column event is LowCardinality(String), expected String" in check("clickhouse")
    client.command(f"DROP DATABASE {client.connection.database}")
    said = check("clickhouse")
    assert f"There is no database {client.connection.database}" in said
    rights = {"external_id": "INSERT, SELECT", "mbox": "INSERT, SELECT, ALTER DELETE"}[actors]
    assert f"then GRANT {rights} ON `{client.connection.database}`.`xapi_events_all` TO " in said


def test_a_database_that_is_not_needed_may_be_missing(settings: Any, clickhouse: ClickHouse, db: None) -> None:
    clickhouse.command(f"DROP DATABASE {clickhouse.connection.xapi_database}")
    assert clickhouse.connection.xapi_database not in check("clickhouse")


@pytest.mark.parametrize(("actors", "missing"), [("external_id", "INSERT"), ("mbox", "INSERT, ALTER DELETE")])
def test_missing_rights_are_named(
    actors: str,
    missing: str,
    switched_on: Any,
    clickhouse_http: ClickHouseEndpoint,
    clickhouse: ClickHouse,
    monkeypatch: pytest.MonkeyPatch,
    db: None,
) -> None:
    switched_on.XAPI_AGENT_IFI_TYPE = actors
    rights = {"event_sink*": READ_WRITE, "xapi*": ("SELECT",)}
    monkeypatch.setitem(clickhouse_http.users, "ch_cms", ("password", rights))
    xapi = clickhouse.connection.xapi_database
    assert f"GRANT {missing} ON `{xapi}`.`xapi_events_all` TO `ch_cms`" in check("clickhouse")
