"""Superset's user in ClickHouse: the statements that make it, what it cannot do, and what is found of its rights."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure, Misconfigured
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, Written
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.sinks.registry import relations_of_boards, relations_of_own_boards
from platform_plugin_aspects.tests.commands import ended, run
from platform_plugin_aspects.tests.operations.test_aspects_check import Site, check, marked, site  # noqa: F401
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

DICTIONARY = """
CREATE DICTIONARY {db}.user_pii (user_id UInt64, name String) PRIMARY KEY user_id
SOURCE(CLICKHOUSE(QUERY 'SELECT 1 AS user_id, ''Ada'' AS name')) LAYOUT(FLAT()) LIFETIME(0)
"""


print_grants = partial(ended, "aspects_create_tables", "--print-grants")


def of_reader(said: str) -> list[str]:
    return [line.removesuffix(";") for line in said.splitlines() if "`reports`" in line]


@pytest.fixture
def reader_setting(settings: Any) -> None:
    settings.ASPECTS_SUPERSET_READER = {"username": "reports", "password": "reports-secret"}


# What is printed


def test_the_reader_gets_the_tables_of_the_boards_one_by_one_and_nothing_else(
    clickhouse_http: ClickHouseEndpoint, reader_setting: None, settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"database": "event_sink"}
    _code, said, besides = print_grants()
    user, profile, quota, revoke, *grants = of_reader(said)
    assert user.startswith("CREATE USER IF NOT EXISTS `reports` IDENTIFIED WITH sha256_hash BY '")
    assert "reports-secret" not in said
    assert profile == (
        "CREATE SETTINGS PROFILE IF NOT EXISTS `reports` SETTINGS max_execution_time = 60, "
        "max_memory_usage = 4000000000, max_result_rows = 1000000, readonly = 1 TO `reports`"
    )
    assert quota == (
        "CREATE QUOTA IF NOT EXISTS `reports` FOR INTERVAL 1 hour MAX queries = 50000, execution_time = 14400 "
        "TO `reports`"
    )
    assert revoke == "REVOKE ALL ON *.* FROM `reports`"
    assert sorted(grants) == [
        "GRANT SELECT ON `event_sink`.`course_blocks` TO `reports`",
        "GRANT SELECT ON `event_sink`.`course_enrollment` TO `reports`",
        "GRANT SELECT ON `event_sink`.`course_overviews` TO `reports`",
        "GRANT SELECT ON `event_sink`.`object_tag` TO `reports`",
        "GRANT SELECT ON `event_sink`.`tag` TO `reports`",
        "GRANT SELECT ON `event_sink`.`taxonomy` TO `reports`",
    ]
    assert besides == ""


class Grades(BaseSink):
    """A sink of a site's own, with two tables of courses."""

    name = "grades"
    model = "user_preference"
    tables = (
        Table("grades", (Column("org", "String"), Column("course_key", "String")), ("org",)),
        Table(
            "grades_by_name",
            (Column("org", "String"), Column("course_key", "String"), Column("who", "String", personal=True)),
            ("org",),
        ),
    )

    def parse_key(self, text: str) -> str:
        return text

    def read(self, selection: Selection) -> Batch:
        return Batch([], {})

    def write(self, batch: Batch, stamp: datetime) -> Written:
        return Written({})


