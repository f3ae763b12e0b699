"""Create the plugin's databases and tables in ClickHouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.grants import Reader, grant_statements
from platform_plugin_aspects.clickhouse.schema import (
    Table,
    create_database_statement,
    create_missing,
    missing_and_drifted,
)
from platform_plugin_aspects.load_test.tables import tables_by_database
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.grants import print_statements, reader_statements, refuse_embedded
from platform_plugin_aspects.management.options import (
    add_connection_arguments,
    add_reader_arguments,
    connection_from,
    reader_options,
)
from platform_plugin_aspects.operations.reports import relations_of_reader
from platform_plugin_aspects.operations.text import Verbatim
from platform_plugin_aspects.xapi.addresses import has_addresses


class Command(AspectsCommand):
    """Creates missing tables, alters and drops nothing; exit code 1 when a table differs from the plugin's."""

    help = (
        "Create the databases and the tables of the plugin in ClickHouse, where they do not exist. Nothing is altered "
        "or dropped; tables that differ from what the plugin writes are named, with exit code 1. "
        "Needs a user who may create tables."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_connection_arguments(parser)
        add_reader_arguments(parser)
        parser.add_argument(
            "--cluster", help="make Replicated tables ON CLUSTER (default: EVENT_SINK_CLICKHOUSE_CLUSTER_NAME)"
        )
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--dry-run", action="store_true", help="print the statements, run none")
        only.add_argument(
            "--print-grants",
            action="store_true",
            help="print the statements that make two users for an administrator to run: that of the settings, or of "
            "--username, with the rights that the plugin needs, and that with whom Superset reads. ClickHouse is not "
            "asked",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = options["cluster"]
        if cluster is None:
            cluster = settings.EVENT_SINK_CLICKHOUSE_CLUSTER_NAME
        connection = connection_from(options)
        if options["print_grants"]:
            reader = Reader.from_settings(relations_of_reader(connection), **reader_options(options))
            self._print_grants(connection, reader, cluster)
            return
        if any(reader_options(options).values()):
            raise CommandError("--reader_username and --reader_password need --print-grants")
        wanted = missing = 0
        differences: list[str] = []
        for place, some in tables_by_database(connection).items():
            made, differing = self._create(get_client(place), some, cluster, dry_run=options["dry_run"])
            wanted += len(some)
            missing += len(made)
            if differing:
                listed = "\n".join(f"  {difference}" for difference in differing)
                differences.append(
                    f"Tables in {place.database} that the plugin did not alter, and that differ:\n{listed}"
                )
        self.stdout.write(
            f"{missing} tables {'missing' if options['dry_run'] else 'created'}, {wanted - missing} there already"
        )
        if differences:
            raise CommandError("\n".join(differences))

    def _create(
        self, client: ClickHouse, wanted: Sequence[Table], cluster: str, *, dry_run: bool
    ) -> tuple[list[Table], list[str]]:
        """The tables that are missing in the client's database, made unless ``dry_run``, and how others differ."""
        database = client.connection.database
        if not dry_run:
            missing, differences = create_missing(client, wanted, cluster)
            for table in missing:
                self.stdout.write(f"created {database}.{table.name}")
            return missing, differences
        missing, differences = missing_and_drifted(wanted, client.columns())
        self.stdout.write(Verbatim(f"{create_database_statement(database, cluster)};"))
        for table in missing:
            self.stdout.write(Verbatim(f"{table.create_statement(database, cluster)};"))
        return missing, differences

    def _print_grants(self, connection: Connection, reader: Reader, cluster: str) -> None:
        refuse_embedded(connection)
        username, password = connection.credentials
        if not password:
            raise CommandError(
                f"Set a password for {username} in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG, or give it by --password"
            )
        if reader.username == username:
            raise CommandError(f"{username} is the plugin's user: name another one for Superset")
        statements = grant_statements(connection, cluster, deletes_statements=has_addresses())
        statements += reader_statements(reader, cluster, self.stderr)
        print_statements(statements, self.stdout)
