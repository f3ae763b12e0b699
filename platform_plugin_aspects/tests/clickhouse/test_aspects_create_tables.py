"""The command aspects_create_tables: makes what is missing, alters nothing, names what differs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError

from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.grants import grant_statements
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.tests.commands import run
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

#: Those of the plugin's database, and that of the statements.
COUNT = len(all_tables()) + 1
STATEMENTS = """(
    `event_id` UUID,
    `emission_time` DateTime64(6),
    `event` String
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(emission_time)
ORDER BY (`emission_time`, `event_id`)"""


create_tables = partial(run, "aspects_create_tables")


@pytest.fixture
def empty(clickhouse: ClickHouse) -> Iterator[ClickHouse]:
    """The configured ClickHouse, without even the databases."""
    clickhouse.command(f"DROP DATABASE {clickhouse.connection.database}")
    clickhouse.command(f"DROP DATABASE {clickhouse.connection.xapi_database}")
    yield clickhouse
    clickhouse.command(f"CREATE DATABASE IF NOT EXISTS {clickhouse.connection.database}")


def test_makes_the_databases_and_all_tables(empty: ClickHouse) -> None:
    lines = create_tables().splitlines()
    database, xapi = empty.connection.database, empty.connection.xapi_database
    assert lines == [
        *[f"created {database}.{table.name}" for table in all_tables()],
        f"created {xapi}.xapi_events_all",
        f"{COUNT} tables created, 0 there already",
    ]
    assert set(empty.columns()) == {table.name for table in all_tables()}
    assert get_client(StatementSink.place(empty.connection)).columns() == {
        "xapi_events_all": [("event_id", "UUID"), ("emission_time", "DateTime64(6)"), ("event", "String")]
    }


def test_the_table_of_statements_may_be_anywhere(empty: ClickHouse, settings: Any) -> None:
    database = empty.connection.database
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"xapi_database": database, "xapi_table": "openedx"}
    assert f"created {database}.openedx\n" in create_tables()
    assert create_tables() == f"0 tables created, {COUNT} there already\n"
    assert empty.select(
        "SELECT engine, partition_key, sorting_key FROM system.tables "
        "WHERE database = {database:String} AND name = 'openedx'",
        {"database": database},
    ) == [("ReplacingMergeTree", "toYYYYMM(emission_time)", "emission_time, event_id")]


def test_twice_is_quiet(clickhouse: ClickHouse) -> None:
    assert create_tables() == f"0 tables created, {COUNT} there already\n"


def test_tables_of_load_tests_are_called_as_in_the_settings(empty: ClickHouse, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"runs_table": "my_runs", "stats_table": "my_stats"}
    create_tables()
    assert {"my_runs", "my_stats"} <= set(empty.columns())
    assert "load_test_runs" not in empty.columns()
    assert create_tables() == f"0 tables created, {COUNT} there already\n"


def test_makes_only_what_is_missing(clickhouse: ClickHouse) -> None:
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('tag')}")
    assert (
        create_tables()
        == f"created {clickhouse.connection.database}.tag\n1 tables created, {COUNT - 1} there already\n"
    )


def test_dry_run_prints_the_statements_and_changes_nothing(empty: ClickHouse) -> None:
    said = create_tables("--dry-run")
    database = empty.connection.database
    assert empty.columns() == {}
    assert empty.select("SELECT count() FROM system.databases WHERE name = {n:String}", {"n": database}) == [(0,)]
    statements = said.split(";\n")
    assert statements[:-1] == [
        f"CREATE DATABASE IF NOT EXISTS `{database}`",
        *[table.create_statement(database) for table in all_tables()],
        f"CREATE DATABASE IF NOT EXISTS `{empty.connection.xapi_database}`",
        f"CREATE TABLE IF NOT EXISTS `{empty.connection.xapi_database}`.`xapi_events_all`\n{STATEMENTS}",
    ]
    assert statements[-1] == f"{COUNT} tables missing, 0 there already\n"
    for statement in statements[:-1]:
        empty.command(statement)
    assert create_tables("--dry-run").splitlines()[-1] == f"0 tables missing, {COUNT} there already"


@pytest.mark.parametrize("cluster", ["setting", "option", "option over setting"])
def test_on_a_cluster(cluster: str, empty: ClickHouse, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_CLUSTER_NAME = {"setting": "main", "option": ""}.get(cluster, "other")
    said = create_tables("--dry-run", *([] if cluster == "setting" else ["--cluster", "main"]))
    assert said.count(" ON CLUSTER `main`") == COUNT + 2
    assert said.count("ENGINE = ReplicatedReplacingMergeTree") == COUNT


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_drift_is_named_and_left_alone(options: tuple[str, ...], clickhouse: ClickHouse) -> None:
    for statement in (
        f"ALTER TABLE {clickhouse.qualified('tag')} DROP COLUMN value",
        f"ALTER TABLE {clickhouse.qualified('taxonomy')} MODIFY COLUMN name LowCardinality(String)",
        f"ALTER TABLE {clickhouse.qualified('user_profile')} MODIFY COLUMN bio String AFTER name",
        f"ALTER TABLE {clickhouse.qualified('object_tag')} ADD COLUMN of_an_operator String",
    ):
        clickhouse.command(statement)
    before = clickhouse.columns()
    with pytest.raises(CommandError) as caught:
        create_tables(*options)
    assert caught.value.returncode == 1
    first, *named = str(caught.value).splitlines()
    assert "differ" in first
    assert [line.strip().split(":")[0] for line in named] == ["taxonomy", "tag", "user_profile"]
    assert "  tag: column value (String) is missing" in named
    assert "  taxonomy: column name is LowCardinality(String), expected String" in named
    assert clickhouse.columns() == before


def test_the_administrator_is_named_by_options(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, settings: Any
) -> None:
    database = clickhouse.connection.database
    clickhouse.command(f"DROP DATABASE {database}")
    clickhouse.command(f"DROP DATABASE {clickhouse.connection.xapi_database}")
    close_clients()
    with pytest.raises(CommandError, match="ACCESS_DENIED"):
        create_tables()
    admin = ("--username", "ch_admin", "--password", "admin-password", "--database", database)
    assert create_tables("--url", clickhouse_http.url, *admin).endswith(f"{COUNT} tables created, 0 there already\n")
    # The restricted user may look.
    assert create_tables("--dry-run").endswith(f"0 tables missing, {COUNT} there already\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--password", "wr0ng"), "wrong user or password"),
        (("--url", "nonsense"), "neither http"),
        (("--url", "http://host.invalid:8123"), "cannot be reached"),
        (("--timeout_secs", "0"), "timeout_secs"),
    ],
)
def test_failures_are_one_clear_message(options: tuple[str, ...], words: str, clickhouse_http: Any) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        create_tables(*options)
    assert "wr0ng" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.fixture
def administrator(clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse) -> Iterator[ClickHouse]:
    """The database behind HTTP, for somebody who may make users."""
    overrides = {"username": "ch_admin", "password": "admin-password"}
    yield ClickHouse(Connection.from_settings(overrides))
    close_clients()


def test_print_grants_makes_a_user_for_the_plugin_s_work_and_no_more(
    administrator: ClickHouse, clickhouse: ClickHouse, settings: Any
) -> None:
    database = administrator.connection.database
    username, password = "of `the\\ plugin", "it's\\ secret"
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {
        "username": username,
        "password": password,
        "xapi_database": database,
        "xapi_table": "elsewhere",
    }
    said = create_tables("--print-grants")
    assert "secret" not in said
    for statement in said.removesuffix(";\n").split(";\n"):
        administrator.command(statement)
    # As in a database of its own, where only the xAPI table is granted.
    administrator.command(f"REVOKE SELECT, INSERT, ALTER DELETE ON {database}.* FROM {quote(username)}")
    clickhouse.command(f"CREATE TABLE {clickhouse.qualified('elsewhere')} (id Int32) ENGINE = MergeTree ORDER BY id")
    user = ClickHouse(Connection.from_settings())
    assert user.connection.credentials == (username, password)
    user.command(f"INSERT INTO {user.qualified('elsewhere')} VALUES (1)")
    assert user.select(f"SELECT count() FROM {user.qualified('elsewhere')}") == [(1,)]
    assert user.columns() == {"elsewhere": [("id", "Int32")]}

    def refused(statement: str) -> bool:
        try:
            user.command(statement)
        except Misconfigured as error:
            return error.code == 497
        return False

    row = f"INSERT INTO {user.qualified('taxonomy')} (id) VALUES (7)"
    assert refused(row)
    assert refused(f"ALTER TABLE {user.qualified('elsewhere')} DELETE WHERE 1")
    administrator.command(grant_statements(user.connection)[1])
    assert not refused(row)
    assert user.select(f"SELECT id FROM {user.qualified('taxonomy')}") == [(7,)]
    user.delete("taxonomy", "id", "Int32", [7])
    assert user.select(f"SELECT id FROM {user.qualified('taxonomy')}") == []
    for statement in ("CREATE DATABASE x", "DROP TABLE taxonomy", "TRUNCATE TABLE taxonomy"):
        assert refused(statement.replace("taxonomy", user.qualified("taxonomy")))
    administrator.command(f"DROP USER {quote(username)}")


def test_print_grants_on_a_cluster(clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse) -> None:
    statements = (
        create_tables("--print-grants", "--cluster", "ma`in", "--username", "ada").removesuffix(";\n").split(";\n")
    )
    # As the engine itself writes them.
    canonical = [
        clickhouse.select("SELECT formatQuerySingleLine({sql:String})", {"sql": statement})[0][0]
        for statement in statements
    ]
    assert canonical[0].startswith("CREATE USER IF NOT EXISTS ada ON CLUSTER `ma\\`in` IDENTIFIED WITH sha256_hash BY ")
    assert canonical[1:] == [
        f"GRANT ON CLUSTER `ma\\`in` SELECT, INSERT, ALTER DELETE ON {clickhouse.connection.database}.* TO ada",
        f"GRANT ON CLUSTER `ma\\`in` SELECT, INSERT ON {clickhouse.connection.xapi_database}.xapi_events_all TO ada",
    ]
    # Each time another salt.
    assert create_tables("--print-grants").splitlines()[0] != create_tables("--print-grants").splitlines()[0]


@pytest.mark.parametrize(
    ("actors", "rights"),
    [
        ("external_id", "SELECT, INSERT"),
        ("mbox", "SELECT, INSERT, ALTER DELETE"),
        ("mbox_sha1sum", "SELECT, INSERT, ALTER DELETE"),
    ],
)
def test_statements_with_addresses_may_be_deleted(actors: str, rights: str, settings: Any) -> None:
    settings.XAPI_AGENT_IFI_TYPE = actors
    assert create_tables("--print-grants").splitlines()[2] == f"GRANT {rights} ON `xapi`.`xapi_events_all` TO `ch_cms`;"


def test_print_grants_asks_nobody(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://ch:pw@clickhouse.invalid:8123"}
    assert [line.endswith(" TO `ch`;") for line in create_tables("--print-grants").splitlines()] == [False, True, True]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"url": "chdb:///somewhere"}, "embedded engine, which has no users"),
        ({"url": "http://clickhouse.invalid:8123", "password": ""}, "Set a password for ch_cms .* --password"),
    ],
)
def test_there_is_nobody_to_grant_to(config: dict[str, str], words: str, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = config
    with pytest.raises(CommandError, match=words):
        create_tables("--print-grants")


@pytest.mark.parametrize("option", ["--reader_username", "--reader_password"])
@pytest.mark.parametrize("mode", [(), ("--dry-run",)])
def test_options_of_the_reader_need_print_grants(option: str, mode: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"^--reader_username and --reader_password need --print-grants$"):
        create_tables(option, "superset", *mode)
