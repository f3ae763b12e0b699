"""Comparing range by range of the source's primary keys, the next of which is read while ClickHouse is asked."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from platform_plugin_aspects import databases
from platform_plugin_aspects.delivery.compare.comparison import Comparison, Progress
from platform_plugin_aspects.delivery.compare.fingerprint import total
from platform_plugin_aspects.delivery.compare.sides import Range, Sides, Source
from platform_plugin_aspects.sinks import Selection


def compare_ranges(
    sides: Sides, after: Any, upto: Any, size: int, sample: float, found: Comparison, progress: Progress
) -> None:
    """Add to ``found`` what differs in ranges of so many objects, or in a sample of these ranges."""
    ranges = _ranges(sides, after, upto, size, sample, found)
    for range_, totals in _with_totals(sides, ranges):
        _compare_range(sides, range_, totals, found)
        progress(found)


def _ranges(sides: Sides, after: Any, upto: Any, size: int, sample: float, found: Comparison) -> Iterator[Range]:
    """The source in ranges of so many objects, in order; a sample of them, but ``found`` counts all.

    Objects are read as many at once as the sink says; of the rest of a range only keys and fingerprints are kept.
    """
    low = after
    last = False
    while not last:
        chosen = sample >= 1 or random.random() < sample
        sources: list[Source] = []
        high, seen = low, 0
        while seen < size and not last:
            limit = min(sides.sink.batch_size, size - seen)
            databases.check_before_use()
            batch = sides.sink.read(Selection(after=high, upto=upto, limit=limit))
            last = len(batch) < limit
            seen += len(batch)
            if len(batch):
                high = batch.keys[-1]
            if chosen:
                sources.append(sides.source(batch))
        found.ranges += 1
        if chosen:
            # The last range reaches as far as was asked: what is extra may be above the source's last key.
            yield Range(Source.joined(sources), low, upto if last else high)
        low = high


def _with_totals(sides: Sides, ranges: Iterable[Range]) -> Iterator[tuple[Range, tuple[int, int]]]:
    """The ranges with what ClickHouse says of them, which it is asked while the next range is being read."""
    with ThreadPoolExecutor(1, "aspects-asker") as asker:
        before: tuple[Range, Future[tuple[int, int]]] | None = None
        for range_ in ranges:
            asked = range_, asker.submit(sides.totals, range_)
            if before is not None:
                yield before[0], before[1].result()
            before = asked
        if before is not None:
            yield before[0], before[1].result()


def _compare_range(sides: Sides, range_: Range, totals: tuple[int, int], found: Comparison) -> None:
    """Compare one range of keys; open it when its totals differ."""
    source = range_.source
    found.objects += len(source.keys)
    found.compared += 1
    if totals == (len(source.keys), total(source.fingerprints)):
        return
    found.opened += 1
    found.add(source.by_key(), sides.entries(range_))