def test_own_boards_read_the_tables_of_courses_without_usernames(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.Grades"]
    assert relations_of_own_boards(Connection()) == [
        ("event_sink", "course_overviews"),
        ("event_sink", "course_blocks"),
        ("event_sink", "grades"),
    ]


def test_tables_with_personal_data_are_left_out_and_others_are_named_by_the_setting(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["course_enrollment"]
    tables = {table for _database, table in relations_of_boards(Connection())}
    assert tables == {"taxonomy", "tag", "object_tag", "course_overviews", "course_blocks"}
    settings.ASPECTS_SUPERSET_READER = {"relations": ["event_sink.user_profile", "reporting.my view"]}
    assert Reader.from_settings([("a", "b")]).relations == (("event_sink", "user_profile"), ("reporting", "my view"))


def test_without_a_password_only_the_plugin_s_user_is_printed(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://ch:pw@clickhouse.invalid:8123"}
    _code, said, besides = print_grants()
    assert "ch_report" not in said
    assert "ch_report" in besides
    assert "--reader_password" in besides
    _code, said, besides = print_grants("--reader_username", "reports", "--reader_password", "pw")
    assert len(of_reader(said)) == 4 + 6
    assert besides == ""


def test_on_a_cluster_as_the_engine_itself_writes_them(clickhouse: ClickHouse) -> None:
    reader = Reader("o`ne", "pw", (("event_sink", "t`a"),))
    canonical = [
        clickhouse.select("SELECT formatQuerySingleLine({sql:String})", {"sql": statement})[0][0]
        for statement in reader.statements("ma`in")
    ]
    assert [statement.count("ON CLUSTER `ma\\`in`") for statement in canonical] == [1, 1, 1, 1, 1]
    assert canonical[-2:] == [
        "REVOKE ON CLUSTER `ma\\`in` ALL ON *.* FROM `o\\`ne`",
        "GRANT ON CLUSTER `ma\\`in` SELECT ON event_sink.`t\\`a` TO `o\\`ne`",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("reports", "ASPECTS_SUPERSET_READER must be a mapping"),
        ({"username": 5}, "username in ASPECTS_SUPERSET_READER must be text"),
        ({"relations": "event_sink"}, "relations in ASPECTS_SUPERSET_READER has 'event_sink'"),
        ({"relations": ["event_sink.*"]}, "relations in ASPECTS_SUPERSET_READER has 'event_sink.*'"),
        ({"relations": [None]}, "relations in ASPECTS_SUPERSET_READER has None"),
        ({"relations": 7}, "relations in ASPECTS_SUPERSET_READER has 7"),
    ],
)
def test_a_setting_of_the_wrong_shape_is_said(value: Any, words: str, settings: Any) -> None:
    settings.ASPECTS_SUPERSET_READER = value
    with pytest.raises(Misconfigured) as caught:
        Reader.from_settings([])
    assert words in str(caught.value)
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://ch:pw@clickhouse.invalid:8123"}
    with pytest.raises(CommandError):
        run("aspects_create_tables", "--print-grants")


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Reader("reports", "s3cret"))


# What it may do


@pytest.fixture
def reports(clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, reader_setting: None) -> Iterator[ClickHouse]:
    """Superset's user as printed, on a ClickHouse with a dictionary of everybody's names; it had more rights before."""
    administrator = ClickHouse(Connection.from_settings({"username": "ch_admin", "password": "admin-password"}))
    database = clickhouse.connection.database
    clickhouse.command(DICTIONARY.format(db=database))
    clickhouse.command(f"CREATE TABLE {database}.narrow (name String) ENGINE = MergeTree ORDER BY name")
    clickhouse.command(f"INSERT INTO {database}.narrow VALUES ('Ada')")
    administrator.command("CREATE USER `reports` IDENTIFIED BY 'reports-secret'")
    administrator.command(f"GRANT SELECT, dictGet, INSERT ON {database}.* TO reports")
    for statement in of_reader(print_grants().out):
        administrator.command(statement)
    yield ClickHouse(Connection.from_settings({"username": "reports", "password": "reports-secret"}))
    for what in ("USER", "SETTINGS PROFILE", "QUOTA"):
        administrator.command(f"DROP {what} `reports`")
    close_clients()


def test_the_reader_reads_the_tables_of_the_boards(reports: ClickHouse) -> None:
    assert reports.select(f"SELECT count() FROM {reports.qualified('course_overviews')}") == [(0,)]


#: Expressions that a guest of Superset can add to a query of a board, as a column or a condition.
EXPRESSIONS = {
    "a dictionary": "dictGet('{db}.user_pii', 'name', toUInt64(1))",
    "a dictionary whose name is computed": "dictGetOrDefault(concat('{db}', '.user_pii'), 'name', toUInt64(1), '')",
    "a row of a narrow table": "'Ada' IN {db}.narrow",
    "a subquery": "(SELECT any(name) FROM {db}.user_profile)",
    "a condition with a subquery": "1 IN (SELECT user_id FROM {db}.external_id)",
}


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_expressions_of_guests_read_nothing_else(expression: str, reports: ClickHouse, clickhouse: ClickHouse) -> None:
    database = reports.connection.database
    query = f"SELECT {expression.format(db=database)} AS x, count() FROM {database}.course_overviews GROUP BY x"
    clickhouse.select(query)  # the query is sound
    with pytest.raises(Failure) as caught:
        reports.select(query)
    assert caught.value.code == 497


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO {db}.tag (id) VALUES (1)", 497),
        ("ALTER TABLE {db}.tag DELETE WHERE 1", 497),
        ("SELECT 1 SETTINGS max_memory_usage = 0", 164),
        ("SET readonly = 0", 164),
    ],
)
def test_the_reader_changes_nothing(statement: str, code: int, reports: ClickHouse) -> None:
    with pytest.raises(Failure) as caught:
        reports.command(statement.format(db=reports.connection.database))
    assert caught.value.code == code


