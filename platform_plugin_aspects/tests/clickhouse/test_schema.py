"""Tables: their DDL, what is missing, and how one that exists differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.schema import (
    Column,
    Table,
    create_database_statement,
    create_missing,
    missing_and_drifted,
)
from platform_plugin_aspects.delivery import compare
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.sinks import CourseEnrollmentSink, CourseOverviewSink, Selection
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories

TABLE = Table(
    "things",
    (Column("id", "Int32"), Column("name", "String"), Column("at", "DateTime", default="now()"), Column("x`y", "UUID")),
    order_by=("id", "name"),
    primary_key=("id",),
    partition_by="id MOD 10",
)
RIGHT = [("id", "Int32"), ("name", "String"), ("at", "DateTime"), ("x`y", "UUID")]


def test_create_statement() -> None:
    assert TABLE.create_statement("event`sink") == (
        "CREATE TABLE IF NOT EXISTS `event\\`sink`.`things`\n"
        "(\n"
        "    `id` Int32,\n"
        "    `name` String,\n"
        "    `at` DateTime DEFAULT now(),\n"
        "    `x\\`y` UUID\n"
        ")\n"
        "ENGINE = ReplacingMergeTree\n"
        "PARTITION BY id MOD 10\n"
        "PRIMARY KEY (`id`)\n"
        "ORDER BY (`id`, `name`)"
    )


def test_create_database_statement() -> None:
    assert create_database_statement("a") == "CREATE DATABASE IF NOT EXISTS `a`"
    assert create_database_statement("a", "c") == "CREATE DATABASE IF NOT EXISTS `a` ON CLUSTER `c`"


@pytest.mark.parametrize(
    ("actual", "differences"),
    [
        (RIGHT, []),
        ([*RIGHT, ("added", "String")], []),
        ([("added", "String"), *RIGHT], []),
        (RIGHT[1:], ["things: column id (Int32) is missing"]),
        ([("id", "Int64"), *RIGHT[1:]], ["things: column id is Int64, expected Int32"]),
        (
            [RIGHT[1], RIGHT[0], *RIGHT[2:]],
            ["things: columns are in the order name, id, at, x`y, expected id, name, at, x`y"],
        ),
        (
            [("at", "Date"), ("id", "Int32")],
            [
                "things: column name (String) is missing",
                "things: column at is Date, expected DateTime",
                "things: column x`y (UUID) is missing",
                "things: columns are in the order at, id, expected id, at",
            ],
        ),
    ],
    ids=["none", "added last", "added first", "missing", "type", "order", "several"],
)
def test_drift(actual: list[tuple[str, str]], differences: list[str]) -> None:
    assert TABLE.drift(actual) == differences


def test_missing_and_drifted() -> None:
    other = Table("others", (Column("id", "Int32"),), order_by=("id",))
    assert missing_and_drifted([TABLE, other], {"things": RIGHT[:3], "unknown": []}) == (
        [other],
        ["things: column x`y (UUID) is missing"],
    )


def test_create_missing_makes_what_is_missing_and_alters_nothing(clickhouse: ClickHouse) -> None:
    drifted = Table("drifted", TABLE.columns, order_by=("id",))
    clickhouse.command(f"CREATE TABLE {clickhouse.qualified('drifted')} (id Int32) ENGINE = Memory")
    assert create_missing(clickhouse, [TABLE, drifted]) == (
        [TABLE],
        [f"drifted: column {name} ({type_}) is missing" for name, type_ in RIGHT[1:]],
    )
    assert clickhouse.columns()["things"] == RIGHT
    assert clickhouse.columns()["drifted"] == [("id", "Int32")]
    assert create_missing(clickhouse, [TABLE])[0] == []


#: The tables that Aspects' migrations leave as plain MergeTree.
PLAIN = ("course_overviews", "course_blocks", "course_enrollment", "load_test_runs", "load_test_stats")


@pytest.mark.django_db
def test_tables_as_aspects_leaves_them_are_no_drift_and_work(clickhouse: ClickHouse, empty_store: None) -> None:
    """Plain MergeTree, and DEFAULT expressions that ours lack."""
    database = clickhouse.connection.database
    for table in all_tables():
        if table.name in PLAIN:
            columns = [replace(each, default=each.default or "''") for each in table.columns if each.type == "String"]
            by_name = {column.name: column for column in columns}
            changed = replace(table, columns=tuple(by_name.get(each.name, each) for each in table.columns))
            statement = changed.create_statement(database).replace("ReplacingMergeTree", "MergeTree")
            clickhouse.command(f"DROP TABLE {clickhouse.qualified(table.name)}")
            clickhouse.command(statement)
    engines = dict(clickhouse.select(f"SELECT name, engine FROM system.tables WHERE database = '{database}'"))
    assert {name for name, engine in engines.items() if engine == "MergeTree"} == set(PLAIN)
    assert create_missing(clickhouse, all_tables()) == ([], [])

    factories.make_course()
    enrollment = factories.make_enrollment()
    for sink in (CourseOverviewSink(), CourseEnrollmentSink()):
        # A state that is written twice is two rows, of which the latest counts.
        for day in (1, 2):
            sink.write(sink.read(Selection()), factories.utc(2026, 3, day))
        assert compare.compare(sink).equal
    assert len(rows(clickhouse, "course_enrollment")) == 2
    CourseEnrollmentSink().delete([enrollment.pk])
    assert rows(clickhouse, "course_enrollment") == []


def test_create_missing_makes_the_database(clickhouse: ClickHouse) -> None:
    clickhouse.command(f"DROP DATABASE {clickhouse.connection.database}")
    assert create_missing(clickhouse, [TABLE]) == ([TABLE], [])
    assert set(clickhouse.columns()) == {"things"}
