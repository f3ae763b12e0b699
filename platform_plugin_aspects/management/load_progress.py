"""How the loading of logs shows itself to the person who runs it, how it is ended, and its result in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.core.management.base import OutputWrapper

from platform_plugin_aspects.delivery.replay.chunks import Counts
from platform_plugin_aspects.delivery.replay.files import Log
from platform_plugin_aspects.delivery.replay.load import LoadWatcher
from platform_plugin_aspects.management.progress import Display
from platform_plugin_aspects.operations import text


class LoadProgress(Display, LoadWatcher):
    """Watches the loading of one log after another."""

    def __init__(self, stdout: OutputWrapper, **shown: bool):
        super().__init__("the current chunk of lines", stdout, **shown)

    def begin(self, log: Log) -> None:
        """Show the progress of this log from now on."""
        self.show(desc=log.name, total=log.size, unit="B", unit_scale=True)

    def loaded(self, log: Log, counts: Counts) -> None:
        """See LoadWatcher."""
        if self.bar is not None:
            self.bar.update(log.bytes_read - self.bar.n)
        elif self.is_line_due():
            rate = counts.lines / (self.said - self.began)
            share = f", {log.bytes_read / log.size:.0%}" if log.size else ""
            self.stdout.write(f"{log.name}: {counts.lines:,} lines{share}, {rate:,.0f} lines/s")


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
