"""aspects_reports --print-grants: who creates has the rights that it takes, who reads sees views and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.commands import ended
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db

OWNER = ("--username", "ch_reports", "--password", "owner-secret")
READER = ("--reader_username", "reports", "--reader_password", "reports-secret")


@pytest.fixture(autouse=True)
def users(clickhouse_http: ClickHouseEndpoint, reporting_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's users are gone after it."""
    monkeypatch.setattr(clickhouse_http, "users", dict(clickhouse_http.users))


def printed(*args: str) -> list[str]:
    code, out, err = ended("aspects_reports", "--print-grants", *args)
    assert (code, err) == (0, "")
    return [line.removesuffix(";") for line in out.splitlines()]


def as_(endpoint: ClickHouseEndpoint, username: str, password: str) -> ClickHouse:
    connection = Connection.from_settings({"username": username, "password": password, "timeout_secs": 60})
    return get_client(replace(connection, url=endpoint.url))


def test_the_printed_rights_are_enough_to_create_and_to_rebuild(
    clickhouse_http: ClickHouseEndpoint, reporting_database: str, settings: Any
) -> None:
    administrator = as_(clickhouse_http, "ch_admin", "admin-password")
    for statement in printed(*OWNER, *READER):
        administrator.command(statement)
    settings.ASPECTS_REPORTING_EVENT_DAYS = 400
    code, out, err = ended("aspects_reports", "create", *OWNER)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("ASPECTS_REPORTING_ENABLED is False: set it to True")
    layout = Layout.from_settings()
    for action in ("rebuild", "status"):
        assert ended("aspects_reports", action, *OWNER)[0] == 0
    assert ended("aspects_reports", "rebuild", "--relation", "marks", *OWNER)[0] == 0

    owner = as_(clickhouse_http, "ch_reports", "owner-secret")
    reader = as_(clickhouse_http, "reports", "reports-secret")
    views = [relation.name for relation in layout.wanted if relation.is_for_boards]
    assert "course_summary" in views
    for name in views:
        reader.select(f"SELECT * FROM {layout.qualified(name)} LIMIT 1")
    tables = [state.table for state in Reports(owner, layout).states() if state.table]
    for name in ("activity", "enrolled", tables[0]):
        with pytest.raises(Misconfigured):
            reader.select(f"SELECT * FROM {layout.qualified(name)} LIMIT 1")
    plugin = Connection.from_settings()
    for statement in (
        f"INSERT INTO `{plugin.xapi_database}`.`{plugin.xapi_table}` (event) VALUES ('')",
        f"ALTER TABLE `{plugin.xapi_database}`.`{plugin.xapi_table}` DELETE WHERE 1",
        f"DROP TABLE `{plugin.database}`.`tag`",
        "CREATE DATABASE another",
    ):
        with pytest.raises(Misconfigured):
            owner.command(statement)


def test_the_statements(reporting_database: str, settings: Any) -> None:
    plugin = Connection.from_settings()
    settings.XAPI_AGENT_IFI_TYPE = "mbox"
    statements = printed(*OWNER, "--cluster", "main", *READER)
    assert statements[0].startswith(
        "CREATE USER IF NOT EXISTS `ch_reports` ON CLUSTER `main` IDENTIFIED WITH sha256_hash"
    )
    assert statements[1:6] == [
        "GRANT ON CLUSTER `main` CREATE DATABASE, CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, SELECT, INSERT, "
        f"ALTER DELETE, ALTER TTL ON `{reporting_database}`.* TO `ch_reports`",
        f"GRANT ON CLUSTER `main` SELECT ON `{plugin.database}`.* TO `ch_reports`",
        f"GRANT ON CLUSTER `main` SELECT ON `{plugin.xapi_database}`.`{plugin.xapi_table}` TO `ch_reports`",
        "GRANT ON CLUSTER `main` CLUSTER ON *.* TO `ch_reports`",
        f"GRANT ON CLUSTER `main` SHOW TABLES, SELECT, ALTER DELETE ON `{reporting_database}`.* TO `ch_cms`",
    ]
    assert statements[7] == (
        "CREATE SETTINGS PROFILE IF NOT EXISTS `reports` ON CLUSTER `main` SETTINGS max_execution_time = 60, "
        "max_memory_usage = 4000000000, max_result_rows = 1000000, readonly = 1 TO `reports`"
    )
    assert f"GRANT ON CLUSTER `main` SELECT ON `{reporting_database}`.`course_summary` TO `reports`" in statements
    assert not any("`events`" in statement for statement in statements)


def test_without_names_only_the_plugin_s_user_gets_a_right(reporting_database: str) -> None:
    code, out, err = ended("aspects_reports", "--print-grants")
    assert (code, out.splitlines()) == (
        0,
        [
            f"GRANT SHOW TABLES ON `{reporting_database}`.* TO `ch_cms`;",
            f"GRANT SELECT ON `{reporting_database}`.`course_summary` TO `ch_cms`;",
            f"GRANT SELECT ON `{reporting_database}`.`course_summary_before` TO `ch_cms`;",
        ],
    )
    assert err.startswith("Superset's user ch_report is left out.")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--username", "x", "--password", ""), "Give the password of x by --password"),
        ((*OWNER, "--reader_username", "ch_reports"), "ch_reports is the plugin's user, or creates the reports"),
        (("--reader_username", "ch_cms"), "ch_cms is the plugin's user, or creates the reports"),
    ],
)
def test_what_cannot_be_printed(args: tuple[str, ...], said: str) -> None:
    code, _out, err = ended("aspects_reports", "--print-grants", *args)
    assert (code, said in err) == (1, True)


def test_views_that_the_reader_may_not_read() -> None:
    reader = Reader("reports", "", (("aspects_reports", "a"), ("aspects_reports", "b"), ("event_sink", "tag")))
    assert reader.unreadable(["GRANT SELECT ON aspects_reports.a TO reports"]) == [
        "aspects_reports.b",
        "event_sink.tag",
    ]
    assert reader.unreadable(["GRANT SELECT ON aspects_reports.* TO reports"]) == ["event_sink.tag"]
    assert reader.unreadable(["GRANT ALL ON *.* TO reports WITH GRANT OPTION"]) == []
    assert len(reader.unreadable(["GRANT INSERT ON aspects_reports.a TO reports", "GRANT role TO reports"])) == 3
