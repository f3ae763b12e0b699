"""The watcher of backfills in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from platform_plugin_aspects.delivery.backfill.ranges import Summary
from platform_plugin_aspects.delivery.backfill.watcher import Watcher


class Recorder(Watcher):
    """Notes what it hears. Its time passes only while it waits and, ``per_insert`` seconds, with each insert.

    ``on_progress``, ``on_wait``: called after an insert, and after a wait. ``stop_after_beats``: how many signs of
    life the backfill gives before it is stopped; ``stops``: whether to stop it.
    """

    def __init__(
        self,
        *,
        per_insert: float = 0,
        on_progress: Callable[[Summary], Any] = lambda summary: None,
        on_wait: Callable[[float], Any] = lambda seconds: None,
        stop_after_beats: float = float("inf"),
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        self.per_insert = per_insert
        self.on_progress = on_progress
        self.on_wait = on_wait
        self.stop_after_beats = stop_after_beats
        self.stops = stops
        self.time = 1000.0
        self.said: list[str] = []
        self.waits: list[float] = []
        self.beats = 0
        self.landed: list[tuple[float, int]] = []

    def tell(self, line: str) -> None:
        self.said.append(line)

    def progress(self, summary: Summary) -> None:
        self.landed.append((self.time, summary.objects))
        self.time += self.per_insert
        self.on_progress(summary)

    def beat(self) -> None:
        self.beats += 1

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert len(self.waits) < 100, "no end"
        self.time += seconds
        self.on_wait(seconds)

    def wants_to_stop(self) -> bool:
        return self.beats >= self.stop_after_beats or self.stops()