# What aspects_check finds


@pytest.mark.parametrize(
    ("grants", "excess"),
    [
        ([], []),
        (["GRANT SELECT ON event_sink.tag TO reports", "GRANT SELECT(id, name) ON `event_sink`.`tag` TO reports"], []),
        (["GRANT SHOW TABLES, SHOW ON *.* TO reports", "GRANT USAGE ON *.* TO reports"], []),
        (["REVOKE SELECT ON system.query_log FROM reports"], []),
        (["GRANT SELECT ON `a.b`.`c\\`d\\\\` TO reports"], ["SELECT ON a.b.c`d\\"]),
        (["GRANT SELECT(`a b`, c) ON event_sink.tag TO reports"], []),
        (["GRANT SELECT, dictGet ON event_sink.* TO reports"], ["SELECT ON event_sink.*", "dictGet ON event_sink.*"]),
        (
            ["GRANT SELECT(a), INSERT(a, b), ALTER DELETE ON event_sink.tag TO reports WITH GRANT OPTION"],
            ["INSERT ON event_sink.tag", "ALTER DELETE ON event_sink.tag"],
        ),
        (["GRANT ALL ON *.* TO reports WITH GRANT OPTION"], ["ALL ON *.*"]),
        (["GRANT SELECT ON reporting.facts TO reports"], ["SELECT ON reporting.facts"]),
        (["GRANT SELECT ON system.query_log TO reports"], ["SELECT ON system.query_log"]),
        (["GRANT TABLE ENGINE ON * TO reports"], ["TABLE ENGINE ON *"]),
        (["GRANT admins TO reports"], ["the role admins"]),
    ],
)
def test_rights_that_are_too_many(grants: list[str], excess: list[str]) -> None:
    assert Reader("reports", relations=(("event_sink", "tag"),)).excess(grants) == excess


@hypothesis_settings(max_examples=40)
@given(st.lists(st.text() | st.from_regex(r"GRANT [\w,()` ]* ON [\w.*`]* TO \w*", fullmatch=True)))
def test_whatever_is_granted_is_harmless_or_named(grants: list[str]) -> None:
    assert all(isinstance(text, str) for text in Reader().excess(grants))


@pytest.fixture
def with_superset(site: Site, reader_setting: None, settings: Any) -> Site:  # noqa: F811
    """A site with Superset, whose user in ClickHouse has the rights of earlier instructions."""
    site.serve()
    settings.SUPERSET_CONFIG = {**settings.SUPERSET_CONFIG, "password": "another"}
    database = settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["database"]
    site.endpoint.users["reports"] = ("reports-secret", {database: ["SELECT", "dictGet"]})
    return site


def findings(mark: str, *args: str) -> list[tuple[str, str]]:
    _code, said = check("--only", "clickhouse", *args)
    assert marked(said, "crashed") == []
    return [(text, remedy) for _section, text, remedy in marked(said, mark)]


def test_a_reader_with_more_rights_is_found(with_superset: Site, settings: Any) -> None:
    database = settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["database"]
    ((text, remedy),) = findings("problem")
    assert text == (
        f"Superset's user reports may do more than read the relations of the boards: SELECT ON {database}.*, "
        f"dictGet ON {database}.*. Guests read with its rights, past the clauses of their tokens"
    )
    assert "aspects_create_tables --print-grants" in remedy
    assert "relations in ASPECTS_SUPERSET_READER" in remedy


