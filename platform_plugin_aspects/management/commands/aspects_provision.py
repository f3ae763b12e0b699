"""Make in ClickHouse and in Superset what the plugin and its boards need there."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.dashboards.own_boards.own_boards import MAX_BYTES, UnusableBoard, add
from platform_plugin_aspects.dashboards.superset.api import Account
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.credentials import add_administrator_arguments, administrator
from platform_plugin_aspects.management.grants import print_statements
from platform_plugin_aspects.operations.doctor import boards
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark
from platform_plugin_aspects.operations.provision import clickhouse, platform_settings, superset_config
from platform_plugin_aspects.operations.provision.clickhouse import ClickHousePart
from platform_plugin_aspects.operations.provision.superset import SupersetPart, why_without
from platform_plugin_aspects.operations.text import Verbatim, counted, printable

SUPERSET_S_FILE = "# Superset: add these lines at the end of superset_config.py, and restart it."


class Command(AspectsCommand):
    """Exit code 0: done, or nothing to do; 1: something is left for a person."""

    help = (
        "Create all that the plugin and its boards need: in ClickHouse databases, tables, users and reports; in "
        "Superset the service account, the connection, the boards in each language, and the rights of guests. A second "
        "run changes nothing; after a fault, run it again. Exit code 1: something is left to do, which is printed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--clickhouse", action="store_true", help="only ClickHouse (default: both)")
        parser.add_argument("--superset", action="store_true", help="only Superset (default: both)")
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--dry-run", action="store_true", help="print what would be changed, and change nothing")
        only.add_argument(
            "--print",
            action="store_true",
            help="print ClickHouse's statements, Superset's configuration and settings that are missing, for people to "
            "run and to paste; no other system is asked",
        )
        only.add_argument(
            "--add",
            metavar="EXPORT.ZIP",
            help="check a dashboard that Superset has exported, and keep it in ASPECTS_BOARDS_DIR; later runs put "
            "it into Superset with the rest. Without --superset, nothing else is done",
        )
        parser.add_argument("--cluster", help="as for aspects_create_tables")
        parser.add_argument("--guest_role", help="Superset's GUEST_ROLE_NAME (default: as in SUPERSET_CONFIG)")
        add_administrator_arguments(parser, "ClickHouse")
        add_administrator_arguments(parser, "Superset")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["add"]:
            self._add(Path(options["add"]))
            if not (options["clickhouse"] or options["superset"]):
                return
        both = options["clickhouse"] == options["superset"]
        parts = {name: both or options[name] for name in ("clickhouse", "superset")}
        cluster = options["cluster"]
        if cluster is None:
            cluster = settings.EVENT_SINK_CLICKHOUSE_CLUSTER_NAME
        if options["print"]:
            self._print(parts, cluster, options)
            return
        # Both are read before the first change: an invalid setting of either ends the command here.
        in_clickhouse = ClickHousePart.from_settings(cluster) if parts["clickhouse"] else None
        in_superset = self._superset_part(is_alone=not both) if parts["superset"] else None
        problems = False
        if in_clickhouse is not None:
            problems |= self._clickhouse(in_clickhouse, options)
        if isinstance(in_superset, SupersetPart):
            problems |= self._superset(in_superset, options)
        elif in_superset is not None:
            problems |= self._tell_findings([in_superset])
        if problems:
            raise CommandError("Something is left to do: see the problems above")

    def _add(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                board = add(file.read(MAX_BYTES + 1))
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from None
        except UnusableBoard as error:
            listed = "\n".join(f"  {problem}" for problem in error.problems)
            raise CommandError(f"{path} is not kept:\n{listed}") from None
        self.stdout.write(f"Kept {board.title} as {board.path}. aspects_provision puts it into Superset.")

    def _superset_part(self, *, is_alone: bool) -> SupersetPart | Finding:
        """The part as configured, or the note that it is left out. Raises CommandError if it ``is_alone`` left out."""
        problem, remedy = why_without()
        if not problem:
            return SupersetPart.from_settings(tolerant=True)
        if is_alone:
            raise CommandError(f"{problem}: {remedy[:1].lower()}{remedy[1:]}")
        return Mark.NOTE(f"Superset is left out: {problem}", remedy)

    # The two parts. Each returns whether there are problems.

    def _clickhouse(self, part: ClickHousePart, options: dict[str, Any]) -> bool:
        account = ("", "") if part.is_embedded else administrator("ClickHouse", options, "default")
        began = time.monotonic()
        outcome = clickhouse.provision(part, account, self._tell, dry_run=options["dry_run"])
        self._summary("ClickHouse", outcome.changes, time.monotonic() - began, dry_run=options["dry_run"])
        return self._tell_findings(outcome.findings)

    def _superset(self, part: SupersetPart, options: dict[str, Any]) -> bool:
        given = administrator("Superset", options, "admin")
        began = time.monotonic()
        provision = part.provision(Account(*given), options["guest_role"] or "")
        if options["dry_run"]:
            changes = provision.plan()
            for change in changes:
                self._tell(change.text)
        else:
            changes = provision.apply(lambda change: self._tell(change.text))
        self._summary("Superset", len(changes), time.monotonic() - began, dry_run=options["dry_run"])
        problems = self._tell_findings([Mark.PROBLEM(text) for text in part.faults])
        # With a faulty board, the look would end at the same fault.
        if options["dry_run"] or problems:
            return problems
        return self._look(options["guest_role"] or part.config.guest_role)

    def _look(self, guest_role: str) -> bool:
        """Look at the boards as aspects_check does; print findings, and the missing lines of Superset's file."""
        findings = [finding for finding in boards.look_at(Examination()) if finding.mark in (Mark.NOTE, Mark.PROBLEM)]
        problems = self._tell_findings(findings)
        parts = superset_config.named_in([f"{finding.text} {finding.remedy}" for finding in findings])
        if parts:
            self._paste(SUPERSET_S_FILE, *superset_config.lines(guest_role, parts))
        return problems

    # Printing.

    def _print(self, parts: dict[str, bool], cluster: str, options: dict[str, Any]) -> None:
        findings: list[Finding] = []
        if parts["clickhouse"]:
            part = ClickHousePart.from_settings(cluster)
            self._paste("-- ClickHouse: run as an administrator.")
            print_statements(clickhouse.statements(part), self.stdout)
            findings += part.findings()
        if parts["superset"]:
            guest_role = options["guest_role"] or SupersetConfig.from_settings().guest_role
            self._paste(SUPERSET_S_FILE, *superset_config.lines(guest_role), *superset_config.ADMINISTRATOR)
            if lines := platform_settings.missing():
                self._paste("# LMS and CMS: add these settings, with values of your own, and restart.", *lines)
        self._tell_findings(findings)

    def _paste(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(Verbatim(line))

    def _tell(self, text: str) -> None:
        self.stdout.write(f"  {printable(text)}")

    def _summary(self, title: str, changes: int, seconds: float, *, dry_run: bool) -> None:
        if not changes:
            self.stdout.write(f"{title}: nothing to do")
        elif dry_run:
            self.stdout.write(f"{title}: {counted(changes, 'change')} to make; nothing was changed")
        else:
            self.stdout.write(f"{title}: {counted(changes, 'change')} in {seconds:.1f} s")

    def _tell_findings(self, findings: Iterable[Finding]) -> bool:
        """Print findings; whether one of them is a problem."""
        problems = 0
        for finding in findings:
            problems += finding.mark is Mark.PROBLEM
            self.stderr.write(f"{finding.mark}  {printable(finding.text)}")
            if finding.remedy:
                self.stderr.write(f"  -> {printable(finding.remedy)}")
        return problems > 0
