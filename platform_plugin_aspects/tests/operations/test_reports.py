"""Reports in aspects_check, aspects_status and the metrics: nothing while they are off, or else the remedy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.operations.checks import TAG
from platform_plugin_aspects.operations.doctor import reports as section
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark
from platform_plugin_aspects.reporting.layout import Layout, table_name
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.commands import ended
from platform_plugin_aspects.tests.reporting.fixtures import own_reports, reporting_database  # noqa: F401
from test_utils.clickhouse_endpoint import READ_WRITE, ClickHouseEndpoint
from test_utils.factories import make_user

#: The views that the plugin's user reads for pages.
PAGES = ("course_summary", "course_summary_before")

pytestmark = pytest.mark.django_db


@pytest.fixture
def on(settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True


def findings() -> list[Finding]:
    return list(section.examine(Examination()))


def status_lines() -> list[str]:
    """The lines of aspects_status about reports."""
    code, out, _err = ended("aspects_status")
    assert code == 0
    lines = out.splitlines()
    return [line for at, line in enumerate(lines) if "reports" in line or (at and "reports:" in lines[at - 1])]


def scraped() -> dict[str, float]:
    """The metrics of reports, those of relations by their state."""
    client = Client()
    client.force_login(make_user(is_staff=True))
    text = client.get("/aspects/metrics").content.decode()
    return {
        sample.labels.get("state", sample.name): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("aspects_reports")
    }


def serve(
    settings: Any, endpoint: ClickHouseEndpoint, monkeypatch: pytest.MonkeyPatch, *names: str, views: Sequence[str] = ()
) -> None:
    """Use a server, whose user of the plugin has these rights on the reports, and may read these views."""
    database = settings.ASPECTS_REPORTING_DATABASE
    grants = {"event_sink*": READ_WRITE, **({database: names} if names else {})}
    grants |= {f"{database}.{view}": ("SELECT",) for view in views}
    monkeypatch.setattr(endpoint, "users", {**endpoint.users, "ch_cms": ("password", grants)})
    server = {"url": endpoint.url, "username": "ch_cms", "password": "password"}
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {**settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG, **server}


def test_clickhouse_is_not_asked_while_reports_are_off(
    settings: Any, clickhouse_endpoint: ClickHouseEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(settings, clickhouse_endpoint, monkeypatch)
    clickhouse_endpoint.requests.clear()
    assert findings() == [Finding(Mark.NOTE, "Reports are off: ASPECTS_REPORTING_ENABLED is False")]
    assert status_lines() == []
    assert "reports" not in json.loads(ended("aspects_status", "--json")[1])
    assert scraped() == {}
    assert [request.sql for request in clickhouse_endpoint.requests] == []


def test_each_fault_is_said_with_the_command_that_ends_it(
    on: None,
    settings: Any,
    clickhouse: ClickHouse,
    own_reports: Reports,  # noqa: F811
) -> None:
    place, number = own_reports.layout.database, len(own_reports.relations)
    assert findings() == [Finding(Mark.OK, f"The {number} relations in {place} are of this version and fed")]
    assert status_lines() == [f"reports: {number} relations current"]
    assert scraped() == {
        "aspects_reports_up": 1,
        "current": number,
        "missing": 0,
        "older": 0,
        "unfed": 0,
        "aspects_reports_rebuilds_begun": 0,
    }

    # Views, and no stored relation, name this rule or read one that does.
    settings.ASPECTS_REPORTING_RULES = {"away_days": 8}
    create = "Run python manage.py cms aspects_reports create as the user who creates the reports"
    rebuild = create.replace("create as", "rebuild as")
    names = "course_summary_before, learner_standing, course_summary, learner_status, at_risk_reasons"
    older = f"5 relations in {{}} are of an older definition: {names}"
    assert findings() == [Finding(Mark.PROBLEM, older.format(place), create)]
    assert status_lines() == [
        f"reports: {number - 5} relations current",
        f"reports: {names} are of an older definition",
        "  correct it: python manage.py cms aspects_reports create",
    ]
    settings.ASPECTS_REPORTING_RULES = {}

    tables = {state.relation.name: state.table for state in own_reports.states()}
    clickhouse.command(f"DROP TABLE {own_reports.layout.qualified(tables['answers'] + '_feed')}")
    clickhouse.command(f"DROP VIEW {own_reports.layout.qualified('video_watch')}")
    help_ = next(relation for relation in own_reports.relations if relation.name == "marks")
    second = table_name(help_, own_reports.hashes["marks"], 2)
    clickhouse.command(own_reports.layout.create_table(help_, second))
    assert findings() == [
        Finding(Mark.PROBLEM, f"1 relation in {place} is missing: video_watch", create),
        Finding(Mark.PROBLEM, f"1 relation in {place} is not fed by its source: answers", rebuild),
        Finding(
            Mark.PROBLEM,
            f"A rebuild of marks in {place} has begun and not ended",
            "If none is running, resume it with python manage.py cms aspects_reports rebuild",
        ),
    ]
    assert status_lines()[-6:] == [
        "reports: video_watch is missing",
        "  correct it: python manage.py cms aspects_reports create",
        "reports: answers is not fed by its source",
        "  correct it: python manage.py cms aspects_reports rebuild",
        "reports: a rebuild of marks has begun and not ended",
        "  resume it: python manage.py cms aspects_reports rebuild",
    ]
    assert scraped() == {
        "aspects_reports_up": 1,
        "current": number - 2,
        "missing": 1,
        "older": 0,
        "unfed": 1,
        "aspects_reports_rebuilds_begun": 1,
    }
    said = json.loads(ended("aspects_status", "--json")[1])["reports"]
    assert (said["relations"]["missing"], said["begun"]) == (["video_watch"], ["marks"])


def test_a_retirement_that_could_not_delete_is_foreseen(
    on: None,
    settings: Any,
    clickhouse_endpoint: ClickHouseEndpoint,
    own_reports: Reports,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = own_reports.layout.database
    for kind, rights, problems in (
        ("external_id", ("SHOW TABLES",), 0),
        ("mbox", ("SHOW TABLES",), 1),
        ("mbox", ("SHOW TABLES", "SELECT", "ALTER DELETE"), 0),
    ):
        settings.XAPI_AGENT_IFI_TYPE = kind
        serve(settings, clickhouse_endpoint, monkeypatch, *rights, views=PAGES)
        assert [finding for finding in findings() if finding.mark is Mark.PROBLEM] == problems * [
            Finding(
                Mark.PROBLEM,
                f"ClickHouse refuses ALTER DELETE on {place} (code 497): retirements are kept",
                f"GRANT SHOW TABLES, SELECT, ALTER DELETE ON `{place}`.* TO `ch_cms`",
            )
        ]


def test_numbers_of_pages_that_may_not_be_read(
    on: None,
    settings: Any,
    clickhouse_endpoint: ClickHouseEndpoint,
    own_reports: Reports,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = own_reports.layout.database
    serve(settings, clickhouse_endpoint, monkeypatch, "SHOW TABLES", views=PAGES[:1])
    (problem,) = [finding for finding in findings() if finding.mark is Mark.PROBLEM]
    assert problem.text == (
        f"ClickHouse refuses ch_cms to read course_summary_before in {place}: pages show no numbers"
    )
    assert problem.remedy.endswith(f"; GRANT SELECT ON `{place}`.`course_summary_before` TO `ch_cms`")
    serve(settings, clickhouse_endpoint, monkeypatch, "SHOW TABLES", views=PAGES)
    assert [finding.mark for finding in findings()] == [Mark.OK]


def test_reports_that_are_not_there_or_not_seen(
    on: None,
    settings: Any,
    clickhouse: ClickHouse,
    reporting_database: str,  # noqa: F811
    clickhouse_endpoint: ClickHouseEndpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = len(Layout.from_settings().wanted)
    assert [(finding.mark, finding.text.partition(":")[0]) for finding in findings()] == [
        (Mark.PROBLEM, f"{number} relations in {reporting_database} are missing")
    ]
    clickhouse.command(f"CREATE DATABASE `{reporting_database}`")
    first = Layout.from_settings().wanted[0].name
    clickhouse.command(f"CREATE VIEW `{reporting_database}`.`{first}` AS SELECT 1 AS a")
    serve(settings, clickhouse_endpoint, monkeypatch)
    assert findings() == [
        Finding(
            Mark.PROBLEM,
            f"The relations in {reporting_database} cannot be seen by ch_cms",
            f"GRANT SHOW TABLES ON `{reporting_database}`.* TO `ch_cms`; "
            f"GRANT SELECT ON `{reporting_database}`.`course_summary` TO `ch_cms`; "
            f"GRANT SELECT ON `{reporting_database}`.`course_summary_before` TO `ch_cms`",
        )
    ]
    serve(settings, clickhouse_endpoint, monkeypatch, "SHOW TABLES")
    assert "are missing" in findings()[0].text

    clickhouse_endpoint.fail("503", times=None, match="SELECT")
    assert status_lines()[0].startswith("reports: their state is not known: ")
    assert scraped() == {"aspects_reports_up": 0}
    clickhouse_endpoint.heal()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ENABLED", "yes", "ASPECTS_REPORTING_ENABLED is 'yes': it must be True or False."),
        ("DATABASE", "", "ASPECTS_REPORTING_DATABASE is '': it must be the name of a database"),
        (
            "DATABASE",
            "reporting",
            "ASPECTS_REPORTING_DATABASE is 'reporting': name a database of its own, such as aspects_reports",
        ),
        (
            "EVENT_DAYS",
            -1,
            "ASPECTS_REPORTING_EVENT_DAYS is -1: it must be a whole number of days, or 0 for ever",
        ),
        ("RULES", {"behind": 2}, "behind in ASPECTS_REPORTING_RULES is 2: it must be a number from 0 to 1"),
    ],
)
def test_a_wrong_setting_is_a_system_check(settings: Any, name: str, value: Any, said: str) -> None:
    def messages() -> list[str]:
        return [message.msg for message in run_checks(tags=[TAG]) if message.id == f"{TAG}.W028"]

    assert messages() == []
    setattr(settings, f"ASPECTS_REPORTING_{name}", value)
    assert messages() == [said]
