"""Compares range by range of the source's primary keys; ClickHouse answers while the next range is being read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count, cycle

from platform_plugin_aspects.delivery.compare.comparators import Comparator, Comparison, Range, Source
from platform_plugin_aspects.delivery.compare.fingerprint import total
from platform_plugin_aspects.delivery.reading import ahead, read_in_batches
from platform_plugin_aspects.sinks import Selection


def by_ranges(comparator: Comparator, selection: Selection, size: int, sample: float) -> Comparison:
    """The differences in ranges of ``size`` objects each, or in a random share of these ranges, but one at least."""
    found = _by_ranges(comparator, selection, size, lambda: random.random() < sample)
    if found.compared:
        return found
    # The last range may be empty.
    number, chosen = count(), random.randrange(max(1, found.ranges - 1))
    return _by_ranges(comparator, selection, size, lambda: next(number) == chosen)


def _by_ranges(comparator: Comparator, selection: Selection, size: int, is_chosen: Callable[[], bool]) -> Comparison:
    found = Comparison(comparator.sink.name)
    ranges = _ranges(comparator, selection, size, is_chosen, found)
    for range_, totals in ahead(ranges, lambda range_: comparator.totals(comparator.within(range_))):
        source = range_.source
        found.objects += len(source.keys)
        found.compared += 1
        if totals.result() != (len(source.keys), total(source.fingerprints)):
            found.inspected += 1
            rows = comparator.rows(comparator.within(range_))
            found.add(source.by_key(), {key: fingerprint for key, (fingerprint, _time) in rows.items()})
    return found


def _ranges(
    comparator: Comparator, selection: Selection, size: int, is_chosen: Callable[[], bool], found: Comparison
) -> Iterator[Range]:
    """The source in ranges of ``size`` objects, in order: those that are chosen. All are counted in ``found``.

    The sink's batch size limits each read. Only keys and fingerprints of earlier batches of a range are kept.
    """
    at_once = comparator.sink.batch_size
    sizes = [min(at_once, size - start) for start in range(0, size, at_once)]
    low, seen, chosen = selection.after, 0, is_chosen()
    sources: list[Source] = []
    for batch, last in read_in_batches(comparator.sink.read, selection, cycle(sizes)):
        seen += len(batch)
        if chosen:
            sources.append(comparator.source(batch))
        if last or seen == size:
            # The last range reaches the requested end, because extra rows may be above the source's last key.
            high = selection.upto if last else batch.keys[-1]
            found.ranges += 1
            if chosen:
                yield Range(Source.joined(sources), low, high)
            low, seen, chosen, sources = high, 0, is_chosen(), []