def test_a_reader_as_printed_is_well(with_superset: Site, settings: Any) -> None:
    grants = {f"{database}.{table}": ["SELECT"] for database, table in relations_of_boards(Connection.from_settings())}
    with_superset.endpoint.users["reports"] = ("reports-secret", grants)
    with_superset.endpoint.limits.profiles.clear()
    assert findings("problem") == []
    (note,) = findings("note")
    assert note[0] == "Superset's user reports may change its own limits: its setting readonly is 0"
    administrator = ClickHouse(Connection.from_settings({"username": "ch_admin", "password": "admin-password"}))
    for statement in of_reader(print_grants().out):
        administrator.command(statement)
    close_clients()  # each run of the command has its own
    assert findings("problem") == findings("note") == findings("skipped") == []
    assert ("Superset's user reports may read the relations of the boards, and nothing else", "") in findings("ok")
    for what in ("SETTINGS PROFILE", "QUOTA"):
        administrator.command(f"DROP {what} `reports`")


def test_views_of_reports_belong_to_the_reader_while_reports_are_on(with_superset: Site, settings: Any) -> None:
    users = with_superset.endpoint.users
    grants = {f"{database}.{table}": ["SELECT"] for database, table in relations_of_boards(Connection.from_settings())}
    view = "aspects_reports.course_summary"
    users["reports"] = ("reports-secret", {**grants, view: ["SELECT"]})
    # It is one right too many while reports are off, and one of many that are missing while they are on.
    assert [text.partition(". ")[0] for text, _remedy in findings("problem")] == [
        f"Superset's user reports may do more than read the relations of the boards: SELECT ON {view}"
    ]
    settings.ASPECTS_REPORTING_ENABLED = True
    ((text, _remedy),) = findings("problem")
    assert text.startswith("Superset's user reports may not read aspects_reports.")
    assert "aspects_reports.learner_status" in text
    assert f" {view}," not in text
    administrator = ClickHouse(Connection.from_settings({"username": "ch_admin", "password": "admin-password"}))
    for statement in of_reader(print_grants().out):
        administrator.command(statement)
    close_clients()
    assert findings("problem") == []
    for what in ("SETTINGS PROFILE", "QUOTA"):
        administrator.command(f"DROP {what} `reports`")


def test_an_administrator_sees_it_without_a_password(with_superset: Site, settings: Any) -> None:
    settings.ASPECTS_SUPERSET_READER = {"username": "reports"}
    ((text, remedy),) = findings("note")
    assert text == "The rights of Superset's user reports cannot be seen by ch_cms"
    assert "--reader_password" in remedy
    assert [text[:40] for text, _remedy in findings("problem", "--reader_password", "reports-secret")] == [
        "Superset's user reports may do more than"
    ]
    of_admin = ("--username", "ch_admin", "--password", "admin-password")
    assert [text[:40] for text, _remedy in findings("problem", *of_admin)] == [
        "Superset's user reports may do more than"
    ]
    ((text, remedy),) = findings("note", *of_admin, "--reader_username", "nobody")
    assert text == "ClickHouse has no user nobody"
    assert "username in ASPECTS_SUPERSET_READER" in remedy


def test_a_wrong_password_of_the_reader(with_superset: Site, settings: Any) -> None:
    settings.ASPECTS_SUPERSET_READER = {"username": "reports", "password": "wr0ng"}
    ((text, remedy),) = findings("problem")
    assert text == "ClickHouse does not let Superset's user reports in (code 516)"
    assert "ASPECTS_SUPERSET_READER" in remedy
    assert "wr0ng" not in text + remedy


def test_a_setting_of_the_wrong_shape_is_found(with_superset: Site, settings: Any) -> None:
    settings.ASPECTS_SUPERSET_READER = {"relations": ["event_sink"]}
    ((text, _remedy),) = findings("problem")
    assert text.startswith("relations in ASPECTS_SUPERSET_READER has 'event_sink'")


def test_without_superset_nobody_is_looked_for(site: Site) -> None:  # noqa: F811
    site.serve()
    assert not [text for text, _remedy in (*findings("note"), *findings("ok")) if "Superset" in text]
