"""Comparing everything by slices, where ClickHouse's key is not the source's primary key.

Ranges of such keys are not the same on both sides, but a row's fingerprint is: it says in which slice the row is.
While the source is read once, ClickHouse tells count and sum of each slice; keys are asked only of slices that differ.
A row that is stale is in two slices as a rule, one of each side, and both differ. Where one of them does not, or the
row changed in the meantime, it looks missing or extra until its key is looked at again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.delivery.compare.comparison import Comparison, Progress
from platform_plugin_aspects.delivery.compare.fingerprint import MODULUS, fingerprints
from platform_plugin_aspects.delivery.compare.sides import Sides
from platform_plugin_aspects.sinks import Batch, Selection

#: So many that of a million rows one difference opens about a hundred; and few enough that adding up ClickHouse's
#: answers, with one line per slice and part, is nothing beside reading the rows.
SLICES = 16_384
#: Rows that ClickHouse looks at in one query: it has as long as any other query, and little memory.
PART_SIZE = 200_000
#: Rows in the slices that are opened, at most: keys of both sides are in memory.
MOST_OPENED = 100_000


def compare_slices(sides: Sides, size: int, found: Comparison, progress: Progress) -> bool:
    """Add to ``found`` what differs; or leave it as it was and return False, when too much does.

    ``size``: objects of the source read at once, at most.
    """
    here, there = _Tally(), _Tally()
    size = min(size, sides.sink.batch_size)
    parts = _parts(sides)
    asker = ThreadPoolExecutor(1, "aspects-asker")
    try:
        answers = asker.map(lambda part: there.add_up(_totals(sides, part)), parts)
        for batch in _batches(sides, size):
            here.add(_fingerprints(sides, batch))
            found.objects += len(batch)
            progress(found)
        for _answer in answers:
            pass
    finally:
        asker.shutdown(cancel_futures=True)
    different = here.different(there)
    if sum(max(here.counts[each], there.counts[each]) for each in different) > MOST_OPENED:
        found.objects = 0
        return False
    found.ranges = found.compared = sum(map(any, zip(here.counts, there.counts, strict=True)))
    found.opened = len(different)
    if different:
        found.add(_source_entries(sides, size, different), _clickhouse_entries(sides, parts, different))
    return True


class _Tally:
    """How many rows are in each slice, and the sum of their fingerprints."""

    def __init__(self) -> None:
        self.counts = [0] * SLICES
        self.sums = [0] * SLICES

    def add(self, numbers: Iterable[int]) -> None:
        """Add rows with these fingerprints."""
        counts, sums, slices = self.counts, self.sums, SLICES
        for number in numbers:
            slice_ = number % slices
            counts[slice_] += 1
            sums[slice_] += number

    def add_up(self, totals: Iterable[Sequence[int]]) -> None:
        """Add rows of which only (slice, count, sum) are known."""
        for slice_, count, sum_ in totals:
            self.counts[slice_] += count
            self.sums[slice_] += sum_

    def different(self, other: _Tally) -> frozenset[int]:
        """The slices in which the other one has other rows."""
        return frozenset(
            each
            for each in range(SLICES)
            if self.counts[each] != other.counts[each] or (self.sums[each] - other.sums[each]) % MODULUS
        )


def _batches(sides: Sides, size: int) -> Iterator[Batch]:
    after = None
    while True:
        databases.check_before_use()
        batch = sides.sink.read(Selection(after=after, limit=size))
        if len(batch):
            yield batch
        if len(batch) < size:
            return
        after = batch.keys[-1]


def _fingerprints(sides: Sides, batch: Batch) -> Sequence[int]:
    return fingerprints(sides.sink.columns, sides.sink.converted(batch))


def _parts(sides: Sides) -> list[str]:
    """Conditions, each for some of ClickHouse's keys, and together for all."""
    client = sides.sink.clickhouse
    number = int(client.select(f"SELECT count() FROM {client.qualified(sides.sink.table.name)}")[0][0])
    parts = max(1, ceil(number / PART_SIZE))
    return [f"cityHash64({quote(sides.key.name)}) % {parts} = {part}" for part in range(parts)]


def _totals(sides: Sides, part: str) -> Sequence[Sequence[int]]:
    """(slice, count, sum) of a part of ClickHouse's keys."""
    return sides.sink.clickhouse.select(
        f"SELECT fingerprint % {SLICES} AS slice, count(), sum(fingerprint) FROM ({sides.latest(part)}) GROUP BY slice"
    )


def _source_entries(sides: Sides, size: int, slices: Collection[int]) -> dict[Any, tuple[Any, int]]:
    """{ClickHouse's key: (primary key, fingerprint)} of the source's rows in some slices."""
    entries: dict[Any, Any] = {}
    for batch in _batches(sides, size):
        inside = [number % SLICES in slices for number in _fingerprints(sides, batch)]
        entries.update(sides.source(batch.only(inside)).by_key())
    return entries


def _clickhouse_entries(sides: Sides, parts: Iterable[str], slices: Collection[int]) -> dict[Any, int]:
    """{key: fingerprint} of ClickHouse's latest rows in some slices."""
    entries: dict[Any, Any] = {}
    for part in parts:
        rows = sides.sink.clickhouse.select(
            f"SELECT key, fingerprint FROM ({sides.latest(part)}) "
            f"WHERE fingerprint % {SLICES} IN {{slices:Array(UInt32)}}",
            {"slices": sorted(slices)},
        )
        entries.update(map(tuple, rows))
    return entries
