"""Show how delivery is doing."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from platform_plugin_aspects import databases
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.options import add_json_argument, require_at_least
from platform_plugin_aspects.operations.doctor.findings import manage
from platform_plugin_aspects.operations.reports import reports_status
from platform_plugin_aspects.operations.status import SHOWN, SinkStatus, sink_statuses
from platform_plugin_aspects.operations.text import Verbatim, as_json, counted, duration, fit, printable, table
from platform_plugin_aspects.operations.unfinished import unfinished_backfills
from platform_plugin_aspects.reporting.state import Status

#: Seconds between two looks of --watch, unless it says otherwise.
WATCH_SECS = 5
#: The codes that move a terminal to its upper left corner, and clear what is below.
HOME, CLEAR, CLEAR_LINE = "\x1b[H", "\x1b[J", "\x1b[K"


class Command(AspectsCommand):
    """Exit code 0 whatever the figures are."""

    help = (
        "Show per sink whether it is on in this service, what is pending and since when, the last delivery, how many "
        "objects were delivered in the last hour, which cannot be written and why, and which backfills have not "
        "ended. It asks the platform's database and, with ASPECTS_REPORTING_ENABLED, ClickHouse for the state of the "
        "reports. Exit code 0 whatever there is to see."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            nargs="?",
            type=float,
            const=WATCH_SECS,
            metavar="SECONDS",
            help=f"look again and again, every so many seconds (default: {WATCH_SECS}), until Ctrl-C",
        )
        add_json_argument(parser)
        parser.add_argument(
            "--show",
            type=int,
            default=SHOWN,
            metavar="N",
            help=f"at most N failing objects per sink (default: {SHOWN})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        watch, show = options["watch"], options["show"]
        if watch is not None and not 0 < watch < math.inf:
            raise CommandError(f"--watch {watch}: it must be a number of seconds above 0")
        if watch is not None and options["json"]:
            raise CommandError("--watch is for people, --json for machines: leave one of them out")
        require_at_least(options, show=0)
        if options["json"]:
            data = {
                "at": timezone.now(),
                "sinks": [asdict(status) for status in sink_statuses(show)],
                "backfills": [asdict(found) for found in unfinished_backfills()],
            }
            if (found := reports_status()) is not None:
                data["reports"] = asdict(found)
            self.stdout.write(as_json(data))
        elif watch is None:
            self.stdout.write(_report(show))
        else:
            self._watch(watch, show)

    def _watch(self, seconds: float, show: int) -> None:
        terminal = self.stdout.isatty()
        try:
            while True:
                report = _report(show)
                self.stdout.write(_screen(report) if terminal else f"{report}\n", ending="" if terminal else None)
                self.stdout.flush()
                time.sleep(seconds)
                databases.check_before_use()
        except KeyboardInterrupt:
            # The terminal has written "^C"; the shell's prompt belongs on a line of its own.
            self.stdout.write("", ending="\n" if terminal else "")


def _report(show: int) -> str:
    statuses, now = sink_statuses(show), timezone.now()
    heading = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {getattr(settings, 'SERVICE_VARIANT', '')}"
    lines = (*_table(statuses, now), *_waiting(statuses, now), *_failing(statuses, now), *_backfills(now), *_reports())
    return "\n".join([heading, *lines])


def _screen(report: str) -> Verbatim:
    """The text that draws the report over the former one: as much of it as the terminal has room for."""
    size = shutil.get_terminal_size()
    lines = list(fit(report, size.columns))
    if len(lines) >= size.lines:
        lines = [*lines[: max(1, size.lines - 2)], "..."]
    return Verbatim(f"{HOME}{''.join(f'{line}{CLEAR_LINE}' + chr(10) for line in lines)}{CLEAR}")


def _table(statuses: Sequence[SinkStatus], now: datetime) -> Iterator[str]:
    rows: list[Sequence[object]] = [("sink", "", "pending", "oldest", "last", "per hour", "in all", "failing")]
    for status in statuses:
        rows.append(
            (
                status.sink,
                ("on" if status.enabled else "off") if status.known else "gone",
                f"{status.pending:,}",
                _age(status.oldest_pending_at, now),
                _age(status.last_success_at, now),
                f"{status.rate_per_hour:,}",
                f"{status.objects_delivered:,}",
                f"{status.failing_objects:,}",
            )
        )
    return table(rows, right=range(2, 8))


def _waiting(statuses: Sequence[SinkStatus], now: datetime) -> Iterator[str]:
    """Sinks whose deliveries fail, and why."""
    for status in statuses:
        if status.failures:
            yield printable(
                f"{status.sink} is tried again {_until(status.retry_at, now)}: deliveries failed "
                f"{status.failures} times, last {_age(status.last_error_at, now)} ago: {status.last_error}"
            )


def _failing(statuses: Sequence[SinkStatus], now: datetime) -> Iterator[str]:
    """Objects that cannot be written, and why."""
    for status in statuses:
        for failing in status.failing:
            yield printable(
                f"{status.sink} {failing} cannot be written (attempts: {failing.attempts}, again "
                f"{_until(failing.retry_at, now)}): {failing.error}"
            )
        if status.failing_objects > len(status.failing):
            yield f"{status.sink}: and {status.failing_objects - len(status.failing):,} more cannot be written"
        for each in status.reasons:
            events = counted(each.number, f"{each.name} event")
            yield printable(f"{status.sink}: {events} cannot be written: {each.reason}")


def _backfills(now: datetime) -> Iterator[str]:
    """Unfinished backfills, and how to resume them."""
    for found in unfinished_backfills():
        pieces = f"{found.done} of {found.pieces} pieces done, " if found.pieces > 1 else ""
        why = f": {found.message}" if found.message else ""
        state = {"running": "is running", "failed": "failed", "stopped": "ended early"}[found.state]
        yield printable(
            f"{found.sink}: a backfill {state} ({pieces}{found.objects:,} objects so far, last heard of "
            f"{_age(found.heard_at, now)} ago){why}"
        )
        if found.state != "running":
            yield f"  resume it: {manage(found.resume)}"


def _reports() -> Iterator[str]:
    """The state of the reports, and how to correct it; nothing while they are off."""
    found = reports_status()
    if found is None:
        return
    if found.error:
        yield printable(f"reports: their state is not known: {found.error}")
        return
    for status, names in found.relations.items():
        if status is Status.CURRENT:
            yield f"reports: {counted(len(names), 'relation')} {status}"
        else:
            yield printable(f"reports: {', '.join(names)} {'is' if len(names) == 1 else 'are'} {status}")
            yield f"  correct it: {manage(f'aspects_reports {found.remedies[status]}')}"
    if found.begun:
        yield printable(f"reports: a rebuild of {', '.join(found.begun)} has begun and not ended")
        yield f"  resume it: {manage('aspects_reports rebuild')}"


def _age(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else duration(now - moment)


def _until(moment: datetime | None, now: datetime) -> str:
    return "now" if moment is None or moment <= now else f"in {duration(moment - now)}"
