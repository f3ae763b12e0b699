"""Tables: their DDL, what is missing, and how one that exists differs."""

from __future__ import annotations

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.schema import (
    Column,
    Table,
    create_database_statement,
    create_missing,
    missing_and_drifted,
)

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


def test_create_missing_makes_the_database(clickhouse: ClickHouse) -> None:
    clickhouse.command(f"DROP DATABASE {clickhouse.connection.database}")
    assert create_missing(clickhouse, [TABLE]) == ([TABLE], [])
    assert set(clickhouse.columns()) == {"things"}
