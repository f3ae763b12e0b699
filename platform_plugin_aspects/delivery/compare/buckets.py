"""Compares everything by buckets, where ClickHouse's key is not the source's primary key.

Ranges of such keys differ between the two sides, but a row's fingerprint does not: it determines the row's bucket.
While the source is read once, ClickHouse reports the count and sum of each bucket. Keys are read only from buckets that
differ. A stale row is usually in two buckets, one of each side, and both differ. If only one of them differs, or the
row changed in the meantime, the row looks missing or extra until its key is checked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from math import ceil
from typing import Any

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.delivery.compare.comparators import Comparator, Comparison
from platform_plugin_aspects.delivery.compare.fingerprint import MODULUS, fingerprints
from platform_plugin_aspects.delivery.reading import read_in_batches
from platform_plugin_aspects.sinks import Batch, Selection

#: With a million rows, one difference makes about a hundred rows be inspected. Adding up ClickHouse's answers, which
#: have one line per bucket and part, takes little time beside reading the rows.
BUCKETS = 16_384
#: Rows that ClickHouse reads in one query, because each query has a timeout and little memory.
PART_SIZE = 200_000
#: Rows in the inspected buckets, at most, because the keys of both sides are in memory.
MOST_INSPECTED = 100_000


def by_buckets(comparator: Comparator, size: int) -> Comparison | None:
    """The differences in all objects, or None when the buckets that differ hold too many rows.

    ``size``: objects of the source read at once, at most.
    """
    found = Comparison(comparator.sink.name)
    here, there = _Tally(), _Tally()
    size = min(size, comparator.sink.batch_size)
    parts = _parts(comparator)
    # Not ``ahead``: each part takes about as long as many batches.
    thread = ThreadPoolExecutor(1, "aspects-ahead")
    try:
        answers = thread.map(lambda part: there.add_up(_totals(comparator, part)), parts)
        for batch in _batches(comparator, size):
            here.add(_fingerprints(comparator, batch))
            found.objects += len(batch)
        for _answer in answers:
            pass
    finally:
        thread.shutdown(cancel_futures=True)
    different = here.different(there)
    if sum(max(here.counts[each], there.counts[each]) for each in different) > MOST_INSPECTED:
        return None
    found.ranges = found.compared = sum(map(any, zip(here.counts, there.counts, strict=True)))
    found.inspected = len(different)
    if different:
        found.add(_source_entries(comparator, size, different), _clickhouse_entries(comparator, parts, different))
    return found


class _Tally:
    """How many rows are in each bucket, and the sum of their fingerprints."""

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.sums = [0] * BUCKETS

    def add(self, numbers: Iterable[int]) -> None:
        """Add rows with these fingerprints."""
        counts, sums, buckets = self.counts, self.sums, BUCKETS
        for number in numbers:
            bucket = number % buckets
            counts[bucket] += 1
            sums[bucket] += number

    def add_up(self, totals: Iterable[Sequence[int]]) -> None:
        """Add rows that are known by (bucket, count, sum) only."""
        for bucket, count, sum_ in totals:
            self.counts[bucket] += count
            self.sums[bucket] += sum_

    def different(self, other: _Tally) -> frozenset[int]:
        """The buckets in which the other tally has different rows."""
        return frozenset(
            each
            for each in range(BUCKETS)
            if self.counts[each] != other.counts[each] or (self.sums[each] - other.sums[each]) % MODULUS
        )


def _batches(comparator: Comparator, size: int) -> Iterator[Batch]:
    return (batch for batch, _last in read_in_batches(comparator.sink.read, Selection(), repeat(size)) if len(batch))


def _fingerprints(comparator: Comparator, batch: Batch) -> Sequence[int]:
    return fingerprints(comparator.sink.columns, comparator.sink.converted(batch))


def _parts(comparator: Comparator) -> list[str]:
    """Conditions, each for some of ClickHouse's keys, and together for all."""
    client = comparator.sink.clickhouse
    number = int(client.select(f"SELECT count() FROM {client.qualified(comparator.sink.table.name)}")[0][0])
    parts = max(1, ceil(number / PART_SIZE))
    return [f"cityHash64({quote(comparator.key.name)}) % {parts} = {part}" for part in range(parts)]


def _totals(comparator: Comparator, part: str) -> Sequence[Sequence[int]]:
    """(bucket, count, sum) of a part of ClickHouse's keys."""
    return comparator.sink.clickhouse.select(
        f"SELECT fingerprint % {BUCKETS} AS bucket, count(), sum(fingerprint) "
        f"FROM ({comparator.latest(part)}) GROUP BY bucket"
    )


def _source_entries(comparator: Comparator, size: int, buckets: Collection[int]) -> dict[Any, tuple[Any, int]]:
    """{ClickHouse's key: (primary key, fingerprint)} of the source's rows in some buckets."""
    entries: dict[Any, Any] = {}
    for batch in _batches(comparator, size):
        inside = [number % BUCKETS in buckets for number in _fingerprints(comparator, batch)]
        entries.update(comparator.source(batch.only(inside)).by_key())
    return entries


def _clickhouse_entries(comparator: Comparator, parts: Iterable[str], buckets: Collection[int]) -> dict[Any, int]:
    """{key: fingerprint} of ClickHouse's latest rows in some buckets."""
    entries: dict[Any, Any] = {}
    for part in parts:
        rows = comparator.sink.clickhouse.select(
            f"SELECT key, fingerprint FROM ({comparator.latest(part)}) "
            f"WHERE fingerprint % {BUCKETS} IN {{buckets:Array(UInt32)}}",
            {"buckets": sorted(buckets)},
        )
        entries.update(map(tuple, rows))
    return entries
