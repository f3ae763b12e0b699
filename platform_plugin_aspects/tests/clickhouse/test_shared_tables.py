"""Whatever a test does to the shared tables, the next one finds them as they were made, and empty."""

from __future__ import annotations

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.tests.shared_tables import SharedTables

#: Deeds of tests, as statements with the database in place of ``{db}``.
LEFT = {
    "rows": "INSERT INTO {db}.tag (id) VALUES (1)",
    "a deletion": "ALTER TABLE {db}.course_blocks DELETE WHERE 1 SETTINGS mutations_sync = 2",
    "a column": "ALTER TABLE {db}.user_profile ADD COLUMN extra String",
    "no table": "DROP TABLE {db}.taxonomy",
    "a table of its own": "CREATE TABLE {db}.mine (a Int8) ENGINE = Memory",
    "a materialized view": "CREATE MATERIALIZED VIEW {db}.seen ENGINE = MergeTree ORDER BY id AS "
    "SELECT id FROM {db}.tag",
    "a dictionary": "CREATE DICTIONARY {db}.names (id Int32, name String) PRIMARY KEY id "
    "SOURCE(CLICKHOUSE(TABLE 'tag' DB '{db}')) LAYOUT(FLAT()) LIFETIME(0)",
    "no database": "DROP DATABASE {db}",
}


@pytest.mark.parametrize("statement", LEFT.values(), ids=LEFT)
def test_the_next_test_finds_the_tables_as_they_were_made(
    statement: str, shared_tables: SharedTables, clickhouse: ClickHouse
) -> None:
    database = clickhouse.connection.database
    made = clickhouse.columns()
    assert len(made) == 10
    clickhouse.command(statement.format(db=database))
    shared_tables.put_right()
    assert clickhouse.columns() == made
    rows = "SELECT sum(total_rows) FROM system.tables WHERE database = {db:String}"
    assert clickhouse.select(rows, {"db": database}) == [(0,)]
    mutations = "SELECT count() FROM system.mutations WHERE database = {db:String}"
    assert clickhouse.select(mutations, {"db": database}) == [(0,)]
