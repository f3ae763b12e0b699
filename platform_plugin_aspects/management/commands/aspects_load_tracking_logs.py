"""Load the platform's tracking logs: their events become xAPI statements in ClickHouse."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.replay.chunks import Choice, Counts
from platform_plugin_aspects.delivery.replay.files import CannotRead, Log, open_log
from platform_plugin_aspects.delivery.replay.load import (
    Transforming,
    WorkerLost,
    in_this_process,
    load,
    processes,
)
from platform_plugin_aspects.delivery.replay.positions import open_where_loaded
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.management import load_progress, report
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.load_progress import LoadProgress
from platform_plugin_aspects.management.options import add_even_if_off_argument, moment, require_at_least
from platform_plugin_aspects.operations import text
from platform_plugin_aspects.sinks.registry import HOW_TO_WRITE_IF_OFF, is_on, why_off
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.stopping import INTERRUPTED
from platform_plugin_aspects.xapi.processor import why_not_usable
from platform_plugin_aspects.xapi.transform import NotUsable

STDIN = "-"
#: Said of a file that is not a tracking log.
EXPECTED = (
    "A tracking log has an event as a JSON object in each line, as the platform writes it to tracking.log: "
    '{"name": "play_video", "event_type": "play_video", "time": "2026-03-01T10:00:00+00:00", ...}'
)


class Command(AspectsCommand):
    """The same transform and the same insert as of live events, so nothing is there twice."""

    help = (
        "Write the events in tracking logs of the platform to ClickHouse, as xAPI statements. Events that are there "
        "already, live or by an earlier load, get the same ids and are not there twice. Lines that hold no event are "
        "counted. Ends with exit code 1 when an event could not be transformed, and when a log has lines but no event. "
        "Ctrl-C ends after the current chunk of lines; --resume continues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files",
            nargs="+",
            metavar="FILE",
            help="tracking logs, plain or compressed with gzip or Zstandard; - is standard input",
        )
        which = parser.add_argument_group("Which events")
        for name, meaning in (("since", "of this moment or later"), ("until", "before this moment")):
            which.add_argument(
                f"--{name}", metavar="DATE", help=f"only events {meaning}; ISO 8601, UTC unless it says otherwise"
            )
        which.add_argument(
            "--resume",
            action="store_true",
            help="continue each log where an earlier load of the same --since and --until ended; rotated and changed "
            "logs are noticed",
        )
        add_even_if_off_argument(which)
        which.add_argument(
            "--dry-run", action="store_true", help="count events by name and lines by reason, write nothing"
        )
        pace = parser.add_argument_group("How")
        pace.add_argument("--max_rate", type=float, metavar="N", help="load at most N events per second (default: all)")
        pace.add_argument(
            "--workers", type=int, metavar="N", help="transform in N processes of this machine (default: in this one)"
        )
        pace.add_argument("--no-progress", action="store_true", help="show no bar and no lines of progress")

    def handle(self, *args: Any, **options: Any) -> None:
        choice = Choice(moment(options, "since"), moment(options, "until"), options["dry_run"])
        _refuse(options, choice)
        sink = StatementSink()
        shown = not options["no_progress"]
        progress = LoadProgress(
            self.stdout, bar=self.stderr.isatty() and shown, lines=not self.stderr.isatty() and shown
        )
        workers: AbstractContextManager[Transforming] = (
            processes(options["workers"]) if options["workers"] else nullcontext(in_this_process)
        )
        counted: dict[str, Counts] = {}
        unread: list[str] = []
        problem = None
        with progress, workers as transforming:
            try:
                for name in _each_once(options["files"], progress.tell):
                    if not progress.wants_to_stop():
                        with _opened(name, choice, options, progress) as log:
                            unread += self._load(log, choice, sink, progress, transforming, counted, options)
            except PLATFORM_FAULTS as error:
                problem = f"The platform's database failed ({type(error).__name__}): {error}"
            except (Failure, CannotRead, WorkerLost, NotUsable) as error:
                problem = str(error)
        self._end(counted, unread, problem, stopped=progress.stopping, options=options)

    def _load(
        self,
        log: Log,
        choice: Choice,
        sink: StatementSink,
        progress: LoadProgress,
        transforming: Transforming,
        counted: dict[str, Counts],
        options: Mapping[str, Any],
    ) -> list[str]:
        """Load one log and print its summary; returns why not all of it, or nothing, could be read."""
        is_whole = log.lines == 0
        progress.begin(log)
        counts = counted[log.name] = Counts()
        load(log, choice, sink, progress, transforming, counts, options["max_rate"])
        seconds = progress.now() - progress.began
        progress.end()
        self.stdout.write(load_progress.summary(log.name, counts, seconds, choice.dry_run))
        if log.damage:
            return [str(log.damage)]
        if is_whole and counts.is_of_others and not progress.wants_to_stop():
            return [f"{log.name} has no tracking event in any of its lines. {EXPECTED}"]
        return []

    def _end(
        self,
        counted: Mapping[str, Counts],
        unread: list[str],
        problem: str | None,
        *,
        stopped: bool,
        options: Mapping[str, Any],
    ) -> None:
        """Print the counts of all logs; CommandError unless every event was transformed and every log read."""
        total = Counts()
        for counts in counted.values():
            total.add(counts)
        for line in (*load_progress.details(total), *load_progress.problems(counted)):
            self.stdout.write(line)
        if problem is not None or stopped:
            # If not even the first log could be opened, the same command would fail again.
            begun = bool(counted) or problem is None
            how = f"; continue with: {_command_to_resume(options)}" if begun and not options["dry_run"] else ""
            raise CommandError(
                f"{problem or 'Stopped'}{how}", returncode=INTERRUPTED if problem is None else 1
            ) from None
        problems = list(unread)
        rejected = sum(total.rejected.values())
        if rejected:
            problems.append(
                f"{text.counted(rejected, 'event')} could not be transformed; the first ones are named above"
            )
        if problems:
            raise CommandError("\n".join(problems))


def _refuse(options: Mapping[str, Any], choice: Choice) -> None:
    """Raise CommandError for invalid options, and where no statements can be made or they would surprise somebody."""
    require_at_least(options, workers=1)
    if options["max_rate"] is not None and not 0 < options["max_rate"] < math.inf:
        raise CommandError(f"--max_rate {options['max_rate']}: it must be more than 0")
    if choice.since and choice.until and choice.since >= choice.until:
        raise CommandError("--since must be before --until")
    if options["resume"] and STDIN in options["files"]:
        raise CommandError("--resume cannot be used with standard input, which always begins anew: name files")
    if options["resume"] and options["dry_run"]:
        raise CommandError("--resume cannot be used with --dry-run, which counts all of a log")
    reason = why_not_usable()
    if reason:
        raise CommandError(f"No statements can be made: {reason}")
    if not (options["even_if_off"] or options["dry_run"] or is_on(StatementSink)):
        raise CommandError(f"{why_off(StatementSink)}. {HOW_TO_WRITE_IF_OFF}")


def _each_once(names: Iterable[str], tell: Callable[[str], Any]) -> Iterator[str]:
    """The names of logs without those of a file that has been named; ``tell`` gets a remark on files of two names."""
    seen: dict[tuple[int, int] | str, str] = {}
    for name in names:
        file: tuple[int, int] | str = name
        if name != STDIN:
            # Opening it says what is wrong.
            with suppress(OSError, ValueError):
                found = os.stat(name)
                file = (found.st_dev, found.st_ino)
        if file not in seen:
            seen[file] = name
            yield name
        elif seen[file] != name:
            tell(f"{name} is the same file as {seen[file]}: it is loaded once")


@contextmanager
def _opened(name: str, choice: Choice, options: Mapping[str, Any], progress: LoadProgress) -> Iterator[Log]:
    if options["resume"]:
        with open_where_loaded(name, choice, progress.tell) as log:
            yield log
        return
    with open_log(name, sys.stdin.buffer if name == STDIN else None) as log:
        yield log


def _command_to_resume(options: Mapping[str, Any]) -> str:
    """The command line that continues; one that read standard input is run again."""
    values = {name: options[name] for name in ("since", "until", "max_rate", "workers", "even_if_off")}
    values = {"resume": STDIN not in options["files"], **values}
    return report.command(values, *options["files"], name="aspects_load_tracking_logs", service="lms")
