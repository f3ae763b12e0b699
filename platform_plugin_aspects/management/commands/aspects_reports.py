"""Create, look at and rebuild the relations that boards read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.grants import Reader, onlooker_grants, owner_statements
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.grants import print_statements, reader_statements, refuse_embedded
from platform_plugin_aspects.management.options import (
    add_connection_arguments,
    add_json_argument,
    add_reader_arguments,
    connection_from,
    moment,
    reader_options,
)
from platform_plugin_aspects.operations import text
from platform_plugin_aspects.operations.reports import STATEMENT_SECS, remedies
from platform_plugin_aspects.operations.text import Verbatim
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, VIEWS_OF_PAGES, Layout, reports_are_on
from platform_plugin_aspects.reporting.migrate import Reports, Stopped
from platform_plugin_aspects.reporting.state import State, Status
from platform_plugin_aspects.sinks.registry import names_are_on
from platform_plugin_aspects.stopping import INTERRUPTED, Stoppable
from platform_plugin_aspects.xapi.addresses import has_addresses

ACTIONS = ("create", "status", "rebuild")


class Command(AspectsCommand):
    """Needs a user who may create databases, tables and views."""

    help = (
        "Relations that boards read, in the database ASPECTS_REPORTING_DATABASE. create: what is missing, and views of "
        "an older definition. status: the state of each; exit code 1 unless all are current. rebuild: stored relations "
        "of an older definition, beside those that boards read meanwhile, month by month; the same command resumes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "action",
            choices=ACTIONS,
            nargs="?",
            default="status",
            metavar="ACTION",
            help="create, status or rebuild (default: status)",
        )
        parser.add_argument(
            "--relation", nargs="+", default=[], metavar="NAME", help="rebuild these, and what they feed, in any case"
        )
        parser.add_argument(
            "--since",
            metavar="DATE",
            help="with rebuild: only read again, and add, what is there since the month of this day; ISO 8601, UTC",
        )
        parser.add_argument("--cluster", help="as for aspects_create_tables")
        parser.add_argument(
            "--print-grants",
            action="store_true",
            help="print the statements that make Superset's user, who may read the views of boards and nothing else, "
            "that let the plugin's user see the relations, and with --username that make the user who creates them. "
            "ClickHouse is not asked",
        )
        add_connection_arguments(parser)
        add_reader_arguments(parser)
        add_json_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        action: str = options["action"]
        since = moment(options, "since")
        _refuse(action, options)
        layout = Layout.from_settings(connection_from(options), options["cluster"], personal=names_are_on())
        if options["print_grants"]:
            self._print_grants(layout, options)
            return
        reports = Reports(get_client(replace(layout.connection, timeout_secs=STATEMENT_SECS)), layout)
        if action == "status":
            self._status(reports, as_json=options["json"])
        else:
            self._work(reports, action, options["relation"], since)

    def _status(self, reports: Reports, *, as_json: bool) -> None:
        states = reports.states()
        if as_json:
            found = {state.relation.name: {"status": str(state.status), "table": state.table} for state in states}
            self.stdout.write(Verbatim(text.as_json(found)))
        else:
            rows = [(state.relation.name, _words(state), state.table) for state in states]
            for line in text.table([("relation", "state", "table"), *rows]):
                self.stdout.write(line)
        for status, action in remedies(states).items():
            number = sum(state.status is status for state in states)
            raise CommandError(f"{number} relations are {status}: run `manage.py lms aspects_reports {action}`")

    def _work(self, reports: Reports, action: str, names: Sequence[str], since: datetime | None) -> None:
        with Stoppable("the current month") as stop, tqdm(unit=" months", disable=not self.stderr.isatty()) as bar:

            def watch(relation: str, month: int, number: int, months: int) -> bool:
                bar.set_description(f"{relation} {month // 100}-{month % 100:02} ({number} of {months})")
                bar.update()
                return not stop.stopping

            try:
                if action == "create":
                    made = reports.create(watch)
                elif since is not None:
                    made = reports.read_again(names, since.year * 100 + since.month, watch)
                else:
                    made = reports.rebuild(names, watch)
            except Stopped:
                raise CommandError("Stopped; the same command resumes", returncode=INTERRUPTED) from None
        done = {"create": "created", "rebuild": "rebuilt" if since is None else "read again"}[action]
        for name in made:
            self.stdout.write(f"{done} {name}")
        self.stdout.write(f"{len(made)} relations {done}")
        if not reports_are_on():
            self.stdout.write(
                f"{ENABLED_SETTING} is False: set it to True, so that aspects_check and the metrics watch them"
            )
        if older := [state.relation.name for state in reports.states() if state.status is not Status.CURRENT]:
            raise CommandError(
                f"Still of an older definition, or missing: {', '.join(older)}. "
                "Run `manage.py lms aspects_reports rebuild`"
            )

    def _print_grants(self, layout: Layout, options: dict[str, Any]) -> None:
        connection, given = layout.connection, reader_options(options)
        refuse_embedded(connection)
        views = [(layout.database, relation.name) for relation in layout.wanted if relation.is_for_boards]
        reader = replace(Reader.from_settings(views, **given), relations=tuple(views))
        owner, plugin = connection.credentials, Connection.from_settings().credentials[0]
        if reader.username in (owner[0], plugin):
            raise CommandError(
                f"{reader.username} is the plugin's user, or creates the reports: name another one for Superset"
            )
        statements: list[str] = []
        if options["username"] is not None:
            if not owner[1]:
                raise CommandError(f"Give the password of {owner[0]} by --password")
            statements += owner_statements(connection, layout.database, layout.cluster)
        if owner[0] != plugin or not statements:
            grants = onlooker_grants(layout.database, VIEWS_OF_PAGES, deletes=has_addresses())
            statements += [grant.statement(plugin, layout.cluster) for grant in grants]
        statements += reader_statements(reader, layout.cluster, self.stderr)
        print_statements(statements, self.stdout)


def _refuse(action: str, options: dict[str, Any]) -> None:
    """CommandError for options that do not go together."""
    for name in ("relation", "since"):
        if options[name] and action != "rebuild":
            raise CommandError(f"--{name} needs the action rebuild")
    if options["json"] and action != "status":
        raise CommandError("--json needs the action status")
    if any(reader_options(options).values()) and not options["print_grants"]:
        raise CommandError("--reader_username and --reader_password need --print-grants")


def _words(state: State) -> str:
    return f"{state.status}, rebuild begun" if state.begun else str(state.status)
