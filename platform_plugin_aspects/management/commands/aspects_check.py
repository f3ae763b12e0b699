"""The doctor: find out why dashboards are empty."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.options import (
    CONNECTION_OPTIONS,
    add_connection_arguments,
    add_json_argument,
    add_reader_arguments,
    connection_from,
    reader_options,
)
from platform_plugin_aspects.operations.doctor import SECTIONS, diagnose, end_to_end
from platform_plugin_aspects.operations.doctor.end_to_end import EndToEnd
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark
from platform_plugin_aspects.operations.text import as_json, printable

PROBLEMS, CRASHED = 1, 2
WIDTH = max(map(len, Mark))


class Command(AspectsCommand):
    """Exit code 0: no problem; 1: problems; 2: a section crashed."""

    help = (
        "Find out why dashboards are empty: look at settings, sinks, ClickHouse, workers, deliveries and Superset, and "
        "say of each problem what to do. Writes nothing, unless --end_to_end is given. Exit code 0: no problem, "
        "1: problems, 2: a section crashed."
    )
    # The first section runs them.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        titles = {title.lower(): title for title in SECTIONS}
        parser.add_argument(
            "--only",
            nargs="+",
            action="extend",
            default=[],
            type=lambda given: titles.get(given.lower(), given),
            choices=list(SECTIONS),
            metavar="SECTION",
            help=f"look only at these sections: {', '.join(SECTIONS)} (default: all)",
        )
        parser.add_argument(
            "--end_to_end",
            metavar="COURSE_ID",
            help="also emit one event, a click on a link in this course, find it in the outbox, in ClickHouse and in "
            "the reports, and ask for a number of the board as a guest; it counts as activity of the user",
        )
        parser.add_argument(
            "--as_user", metavar="USERNAME", help="with --end_to_end: who clicks (default: the oldest active superuser)"
        )
        add_json_argument(parser)
        add_connection_arguments(parser)
        add_reader_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = None
        if any(options[name] is not None for name in CONNECTION_OPTIONS):
            connection = connection_from(options)
        if options["as_user"] and not options["end_to_end"]:
            raise CommandError("--as_user needs --end_to_end")
        more = {}
        if options["end_to_end"]:
            more[end_to_end.TITLE] = EndToEnd(options["end_to_end"], options["as_user"] or "").examine
        sections = []
        for title, findings in diagnose(Examination(connection, **reader_options(options)), options["only"], more):
            sections.append((title, findings))
            if not options["json"]:
                self._print(title, findings)
        marks = Counter(finding.mark for _title, findings in sections for finding in findings)
        if options["json"]:
            self.stdout.write(as_json(_as_data(sections, marks)))
        else:
            self.stdout.write(_summary(marks))
        if marks[Mark.CRASHED]:
            sys.exit(CRASHED)
        if marks[Mark.PROBLEM]:
            sys.exit(PROBLEMS)

    def _print(self, title: str, findings: Iterable[Finding]) -> None:
        styles = {
            Mark.OK: self.style.SUCCESS,
            Mark.NOTE: self.style.WARNING,
            Mark.PROBLEM: self.style.ERROR,
            Mark.CRASHED: self.style.ERROR,
        }
        self.stdout.write(self.style.MIGRATE_HEADING(title))
        for finding in findings:
            mark = finding.mark.ljust(WIDTH)
            styled = styles[finding.mark](mark) if finding.mark in styles else mark
            # Coloured after the line is broken, because codes of colours take no room on the terminal.
            self.stdout.write(f"  {mark}  {printable(finding.text)}", partial(_with_style, mark, styled))
            if finding.remedy:
                self.stdout.write(f"  {'':{WIDTH}}  -> {printable(finding.remedy)}")


def _with_style(mark: str, styled: str, line: str) -> str:
    return line.replace(mark, styled, 1)


def _summary(marks: Counter[Mark]) -> str:
    problems = marks[Mark.PROBLEM]
    said = f"{problems} problem{'' if problems == 1 else 's'}" if problems else "No problem found"
    if marks[Mark.CRASHED]:
        said += f", but {marks[Mark.CRASHED]} of the sections crashed"
    return said


def _as_data(sections: Iterable[tuple[str, list[Finding]]], marks: Counter[Mark]) -> dict[str, Any]:
    return {
        "problems": marks[Mark.PROBLEM],
        "crashed": marks[Mark.CRASHED],
        "sections": [
            {"title": title, "findings": [asdict(finding) for finding in findings]} for title, findings in sections
        ],
    }
