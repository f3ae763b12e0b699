"""How the loading of logs shows itself to the person who runs it, how it is ended, and its result in words."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, nullcontext
from typing import Any

from django.core.management.base import OutputWrapper
from tqdm import tqdm

from platform_plugin_aspects.delivery.replay.chunks import Counts
from platform_plugin_aspects.delivery.replay.files import Log
from platform_plugin_aspects.delivery.replay.load import LoadWatcher
from platform_plugin_aspects.management.progress import LINE_SECS, logs_beside_the_bar
from platform_plugin_aspects.operations import text


class LoadProgress(LoadWatcher):
    """Watches the loading of one log after another: with a bar on a terminal, with lines elsewhere, or silently."""

    def __init__(self, stdout: OutputWrapper, *, bar: bool, lines: bool):
        super().__init__("the current chunk of lines")
        self.stdout = stdout
        self.with_bar = bar
        self.with_lines = lines
        self.bar: tqdm[Any] | None = None
        self.beside = ExitStack()
        self.began = self.said = 0.0

    def __exit__(self, *exception: Any) -> None:
        self.end()
        super().__exit__(*exception)

    def begin(self, log: Log) -> None:
        """Show the progress of this log from now on."""
        self.end()
        self.began = self.said = self.now()
        if self.with_bar:
            self.bar = tqdm(desc=log.name, total=log.size, unit="B", unit_scale=True, file=sys.stderr)
            self.beside = ExitStack()
            self.beside.enter_context(logs_beside_the_bar())

    def end(self) -> None:
        """Show no more of this log."""
        if self.bar is not None:
            self.beside.close()
            self.bar.close()
            self.bar = None

    def loaded(self, log: Log, counts: Counts) -> None:
        """See LoadWatcher."""
        if self.bar is not None:
            self.bar.update(log.bytes_read - self.bar.n)
        elif self.with_lines and self.now() - self.said >= LINE_SECS:
            self.said = self.now()
            rate = counts.lines / (self.said - self.began)
            share = f", {log.bytes_read / log.size:.0%}" if log.size else ""
            self.stdout.write(f"{log.name}: {counts.lines:,} lines{share}, {rate:,.0f} lines/s")

    def tell(self, line: str) -> None:
        """See Watcher."""
        with nullcontext() if self.bar is None else tqdm.external_write_mode():
            self.stdout.write(line)


def summary(name: str, counts: Counts, seconds: float, dry_run: bool) -> str:
    """A log in one line."""
    rejected = f", {sum(counts.rejected.values()):,} not transformed" if counts.rejected else ""
    return (
        f"{name}: {text.counted(counts.lines, 'line')}, {text.counted(sum(counts.events.values()), 'event')}, "
        f"{text.counted(sum(counts.statements.values()), 'statement')} "
        f"{'would be ' if dry_run else ''}written{rejected}, {seconds:.1f} s"
    )


def details(counts: Counts) -> Iterator[str]:
    """Events by name, lines that were left out by reason, and events that were not transformed by reason."""
    if counts.events:
        rows = [(name, f"{number:,}", f"{counts.statements[name]:,}") for name, number in counts.events.most_common()]
        yield from text.table([("event", "events", "statements"), *rows], right=(1, 2))
    if counts.left:
        left = [(reason, f"{number:,}") for reason, number in counts.left.most_common()]
        yield from text.table([("left out", "lines"), *left], right=(1,))
    if counts.rejected:
        rejected = [(name, f"{number:,}", reason) for (name, reason), number in counts.rejected.most_common()]
        yield from text.table([("not transformed", "events", "why"), *rejected], right=(1,))


def problems(counted: Mapping[str, Counts]) -> Iterator[str]:
    """The first events that were not transformed, a line each."""
    for name, counts in counted.items():
        for problem in counts.problems:
            yield f"{name}, line {problem.line:,}: {problem.name} cannot be transformed: {problem.reason}"
