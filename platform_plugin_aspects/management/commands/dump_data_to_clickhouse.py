"""Backfill: bring objects that are there already to ClickHouse."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connections

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.backfill import ranges
from platform_plugin_aspects.delivery.backfill.runs import LeaseLost, walk_range
from platform_plugin_aspects.delivery.backfill.summary import Summary, summary_of
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.management import report
from platform_plugin_aspects.management.command import AspectsCommand
from platform_plugin_aspects.management.distribute import PIECES_PER_WORKER, distribute, require_workers
from platform_plugin_aspects.management.objects import (
    ALL,
    add_even_if_off_argument,
    add_object_argument,
    chosen,
    is_several,
    names_of,
    objects,
    parse_keys,
)
from platform_plugin_aspects.management.options import (
    CONNECTION_OPTIONS,
    add_connection_arguments,
    connection_from,
    failures_as_command_errors,
    require_at_least,
)
from platform_plugin_aspects.management.progress import Progress
from platform_plugin_aspects.management.stopping import INTERRUPTED
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink

DEFAULT_WORKERS = 4
#: Keys that are named in the last message, at most.
SHOWN = 10
#: Options that name keys, which differ from object to object.
OF_ONE_OBJECT = ("ids", "ids_to_skip", "start_pk")
#: Options that choose objects: a backfill that is resumed has its own.
CHOOSING = (*OF_ONE_OBJECT, "since", "force", "limit")
#: Options of how fast to go, which may be others when a backfill is resumed, and their names in Walk.
PACE = {
    "batch_size": "batch_size",
    "sleep_time": "sleep_secs",
    "max_rate": "max_rate",
    "read_from": "read_from",
}


@dataclass
class _Run:
    """The backfill of one object: its ranges, whether their progress is kept, and what became of it."""

    sink: BaseSink
    ranges: list[BackfillRange]
    kept: bool
    began: bool = False
    summary: Summary = field(default_factory=Summary)
    missing: list[str] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return all(row.status == ranges.Status.DONE for row in self.ranges)

    @property
    def failed(self) -> list[BackfillRange]:
        return [row for row in self.ranges if row.status == ranges.Status.FAILED]


class Command(AspectsCommand):
    """Walks the source in the order of its primary keys; each batch is one insert."""

    help = (
        "Bring objects of edx-platform to ClickHouse. Courses are written when they were published since their last "
        "dump; other objects always. Ctrl-C ends after the batch at hand; --resume goes on."
    )

    answered = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        add_object_argument(parser, "what to backfill")
        which = parser.add_argument_group("Which objects")
        which.add_argument(
            "--ids", nargs="+", action="extend", metavar="ID", help="only objects with these primary keys"
        )
        which.add_argument("--ids_to_skip", nargs="+", action="extend", metavar="ID", default=[], help="not these")
        which.add_argument("--start_pk", metavar="ID", help="only objects whose primary key is greater")
        which.add_argument(
            "--since",
            metavar="DATE",
            help="only objects modified (courses) or created then or later; ISO 8601, UTC unless it says otherwise",
        )
        which.add_argument("--force", action="store_true", help="also courses that are up to date")
        which.add_argument("--limit", type=int, metavar="N", help="write at most N objects (default: all)")
        which.add_argument(
            "--resume",
            action="store_true",
            help="go on with the last backfill of this object that was not given --ids or --limit, where it ended",
        )
        add_even_if_off_argument(which)
        which.add_argument("--dry-run", action="store_true", help="say what would be sent, send nothing")
        pace = parser.add_argument_group("How")
        pace.add_argument(
            "--batch_size", type=int, metavar="N", help="objects per insert (default: as many as the sink finds best)"
        )
        pace.add_argument("--sleep_time", type=float, metavar="SECONDS", help="pause between batches (default: 0)")
        pace.add_argument(
            "--max_rate", type=float, metavar="N", help="write at most N objects per second (default: no limit)"
        )
        pace.add_argument(
            "--read_from",
            metavar="ALIAS",
            help="read from this one of DATABASES, say a replica (default: as the routers say)",
        )
        pace.add_argument(
            "--workers",
            type=int,
            metavar="N",
            help="have N Celery workers do it at the same time (default: this process does)",
        )
        pace.add_argument("--distribute", action="store_true", help=f"the same as --workers {DEFAULT_WORKERS}")
        pace.add_argument("--no-progress", action="store_true", help="neither a bar nor lines while it goes on")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        if options["distribute"] and options["workers"] is None:
            options["workers"] = DEFAULT_WORKERS
        options["object"] = names_of(options["object"])
        _refuse_nonsense(options)
        with failures_as_command_errors():
            connection = connection_from(options)
        progress = Progress(
            self.stdout,
            bar=self.stderr.isatty() and not options["no_progress"],
            lines=not self.stderr.isatty() and not options["no_progress"],
            talkative=options["verbosity"] >= 2,
        )
        wanted = chosen(options["object"], self.stdout.write, even_if_off=options["even_if_off"])
        sinks_ = [sink(connection, options["read_from"]) for sink in wanted]
        # First of all sinks: nothing is begun when an option does not suit one of them.
        planned = [(sink, *self._options(sink, options)) for sink in sinks_]
        if options["workers"] and sinks_:
            with failures_as_command_errors():
                require_workers(connection)
        try:
            runs = [self._run(sink, after, walk, options) for sink, after, walk in planned]
            with progress:
                problem = self._walk(runs, connection, progress, options)
        except PLATFORM_FAULTS as error:
            raise CommandError(f"The platform's database failed ({type(error).__name__}): {error}") from None
        self._report(runs, options)
        self._end(runs, problem, progress.stopping, options)

    def _options(self, sink: BaseSink, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The key to begin after, and how to walk, as Walk.from_json reads it."""
        keys, skip, after = (parse_keys(sink, options[option]) for option in OF_ONE_OBJECT)
        since = _moment(options["since"])
        if since is not None and not sink.date:
            dated = [name for name, other in objects().items() if other.date]
            if ALL not in options["object"]:
                raise CommandError(f"{sink.name} has no date for --since; there are dates in {', '.join(dated)}")
            self.stdout.write(f"{sink.name} has no date for --since: all of it")
            since = None
        found = {
            "keys": None if keys is None else list(map(str, keys)),
            "skip": list(map(str, skip)) or None,
            "since": since and since.isoformat(),
            "force": options["force"] or None,
            "limit": options["limit"],
            "even_if_off": options["even_if_off"] or None,
            "dry_run": options["dry_run"] or None,
            **{name: options[option] for option, name in PACE.items()},
        }
        if found["max_rate"] and options["workers"]:
            found["max_rate"] /= options["workers"]
        return after, {name: value for name, value in found.items() if value is not None}

    def _run(self, sink: BaseSink, after: Any, walk: dict[str, Any], options: Mapping[str, Any]) -> _Run:
        """The backfill of a sink: a new one, or the one to go on with."""
        if options["resume"]:
            found = list(ranges.saved_ranges(sink))
            if found:
                for row in found:
                    row.options |= walk
                    if options["dry_run"]:
                        row.pk = None
                    elif row.status != ranges.Status.DONE:
                        row.save(update_fields=["options"])
                return _Run(sink, found, kept=not options["dry_run"])
            self.stdout.write(f"{sink.name}: there is no backfill to go on with: it begins")
        kept = not (options["ids"] or options["limit"] or options["dry_run"])
        pieces = (options["workers"] or 0) * PIECES_PER_WORKER or 1
        planned = ranges.plan(sink, walk, after, pieces)
        if kept:
            given_up = summary_of(row for row in ranges.saved_ranges(sink) if row.status != ranges.Status.DONE).last_key
            if given_up is not None:
                self.stdout.write(f"{sink.name}: an earlier backfill, which ended at {given_up}, is given up")
            ranges.save_ranges(sink, planned)
        return _Run(sink, planned, kept)

    def _walk(
        self, runs: list[_Run], connection: Connection, progress: Progress, options: Mapping[str, Any]
    ) -> str | None:
        """Walk one after the other; returns what made an end of it, or None."""
        for run in runs:
            if progress.stopping:
                return None
            run.began = True
            if run.finished:
                ended = max(row.updated_at for row in run.ranges).astimezone(UTC)
                progress.tell(f"{run.sink.name}: the last backfill finished at {ended:%Y-%m-%d %H:%M} UTC")
                run.summary = summary_of(run.ranges)
                continue
            started = time.monotonic()
            try:
                if options["workers"]:
                    run.ranges = distribute(run.sink, options["workers"], progress)
                else:
                    self._walk_here(run, connection, progress)
            except PLATFORM_FAULTS as error:
                return f"The platform's database failed ({type(error).__name__}): {error}"
            except (CommandError, Failure, LeaseLost, ValueError) as error:
                if options["workers"]:
                    _refresh(run)
                return str(error)
            finally:
                progress.end()
                run.summary = summary_of(run.ranges)
                if options["workers"]:
                    run.summary.seconds = time.monotonic() - started
        return None

    def _walk_here(self, run: _Run, connection: Connection, progress: Progress) -> None:
        progress.begin(run.sink, run.ranges)
        for row in run.ranges:
            if row.status != ranges.Status.DONE and not progress.stopping:
                summary = walk_range(row, connection, progress, patient=self.answered)
                run.missing += summary.missing
                # From now on, a ClickHouse that does not answer is waited for.
                self.answered |= summary.answered

    def _report(self, runs: list[_Run], options: Mapping[str, Any]) -> None:
        """Say what was done."""
        summaries = {run.sink.name: run.summary for run in runs if run.began}
        if is_several(options["object"]):
            lines = report.table(summaries, options["dry_run"])
        else:
            lines = (report.line(name, summary, options["dry_run"]) for name, summary in summaries.items())
        for line in (*lines, *report.rejected(summaries)):
            self.stdout.write(line)

    def _end(self, runs: list[_Run], problem: str | None, stopping: bool, options: Mapping[str, Any]) -> None:
        """Raise CommandError, with how to go on, unless all is well."""
        failed = [row for run in runs for row in run.failed if run.kept and options["workers"]]
        unfinished = [run for run in runs if not run.finished]
        if problem is not None:
            pass
        elif failed:
            listed = "".join(f"\n  {row.sink}{row.bounds}: {row.message}" for row in failed)
            problem = (
                f"{len(failed)} of {sum(len(run.ranges) for run in runs)} pieces failed:{listed}\nThey are not done"
            )
        elif unfinished:
            problem = "Stopped"
        if problem is not None:
            how = _how_to_go_on(unfinished, options)
            stopped = stopping and problem == "Stopped"
            raise CommandError(f"{problem}{how}", returncode=INTERRUPTED if stopped else 1) from None
        problems = []
        rejected = sum(run.summary.rejected for run in runs)
        if rejected:
            problems.append(f"{rejected} objects could not be written; they are named above")
        missing = sorted(key for run in runs for key in run.missing)
        if missing:
            problems.append(f"{len(missing)} of the --ids {'is' if len(missing) == 1 else 'are'} not there: ")
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            problems[-1] += f"{', '.join(missing[:SHOWN])}{more}"
        if problems:
            raise CommandError("\n".join(problems))


