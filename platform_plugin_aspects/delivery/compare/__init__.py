"""Compares the source with ClickHouse, and repairs what differs.

The source is read in ranges of keys, as the backfill reads it. For each range ClickHouse answers with a count and one
number, the sum of the fingerprints of the latest row per key, while the next range is being read. Keys and fingerprints
are compared one by one only in ranges whose count or sum differs. If ClickHouse's key is not the source's, buckets of
fingerprints replace ranges of keys. No content of a row leaves ClickHouse.

The source may change during a comparison. So each difference is checked again, and left out if its change is still to
be delivered or was written after the comparison began.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from platform_plugin_aspects import databases
from platform_plugin_aspects.delivery.compare.buckets import by_buckets
from platform_plugin_aspects.delivery.compare.comparators import (
    DETAIL_SIZE,
    Comparator,
    Comparison,
    KeyListComparator,
    comparator_of,
)
from platform_plugin_aspects.delivery.compare.ranges import by_ranges
from platform_plugin_aspects.delivery.isolate import Outcome, write_objects
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import ModelBaseSink, Selection
from platform_plugin_aspects.sinks.batch import chunks
from platform_plugin_aspects.sinks.formats import stamp_text

__all__ = ["Comparison", "compare", "repair"]

#: Objects in one range, at most, because KeyListComparator names all keys of a range in its query.
LARGEST_RANGE = 50_000


def compare(
    sink: ModelBaseSink,
    after: Any = None,
    upto: Any = None,
    sample: float = 1,
    batch_size: int | None = None,
) -> Comparison:
    """Compare the objects with primary keys above ``after`` and not above ``upto``.

    ``sample``: the share of the ranges to compare, chosen at random; one at least is compared. Raises Unavailable and
    Misconfigured.
    """
    databases.check_before_use()
    comparator = comparator_of(sink)
    started = stamp_text(take_stamp(sink.name))
    size = batch_size or max(sink.batch_size, min(sink.insert_size, LARGEST_RANGE))
    everything = after is None and upto is None and sample >= 1
    found = None
    if everything and isinstance(comparator, KeyListComparator):
        found = by_buckets(comparator, size)
    if found is None:
        found = by_ranges(comparator, Selection(after=after, upto=upto), size, sample)
        if everything:
            found.extra += comparator.extra_anywhere(found.objects - len(found.missing))
    return recheck(comparator, found, started)


def repair(sink: ModelBaseSink, found: Comparison, prune: bool = False) -> Outcome:
    """Write what is missing or stale, through the sink; delete what is extra when ``prune``."""
    outcome = Outcome()
    primary_keys = [*found.missing.values(), *found.stale.values()]
    for keys in chunks(primary_keys, sink.batch_size):
        databases.check_before_use()
        outcome.add(write_objects(sink, keys, take_stamp(sink.name)))
    for keys in chunks(found.extra if prune else [], DETAIL_SIZE):
        sink.delete(keys)
    return outcome


def recheck(comparator: Comparator, found: Comparison, started: str) -> Comparison:
    """The comparison with its differences as both sides are now, without those that a pending or later write explains.

    ``started``: the time_last_dumped since which writes are later than the comparison.
    """
    known = {**found.missing, **found.stale}
    different = list(dict.fromkeys([*known, *found.extra]))
    found = replace(found, missing={}, stale={}, extra=[])
    for keys in chunks(different, DETAIL_SIZE):
        there = comparator.rows(comparator.among(keys))
        here = comparator.source_of(keys).by_key()
        ids = {key: str(here[key][0] if key in here else known.get(key, key)) for key in keys}
        pending = set(
            Change.objects.filter(sink=comparator.sink.name, object_id__in=ids.values()).values_list(
                "object_id", flat=True
            )
        )
        written = {key for key, (_fingerprint, time) in there.items() if time >= started}
        unexplained = [key for key in keys if key not in written and ids[key] not in pending]
        found.add(
            {key: here[key] for key in unexplained if key in here},
            {key: there[key][0] for key in unexplained if key in there},
        )
    return found
