"""The databases and the tables of the plugin, as ``aspects_create_tables`` makes them."""

from __future__ import annotations

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import (
    create_database_statement,
    create_missing,
    has_database,
    missing_and_drifted,
)
from platform_plugin_aspects.load_test.tables import tables_by_database
from platform_plugin_aspects.operations.doctor.findings import Mark
from platform_plugin_aspects.operations.provision.step import Change, Step
from platform_plugin_aspects.operations.text import counted


class TablesStep(Step):
    """Creates what is missing, and alters and drops nothing. ``connection``: the administrator's."""

    def __init__(self, connection: Connection, cluster: str = ""):
        super().__init__()
        self.wanted = tables_by_database(connection)
        self.cluster = cluster

    def look(self) -> None:
        """See ``Step``."""
        for place, tables in self.wanted.items():
            database, client = place.database, get_client(place)
            if not has_database(client, database):
                statement = create_database_statement(database, self.cluster)
                self.changes.append(Change(f"create the database {database}", [statement]))
            missing, differences = missing_and_drifted(tables, client.columns())
            if missing:
                names = ", ".join(table.name for table in missing)
                statements = [table.create_statement(database, self.cluster) for table in missing]
                text = f"create {counted(len(missing), 'table')} in {database}: {names}"
                self.changes.append(Change(text, statements))
            for difference in differences:
                self.findings.append(
                    Mark.PROBLEM(
                        f"A table in {database} differs from the plugin's, and is left as it is: {difference}",
                        "Alter the table, or rename it and run this again",
                    )
                )

    def apply(self) -> None:
        """See ``Step``."""
        for place, tables in self.wanted.items():
            create_missing(get_client(place), tables, self.cluster)
