"""Report on load tests: as a table, as JSON, or as an HTML page with charts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.load_test import runs
from platform_plugin_aspects.load_test.report import Report, about, listing, make_report, table
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.options import add_connection_arguments, add_json_argument, connection_from
from platform_plugin_aspects.operations import text

#: How many runs are listed.
LATEST = 10


class Command(AspectsCommand):
    """Reads load_test_runs and load_test_stats; writes nothing but the file of --html."""

    help = (
        "Report on load tests side by side: what was sent, what arrived in ClickHouse, how far it lagged behind, how "
        "long the queue was. Without run ids: list the latest runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run_ids", nargs="*", metavar="run_id", help="run of load_test_tracking_events")
        parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with charts, whole in this file")
        add_json_argument(parser)
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        run_ids = list(dict.fromkeys(options["run_ids"]))
        if options["html"] and not run_ids:
            raise CommandError("--html needs the ids of the runs to show: without any, the latest are listed")
        client = get_client(connection_from(options))
        found = [_loaded(client, run_id) for run_id in run_ids] if run_ids else runs.latest(client, LATEST)
        if run_ids:
            self._report([make_report(run) for run in found], options)
        elif options["json"]:
            self.stdout.write(text.as_json([about(run) for run in found]))
        else:
            self._print(listing(found), right={2, 3})
        if not run_ids:
            # Reports say it themselves.
            for line in (line for run in found for line in run.left_out):
                self.stderr.write(text.printable(line))

    def _report(self, reports: Sequence[Report], options: dict[str, Any]) -> None:
        if options["html"]:
            _write_page(options["html"], reports)
        if options["json"]:
            self.stdout.write(text.as_json([report.as_data() for report in reports]))
            return
        self._print(table(reports), right=range(1, len(reports) + 1))
        for report in reports:
            for note in report.missing:
                self.stdout.write(text.printable(f"{report.run.run_id}: {note}"))
        if options["html"]:
            self.stdout.write(f"written to {options['html']}")

    def _print(self, rows: Sequence[Sequence[str]], right: Collection[int]) -> None:
        for line in text.table(rows, right):
            self.stdout.write(line)


def _loaded(client: ClickHouse, run_id: str) -> runs.Run:
    run = runs.load(client, run_id)
    if run is None:
        latest = ", ".join(known.run_id for known in runs.latest(client, LATEST)) or "none"
        raise CommandError(text.printable(f"There is no load test {run_id!r}; the latest are: {latest}"))
    return run


def _write_page(path: Path, reports: Sequence[Report]) -> None:
    try:
        from platform_plugin_aspects.load_test.page import MOST_RUNS, page
    except ModuleNotFoundError as error:
        raise CommandError(
            f'{error.name} is not installed, which draws the charts: pip install "platform-plugin-aspects[report]"'
        ) from None
    if len(reports) > MOST_RUNS:
        raise CommandError(f"{len(reports)} runs on one page cannot be told apart: name at most {MOST_RUNS}")
    try:
        path.write_text(page(reports), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
