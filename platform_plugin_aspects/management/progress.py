"""Progress of long work, of a backfill first of all: a bar on a terminal, lines elsewhere. Signals stop the work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from django.core.management.base import OutputWrapper
from tqdm import tqdm

from platform_plugin_aspects import databases
from platform_plugin_aspects.delivery.backfill.ranges import Summary, key_range
from platform_plugin_aspects.delivery.backfill.watcher import Watcher
from platform_plugin_aspects.management.command import console_handlers
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink

#: Seconds between two lines, where there is no terminal.
LINE_SECS = 5


class Display(Watcher):
    """Shows one piece of work after another: by a bar on a terminal, by lines every few seconds, or not at all.

    As a context, it lets Ctrl-C and SIGTERM stop the work. ``current``: as of Stoppable.
    """

    def __init__(self, current: str, stdout: OutputWrapper, *, bar: bool = False, lines: bool = False):
        super().__init__(current)
        self.stdout = stdout
        self.with_bar = bar
        self.with_lines = lines
        self.began = self.said = 0.0
        self.bar: tqdm[Any] | None = None
        self.beside = ExitStack()

    def __exit__(self, *exception: Any) -> None:
        self.end()
        super().__exit__(*exception)

    def show(self, **bar: Any) -> None:
        """Show another piece of work from now on; ``bar``: options of its bar."""
        self.end()
        self.began = self.said = self.now()
        if self.with_bar:
            self.bar = tqdm(file=sys.stderr, **bar)
            self.beside = ExitStack()
            self.beside.enter_context(logs_beside_the_bar())

    def end(self) -> None:
        """Stop showing the current piece of work."""
        if self.bar is not None:
            self.beside.close()
            self.bar.close()
            self.bar = None

    def is_line_due(self) -> bool:
        """Whether a line of progress is to be written now."""
        if not self.with_lines or self.now() - self.said < LINE_SECS:
            return False
        self.said = self.now()
        return True

    def tell(self, line: str) -> None:
        """See Watcher."""
        beside: AbstractContextManager[Any] = nullcontext() if self.bar is None else tqdm.external_write_mode()
        with beside:
            self.stdout.write(line)


class Progress(Display):
    """Watches the backfill of one sink after another. ``talkative``: say also why objects are left out."""

    def __init__(self, stdout: OutputWrapper, *, talkative: bool = False, **shown: bool):
        # Progress is saved insert by insert.
        super().__init__("the current batch", stdout, **shown)
        self.talkative = talkative
        self.name = ""
        self.ranges: Sequence[BackfillRange] = ()
        self.bounds: tuple[int, int] | None = None
        self.done_before = 0

    def begin(self, sink: BaseSink, ranges: Sequence[BackfillRange]) -> None:
        """Show the progress of these ranges from now on; ``progress`` looks at them."""
        self.end()
        self.name, self.ranges = sink.name, ranges
        databases.check_before_use()
        # They are needed only to estimate the number of objects.
        self.bounds = key_range(sink) if self.with_bar or self.with_lines else None
        self.done_before = done_in(ranges)
        total = expected(ranges, self.bounds)
        self.show(desc=sink.name, total=total, initial=self.done_before, unit=" objects")

    def progress(self, summary: Summary | None = None) -> None:
        """See Watcher."""
        if self.bar is not None:
            self.bar.total = expected(self.ranges, self.bounds)
            self.bar.update(done_in(self.ranges) - self.bar.n)
        elif self.is_line_due():
            self.stdout.write(self._line(done_in(self.ranges), expected(self.ranges, self.bounds)))

    def _line(self, done: int, total: int | None) -> str:
        rate = (done - self.done_before) / (self.now() - self.began)
        if total is None:
            return f"{self.name}: {done:,} objects, {rate:,.0f}/s"
        left = f", about {tqdm.format_interval((total - done) / rate)} left" if rate else ""
        return f"{self.name}: {done:,} of about {total:,} objects, {rate:,.0f}/s{left}"

    def explain(self, line: str) -> None:
        """See Watcher."""
        if self.talkative:
            self.tell(line)


@contextmanager
def logs_beside_the_bar() -> Iterator[None]:
    """Begin log lines for the terminal on a line of their own, and draw the bar again after them."""
    changed = []
    for handler in console_handlers():
        if handler is not logging.lastResort:
            changed.append((handler, handler.setStream(_BesideTheBar(handler.stream))))
    try:
        yield
    finally:
        for handler, stream in changed:
            handler.setStream(stream)


class _BesideTheBar:
    def __init__(self, stream: Any):
        self.stream = stream

    def write(self, text: str) -> None:
        with tqdm.external_write_mode(file=self.stream):
            self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def done_in(ranges: Iterable[BackfillRange]) -> int:
    """The number of objects of these ranges that were written, skipped or rejected."""
    return sum(row.objects_written + row.objects_skipped + row.objects_rejected for row in ranges)


def expected(ranges: Sequence[BackfillRange], bounds: tuple[int, int] | None) -> int | None:
    """The estimated number of objects in all; None if it cannot be estimated.

    ``bounds``: the least and the greatest key. The rest is assumed to hold as many objects per key as what was walked.
    """
    options = ranges[0].options if ranges else {}
    if "keys" in options:
        return len(options["keys"])
    if bounds is None:
        return None
    walked = left = 0
    for row in ranges:
        low = int(row.after) if row.after else bounds[0] - 1
        high = min(int(row.upto), bounds[1]) if row.upto else bounds[1]
        # Objects may have been added meanwhile.
        at = max(int(row.last_key), low) if row.last_key else low
        if row.status == BackfillRange.Status.DONE:
            at = max(at, high)
        walked += at - low
        left += max(high - at, 0)
    done = done_in(ranges)
    total = done + round(left * (done / walked if walked else 1))
    return min(total, options["limit"]) if "limit" in options else total
