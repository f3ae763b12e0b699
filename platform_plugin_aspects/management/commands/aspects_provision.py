"""Make in ClickHouse what the plugin and its boards need there."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.credentials import add_administrator_arguments, administrator
from platform_plugin_aspects.management.grants import print_statements
from platform_plugin_aspects.operations.doctor.findings import Finding, Mark
from platform_plugin_aspects.operations.provision import clickhouse
from platform_plugin_aspects.operations.provision.clickhouse import ClickHousePart
from platform_plugin_aspects.operations.text import counted, printable


class Command(AspectsCommand):
    """Exit code 0: done, or nothing to do; 1: something is left for a person."""

    help = (
        "Create in ClickHouse the databases, tables, users and reports. A second run changes nothing; after a fault, "
        "run it again. Exit code 1: something is left to do, which is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--dry-run", action="store_true", help="print what would be changed, and change nothing")
        only.add_argument(
            "--print",
            action="store_true",
            help="print the statements for somebody else to run; no other system is asked",
        )
        parser.add_argument("--cluster", help="as for aspects_create_tables")
        add_administrator_arguments(parser, "ClickHouse")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = options["cluster"]
        if cluster is None:
            cluster = settings.EVENT_SINK_CLICKHOUSE_CLUSTER_NAME
        part = ClickHousePart.from_settings(cluster)
        if options["print"]:
            print_statements(clickhouse.statements(part), self.stdout)
            self._print(part.findings())
            return
        if self._clickhouse(part, options):
            raise CommandError("Something is left to do: see the problems above")

    def _clickhouse(self, part: ClickHousePart, options: dict[str, Any]) -> bool:
        """Whether there are problems."""
        began = time.monotonic()
        name = ("", "") if part.is_embedded else administrator("ClickHouse", options, "default")
        outcome = clickhouse.provision(part, name, self._tell, dry_run=options["dry_run"])
        self._summary("ClickHouse", outcome.changes, time.monotonic() - began, dry_run=options["dry_run"])
        return self._print(outcome.findings)

    def _tell(self, text: str) -> None:
        self.stdout.write(f"  {printable(text)}")

    def _summary(self, title: str, changes: int, seconds: float, *, dry_run: bool) -> None:
        if not changes:
            self.stdout.write(f"{title}: nothing to do")
        elif dry_run:
            self.stdout.write(f"{title}: {counted(changes, 'change')} to make; nothing was changed")
        else:
            self.stdout.write(f"{title}: {counted(changes, 'change')} in {seconds:.1f} s")

    def _print(self, findings: Iterable[Finding]) -> bool:
        """Print findings; whether one of them is a problem."""
        problems = 0
        for finding in findings:
            problems += finding.mark is Mark.PROBLEM
            self.stderr.write(f"{finding.mark}  {printable(finding.text)}")
            self.stderr.write(f"  -> {printable(finding.remedy)}")
        return problems > 0
