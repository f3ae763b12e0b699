"""The caller of a backfill: hears about its progress, lets time pass, and may stop it. Also how a backfill waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.delivery.backfill.ranges import Summary
from platform_plugin_aspects.delivery.sink_lock import wait_after
from platform_plugin_aspects.stopping import Stoppable

#: A watcher hears at least this often, in seconds, that the backfill is alive.
BEAT_SECS = 10

T = TypeVar("T")


class Watcher(Stoppable):
    """A silent watcher. All its methods are called in the thread that called ``backfill``."""

    def tell(self, line: str) -> None:
        """Tell the operator that an object does not exist, or that ClickHouse is unavailable."""

    def explain(self, line: str) -> None:
        """Tell an operator who wants details why an object is left out, or that a dry run would write it."""

    def progress(self, summary: Summary) -> None:
        """Note that an insert is complete: its objects need not be written again."""

    def beat(self) -> None:
        """Note that the backfill is alive, even without progress."""


def retry_while_unavailable(act: Callable[[], T], watcher: Watcher) -> T:
    """The result of ``act``, with retries while ClickHouse is unavailable, until the watcher wants to stop."""
    failures = 0
    while True:
        try:
            return act()
        except Unavailable as error:
            databases.check_before_use()
            if watcher.wants_to_stop():
                raise
            failures += 1
            seconds = wait_after(failures).total_seconds()
            watcher.tell(f"{error}; trying again in {seconds:.0f} s")
            wait_with_beats(watcher, seconds)


def wait_with_beats(watcher: Watcher, seconds: float) -> None:
    """Let time pass with signs of life, until the watcher wants to stop."""
    while seconds > 0 and not watcher.wants_to_stop():
        watcher.wait(min(seconds, BEAT_SECS))
        databases.check_before_use()
        watcher.beat()
        seconds -= BEAT_SECS