def _refresh(run: _Run) -> None:
    """Read what workers have done of the ranges, those that are still there."""
    rows = {row.pk: row for row in ranges.saved_ranges(run.sink)}
    run.ranges = [rows.get(row.pk, row) for row in run.ranges]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--since {text}: it must be an ISO 8601 date, as 2026-01-31 or 2026-01-31T12:00") from None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise CommandError(f"--since {text}: it must be a date of the years 1 to 9999 in UTC") from None


def _how_to_go_on(unfinished: list[_Run], options: Mapping[str, Any]) -> str:
    """The end of the message: the command line that goes on; nothing when that would be the same as before."""
    if options["dry_run"] or not unfinished:
        return ""
    current = unfinished[0]
    last_key = current.summary.last_key
    if last_key is None and len(unfinished) == 1 and not options["workers"]:
        return ""
    same = {name: options[name] for name in ("workers", "even_if_off", *CONNECTION_OPTIONS)}
    if options["password"] is not None:
        same["password"] = "***"
    if current.kept:
        how = report.command({"object": options["object"], "resume": True, **same})
        return f"; go on with: {how}"
    chosen = {name: options[name] for name in ("ids", "ids_to_skip", "since", *PACE)}
    chosen["start_pk"] = options["start_pk"] if last_key is None else last_key
    if options["limit"] is not None:
        chosen["limit"] = options["limit"] - current.summary.objects
    how = report.command({"object": current.sink.name, **chosen, **same})
    others = ", ".join(run.sink.name for run in unfinished[1:])
    return f"; go on with: {how}" + (f" and then with {others}" if others else "")


