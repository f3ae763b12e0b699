"""Compares range by range of the source's primary keys; ClickHouse answers while the next range is being read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle

from platform_plugin_aspects.delivery.compare.comparators import Comparator, Range, Source
from platform_plugin_aspects.delivery.compare.comparison import Comparison, Progress
from platform_plugin_aspects.delivery.compare.fingerprint import total
from platform_plugin_aspects.delivery.walk import ahead, walk
from platform_plugin_aspects.sinks import Selection


def by_ranges(comparator: Comparator, selection: Selection, size: int, sample: float, progress: Progress) -> Comparison:
    """The differences in ranges of ``size`` objects each, or in a random share of these ranges."""
    found = Comparison(comparator.sink.name)

    def sampled() -> Iterator[Range]:
        for range_ in _ranges(comparator, selection, size, sample):
            found.ranges += 1
            if range_ is not None:
                yield range_

    for range_, totals in ahead(sampled(), comparator.totals):
        source = range_.source
        found.objects += len(source.keys)
        found.compared += 1
        if totals.result() != (len(source.keys), total(source.fingerprints)):
            found.inspected += 1
            found.add(source.by_key(), comparator.entries(range_))
        progress(found)
    return found


def _ranges(comparator: Comparator, selection: Selection, size: int, sample: float) -> Iterator[Range | None]:
    """The source in ranges of ``size`` objects, in order; None for a range that is not in the sample.

    The sink's batch size limits each read. Only keys and fingerprints of earlier batches of a range are kept.
    """

    def is_chosen() -> bool:
        return sample >= 1 or random.random() < sample

    at_once = comparator.sink.batch_size
    sizes = [min(at_once, size - start) for start in range(0, size, at_once)]
    low, seen, chosen = selection.after, 0, is_chosen()
    sources: list[Source] = []
    for batch, last in walk(comparator.sink.read, selection, cycle(sizes)):
        seen += len(batch)
        if chosen:
            sources.append(comparator.source(batch))
        if last or seen == size:
            # The last range reaches the requested end, because extra rows may be above the source's last key.
            high = selection.upto if last else batch.keys[-1]
            yield Range(Source.joined(sources), low, high) if chosen else None
            low, seen, chosen, sources = high, 0, is_chosen(), []
