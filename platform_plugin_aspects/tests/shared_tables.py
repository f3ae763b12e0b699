"""The plugin's tables in databases that all tests of a process share: made once, put right before each test."""

from __future__ import annotations

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.load_test.tables import tables_by_database


class SharedTables:
    """All tables of a connection, in the databases that it names.

    A test may do anything to them: ``put_right`` drops each table that a test has changed, added or mutated, makes
    what is missing, and empties the others.
    """

    def __init__(self, connection: Connection):
        self.connection = connection
        self._create_missing()
        #: Per database and table, the statement that makes it, as ClickHouse shows it.
        self._made = {place: made for place, _kind, made, _has_rows in self._look(get_client(connection))}

    def put_right(self) -> None:
        """Every table of the sinks that are set is as it was made, and empty. These databases have no other table."""
        client = get_client(self.connection)
        missing = {
            (place.database, table.name)
            for place, tables in tables_by_database(self.connection).items()
            for table in tables
        }
        for place, kind, made, has_rows in self._look(client):
            table = ".".join(map(quote, place))
            if self._made.get(place) != made:
                # A materialized view takes its table along.
                client.command(f"DROP {kind} IF EXISTS {table} SYNC")
                continue
            missing.discard(place)
            if has_rows:
                client.command(f"TRUNCATE TABLE {table}")
        if missing:
            self._create_missing()

    def _create_missing(self) -> None:
        for place, tables in tables_by_database(self.connection).items():
            create_missing(get_client(place), tables)

    def _look(self, client: ClickHouse) -> list[tuple[tuple[str, str], str, str, bool]]:
        """(database and name, TABLE or DICTIONARY, its statement, whether it has rows) of each; tables come last.

        A mutated table has no statement.
        """
        sql = (
            "SELECT database, name, if(engine = 'Dictionary', 'DICTIONARY', 'TABLE'), if((database, name) IN "
            "(SELECT database, table FROM system.mutations), '', create_table_query), total_rows > 0 "
            "FROM system.tables WHERE database IN {databases:Array(String)} ORDER BY engine LIKE '%MergeTree'"
        )
        databases = [place.database for place in tables_by_database(self.connection)]
        return [
            ((database, name), kind, made, bool(has_rows))
            for database, name, kind, made, has_rows in client.select(sql, {"databases": databases})
        ]