def _refuse_nonsense(options: dict[str, Any]) -> None:
    """Raise CommandError for options that cannot be meant."""
    require_at_least(options, limit=1, batch_size=1, sleep_time=0, workers=1)
    if options["max_rate"] is not None and not 0 < options["max_rate"] < math.inf:
        raise CommandError(f"--max_rate {options['max_rate']}: it must be more than 0")
    if options["limit"] is not None and options["force"]:
        raise CommandError(
            "--limit with --force would write the same objects again at every run; leave one of them out, "
            "or give --start_pk with the last id of the run before and no --limit"
        )
    if options["read_from"] is not None and options["read_from"] not in connections:
        raise CommandError(f"There is no database {options['read_from']!r}: choose one of {', '.join(connections)}")
    if is_several(options["object"]):
        for name in OF_ONE_OBJECT:
            if options[name]:
                raise CommandError(
                    f"--{name} names keys of one object: it cannot go with --object {' '.join(options['object'])}"
                )
    if options["resume"]:
        for name in CHOOSING:
            if options[name]:
                raise CommandError(f"--{name} cannot go with --resume: what was begun is gone on with as it was begun")
    if options["workers"]:
        for name in ("ids", "limit", "dry_run", *CONNECTION_OPTIONS):
            if options[name]:
                raise CommandError(
                    f"--{name.replace('dry_run', 'dry-run')} cannot go with --workers: "
                    "workers take whole ranges of keys, and write to the ClickHouse of the settings"
                )
