"""Backfill: write existing objects to ClickHouse."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from django.core.management.base import CommandError, CommandParser

from platform_plugin_aspects.delivery.backfill.ranges import (
    Status,
    Summary,
    Walk,
    plan,
    save_ranges,
    saved_ranges,
    summary_of,
)
from platform_plugin_aspects.delivery.backfill.runs import LeaseLost, walk_range
from platform_plugin_aspects.management import report
from platform_plugin_aspects.management.command import FAILURES, AspectsCommand, failure_text
from platform_plugin_aspects.management.distribute import PIECES_PER_WORKER, Distribution, require_workers
from platform_plugin_aspects.management.options import (
    add_connection_arguments,
    add_even_if_off_argument,
    add_object_argument,
    is_several,
)
from platform_plugin_aspects.management.progress import Progress
from platform_plugin_aspects.management.request import DEFAULT_WORKERS, Request
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.stopping import INTERRUPTED

#: Errors that end a backfill early.
ENDS: tuple[type[Exception], ...] = (*FAILURES, LeaseLost, ValueError)
#: Keys that are named in the last message, at most.
SHOWN = 10


@dataclass
class _Run:
    """The backfill of one object: its ranges, whether their progress is saved, and its result.

    ``began``: whether there is something to report. ``seconds``: how long workers took together.
    """

    sink: BaseSink
    ranges: list[BackfillRange]
    saved: bool
    began: bool = False
    seconds: float | None = None
    missing: list[str] = field(default_factory=list)

    @property
    def summary(self) -> Summary:
        summary = summary_of(self.ranges)
        return summary if self.seconds is None else replace(summary, seconds=self.seconds)

    @property
    def finished(self) -> bool:
        return all(row.status == Status.DONE for row in self.ranges)


class Command(AspectsCommand):
    """Walks the source in the order of its primary keys; each batch is one insert."""

    help = (
        "Write existing objects of edx-platform to ClickHouse. Courses are written if they were published since their "
        "last dump, other objects always. Ctrl-C ends after the current insert; --resume continues. While ClickHouse "
        "is away, the backfill waits for it, unless ClickHouse has not answered any insert yet: then it ends at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
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
            help="resume the last backfill of this object that was run without --ids and --limit",
        )
        add_even_if_off_argument(which)
        which.add_argument("--dry-run", action="store_true", help="print what would be written, write nothing")
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
        pace.add_argument("--no-progress", action="store_true", help="show no bar and no lines of progress")
        add_connection_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        request = Request.parse(options, self.stdout.write)
        progress = Progress(
            self.stdout,
            bar=self.stderr.isatty() and not options["no_progress"],
            lines=not self.stderr.isatty() and not options["no_progress"],
            talkative=options["verbosity"] >= 2,
        )
        if request.workers and request.walks:
            require_workers(request.connection)
        runs = [self._run(sink, walk, request) for sink, walk in request.walks]
        with progress:
            problem = self._walk(runs, request, progress)
        self._report(runs, request)
        self._end(runs, problem, progress.stopping, request)

    def _run(self, sink: BaseSink, walk: Walk, request: Request) -> _Run:
        """The backfill of a sink: a new one, or the last one if it is resumed."""
        if request.resume:
            found = list(saved_ranges(sink))
            if found:
                for row in found:
                    row.options |= walk.to_json()
                    if request.dry_run:
                        row.pk = None
                    elif row.status != Status.DONE:
                        row.save(update_fields=["options"])
                return _Run(sink, found, saved=not request.dry_run)
            self.stdout.write(f"{sink.name}: there is no backfill to resume: a new one begins")
        planned = plan(sink, walk, request.workers * PIECES_PER_WORKER or 1)
        if request.saves:
            rows = (row for row in saved_ranges(sink) if row.status != Status.DONE)
            given_up = summary_of(rows).last_key
            if given_up is not None:
                self.stdout.write(f"{sink.name}: an earlier backfill, which ended at {given_up}, is given up")
            save_ranges(sink, planned)
        return _Run(sink, planned, saved=request.saves)

    def _walk(self, runs: list[_Run], request: Request, progress: Progress) -> str | None:
        """Walk one sink after the other; returns the problem that ended the backfill early, or None."""
        answered = False
        for run in runs:
            if progress.stopping:
                return None
            if run.finished:
                ended = max(row.updated_at for row in run.ranges).astimezone(UTC)
                said = f"the last backfill finished at {ended:%Y-%m-%d %H:%M} UTC: there is nothing to resume"
                progress.tell(f"{run.sink.name}: {said}")
                # Objects that could not be written are not done.
                run.began = run.summary.rejected > 0
                continue
            run.began = True
            started = time.monotonic()
            try:
                if request.workers:
                    Distribution(run.sink, run.ranges, request.workers, progress).run()
                    continue
                progress.begin(run.sink, run.ranges)
                for row in run.ranges:
                    if row.status != Status.DONE and not progress.stopping:
                        # The command retries once ClickHouse has answered an insert.
                        summary = walk_range(row, request.connection, progress, patient=answered)
                        answered |= summary.answered
                        run.missing += summary.missing
            except ENDS as error:
                # A refusal is reported by its message alone.
                run.began = run.summary.last_key is not None
                return failure_text(error)
            finally:
                progress.end()
                if request.workers:
                    run.seconds = time.monotonic() - started
        return None

    def _report(self, runs: list[_Run], request: Request) -> None:
        """Print the counts, and the objects that cannot be written."""
        summaries = {run.sink.name: run.summary for run in runs if run.began}
        if not summaries:
            return
        if is_several(request.names):
            lines = report.table(summaries, request.dry_run)
        else:
            lines = (report.line(name, summary, request.dry_run) for name, summary in summaries.items())
        for line in (*lines, *report.rejected(summaries)):
            self.stdout.write(line)

    def _end(self, runs: list[_Run], problem: str | None, stopping: bool, request: Request) -> None:
        """Raise CommandError, with the command that continues, unless everything was written."""
        unfinished = [run for run in runs if not run.finished]
        rows = [row for run in runs for row in run.ranges]
        returncode = 1
        if problem is None and unfinished:
            failed = [row for row in rows if row.status == Status.FAILED] if request.workers else []
            if failed:
                listed = "".join(f"\n  {row.sink}{row.bounds}: {row.message}" for row in failed)
                problem = f"{len(failed)} of {len(rows)} pieces failed:{listed}\nThey are not done"
            else:
                problem = "Stopped"
                returncode = INTERRUPTED if stopping else 1
        if problem is not None:
            began = any(row.last_key or row.status == Status.DONE for row in rows)
            if not (began or request.resume or request.workers):
                # There is nothing to resume.
                BackfillRange.objects.filter(pk__in=[row.pk for row in rows]).delete()
                unfinished = []
            raise CommandError(f"{problem}{_how_to_go_on(unfinished, request)}", returncode=returncode) from None
        problems = []
        rejected = sum(run.summary.rejected for run in runs if run.began)
        if rejected:
            problems.append(f"{rejected} objects could not be written; they are named above")
        missing = sorted(key for run in runs for key in run.missing)
        if missing:
            problems.append(f"{len(missing)} of the --ids {'is' if len(missing) == 1 else 'are'} not there: ")
            more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
            problems[-1] += f"{', '.join(missing[:SHOWN])}{more}"
        if problems:
            raise CommandError("\n".join(problems))


def _how_to_go_on(unfinished: list[_Run], request: Request) -> str:
    """The end of the message: the command line that continues; empty if that is the same one again."""
    if request.dry_run or not unfinished:
        return ""
    current, *rest = unfinished
    done = current.summary
    if done.last_key is None and not rest and not request.workers:
        return ""
    if current.saved:
        return f"; resume with: {request.command_to_resume()}"
    how = request.command_after(current.sink, done.last_key, done.objects)
    others = ", ".join(run.sink.name for run in rest)
    return f"; resume with: {how}" + (f" and then with {others}" if others else "")
