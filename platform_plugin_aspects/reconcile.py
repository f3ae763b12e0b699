"""Comparing the source with ClickHouse, and mending what differs.

The source is read in ranges of keys, as the backfill reads it. For each range ClickHouse answers with a count and one
number, the sum of the fingerprints of the latest row per key, while the next range is being read; only where these
differ from the source's are keys and fingerprints fetched and compared one by one. No content of a row leaves
ClickHouse.

The source need not stand still: what differs is looked at again, and left out when a change of it is still to be
delivered or when it was written after the comparison began.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any

from platform_plugin_aspects import delivery
from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import Batch, CourseOverviewSink, ModelBaseSink, Selection, Written, XBlockSink
from platform_plugin_aspects.sinks.fingerprint import MODULUS, expression, fingerprints, total, uuid_text
from platform_plugin_aspects.sinks.formats import stamp_text
from platform_plugin_aspects.sinks.isolate import Outcome, write_what_can_be

#: Keys looked at again, or mended, at once.
DETAIL_SIZE = 1_000
#: Objects in one range, at most: of an unordered key, all are named in the query.
LARGEST_RANGE = 50_000
Progress = Callable[["Comparison"], None]


@dataclass
class Comparison:
    """What a comparison found.

    ``missing`` in ClickHouse and ``stale`` there: {ClickHouse's key: the source's primary key}. ``extra``, gone from
    the source: ClickHouse's keys. ``objects``: of the source, looked at. ``ranges``, ``opened``: of keys; opened are
    those in which something differed.
    """

    sink: str
    objects: int = 0
    ranges: int = 0
    opened: int = 0
    missing: dict[Any, Any] = field(default_factory=dict)
    stale: dict[Any, Any] = field(default_factory=dict)
    extra: list[Any] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.stale or self.extra)

    def keep(self, keys: Collection[Any]) -> None:
        """Leave only the differences of these keys of ClickHouse."""
        self.missing = {key: pk for key, pk in self.missing.items() if key in keys}
        self.stale = {key: pk for key, pk in self.stale.items() if key in keys}
        self.extra = [key for key in self.extra if key in keys]


def compare(
    sink: ModelBaseSink,
    after: Any = None,
    upto: Any = None,
    sample: float = 1,
    batch_size: int | None = None,
    progress: Progress = lambda comparison: None,
) -> Comparison:
    """Compare the objects with primary keys above ``after`` and not above ``upto``.

    ``sample``: the share of the ranges to look at, chosen at random. Raises Unavailable and Misconfigured.
    """
    found = Comparison(sink.name)
    sides = _sides(sink)
    started = stamp_text(delivery.take_stamp(sink.name))
    size = batch_size or max(sink.batch_size, min(sink.insert_size, LARGEST_RANGE))
    ranges = _ranges(sides, after, upto, size, sample, found)
    for range_, totals in _with_totals(sides, ranges):
        _compare_range(sides, range_, totals, found)
        progress(found)
    if after is None and upto is None and sample >= 1:
        found.extra += sides.extra_anywhere(found)
    _look_again(sides, found, started)
    return found


def repair(sink: ModelBaseSink, found: Comparison, prune: bool = False) -> Outcome:
    """Write what is missing or stale, through the sink; delete what is extra when ``prune``."""
    outcome = Outcome()
    primary_keys = [*found.missing.values(), *found.stale.values()]
    for keys in _portions(primary_keys, sink.batch_size):
        stamp = delivery.take_stamp(sink.name)

        def bring(some: Sequence[Any], stamp: Any = stamp) -> Written:
            return sink.bring(sink.read(Selection(keys=some)), stamp)

        outcome.add(write_what_can_be(keys, bring))
    for keys in _portions(found.extra if prune else [], DETAIL_SIZE):
        sink.delete(keys)
    return outcome


@dataclass(frozen=True)
class _Source:
    """Objects of the source, in order: ClickHouse's keys, primary keys, fingerprints of the rows to be written."""

    keys: Sequence[Any] = ()
    primary_keys: Sequence[Any] = ()
    fingerprints: Sequence[int] = ()

    @classmethod
    def joined(cls, sources: Sequence[_Source]) -> _Source:
        """All of them, one after the other."""
        return cls(*([*chain.from_iterable(getattr(source, each.name) for source in sources)] for each in fields(cls)))

    def by_key(self) -> dict[Any, tuple[Any, int]]:
        """{ClickHouse's key: (primary key, fingerprint)}."""
        return dict(zip(self.keys, zip(self.primary_keys, self.fingerprints, strict=True), strict=True))


@dataclass(frozen=True)
class _Range:
    """The objects with primary keys above ``low`` and not above ``high``."""

    source: _Source
    low: Any
    high: Any


class _Sides:
    """The two sides of a sink's comparison. ClickHouse's key is the primary key, and sorts like it."""

    def __init__(self, sink: ModelBaseSink):
        self.sink = sink
        self.key = sink.key()

    def source(self, batch: Batch) -> _Source:
        """The objects of a batch."""
        if not len(batch):
            return _Source()
        data = self.sink.converted(batch)
        position = self.sink.columns.index(self.key)
        if self.key.type == "UUID":
            data[position] = list(map(uuid_text, data[position]))
        return _Source(data[position], batch.keys, fingerprints(self.sink.columns, data))

    def source_of(self, keys: Sequence[Any]) -> _Source:
        """Those of the keys that the source has."""
        return self.source(self.sink.read(Selection(keys=[self.sink.parse_key(str(key)) for key in keys])))

    def totals(self, range_: _Range) -> tuple[int, int]:
        """How many keys ClickHouse has in a range, and the sum of the fingerprints of their latest rows."""
        where, parameters = self._where(range_)
        rows = self.sink.clickhouse.select(f"SELECT count(), sum(fingerprint) FROM ({self._latest(where)})", parameters)
        return int(rows[0][0]), int(rows[0][1]) % MODULUS

    def entries(self, range_: _Range) -> dict[Any, int]:
        """{key: fingerprint of its latest row} of a range in ClickHouse."""
        where, parameters = self._where(range_)
        rows = self.sink.clickhouse.select(self._latest(where), parameters)
        return {key: fingerprint for key, fingerprint, _time in rows}

    def now(self, keys: Sequence[Any]) -> dict[Any, tuple[int, str]]:
        """{key: (fingerprint of its latest row, its time_last_dumped)} of some keys in ClickHouse."""
        where, parameters = self._among(keys)
        rows = self.sink.clickhouse.select(self._latest(where), parameters)
        return {key: (fingerprint, time) for key, fingerprint, time in rows}

    def extra_anywhere(self, found: Comparison) -> list[Any]:
        """What is extra in ClickHouse beside what the ranges have shown."""
        return []

    def _latest(self, where: str) -> str:
        """The query for key, fingerprint and time of the latest row per key."""
        return (
            f"SELECT {quote(self.key.name)} AS key, "
            f"argMax({expression(self.sink.columns)}, time_last_dumped) AS fingerprint, max(time_last_dumped) AS time "
            f"FROM {self.sink.clickhouse.qualified(self.sink.table.name)} WHERE {where} GROUP BY key"
        )

    def _where(self, range_: _Range) -> tuple[str, dict[str, Any]]:
        conditions = ["1"]
        parameters = {}
        for comparison, parameter, bound in ((">", "low", range_.low), ("<=", "high", range_.high)):
            if bound is not None:
                conditions.append(f"{quote(self.key.name)} {comparison} {{{parameter}:{self.key.type}}}")
                (parameters[parameter],) = self.key.values([bound])
        return " AND ".join(conditions), parameters

    def _among(self, keys: Collection[Any]) -> tuple[str, dict[str, Any]]:
        return f"{quote(self.key.name)} IN {{keys:Array({self.key.type})}}", {"keys": list(keys)}


class _UnorderedSides(_Sides):
    """ClickHouse's key is not the primary key: a range of the source is named key by key.

    Only so the ranges of both sides are the same, for databases sort UUIDs each in a way of their own.
    """

    def source_of(self, keys: Sequence[Any]) -> _Source:
        path = self.key.sources[0]
        primary_keys = self.sink.manager.filter(**{f"{path}__in": list(keys)}).values_list("pk", flat=True)
        return self.source(self.sink.read(Selection(keys=list(primary_keys))))

    def _where(self, range_: _Range) -> tuple[str, dict[str, Any]]:
        keys = range_.source.keys
        if self.key.type != "UUID":
            return self._among(keys)
        # So many are sent and read in half the time as the numbers that ClickHouse keeps, with its halves exchanged.
        digits = [key.replace("-", "") for key in keys]
        numbers = [int(each[16:] + each[:16], 16) for each in digits]
        return f"reinterpretAsUInt128({quote(self.key.name)}) IN {{keys:Array(UInt128)}}", {"keys": numbers}

    def extra_anywhere(self, found: Comparison) -> list[Any]:
        key = quote(self.key.name)
        table = self.sink.clickhouse.qualified(self.sink.table.name)
        there = int(self.sink.clickhouse.select(f"SELECT uniqExact({key}) FROM {table}")[0][0])
        if there == found.objects - len(found.missing):
            return []
        extra: list[Any] = []
        keys = [row[0] for row in self.sink.clickhouse.select(f"SELECT DISTINCT {key} FROM {table}")]
        for some in _portions(keys, DETAIL_SIZE):
            here = set(self.source_of(some).keys)
            extra += [each for each in some if each not in here]
        return extra


class _CourseSides(_Sides):
    """Courses: an entry is a course with all its blocks, as of its latest dump."""

    sink: CourseOverviewSink

    def source(self, batch: Batch) -> _Source:
        courses, blocks, _warnings = self.sink.with_content(batch)
        of_course: dict[str, list[int]] = {}
        if len(blocks):
            block_sink = XBlockSink(self.sink.connection)
            prints = fingerprints(block_sink.columns, block_sink.converted(blocks))
            for course_key, fingerprint in zip(blocks.columns["course_key"], prints, strict=True):
                of_course.setdefault(course_key, []).append(fingerprint)
        source = super().source(courses)
        prints = [
            total([fingerprint, *of_course.get(key, [])])
            for key, fingerprint in zip(source.keys, source.fingerprints, strict=True)
        ]
        return replace(source, fingerprints=prints)

    def _latest(self, where: str) -> str:
        blocks = self.sink.clickhouse.qualified(XBlockSink.table.name)
        return (
            f"SELECT c.key AS key, c.fingerprint + b.fingerprint AS fingerprint, c.time AS time "
            f"FROM ({super()._latest(where)}) AS c LEFT JOIN ("
            f"SELECT course_key, time_last_dumped AS time, sum({expression(XBlockSink.columns)}) AS fingerprint "
            f"FROM {blocks} WHERE {where} GROUP BY course_key, time"
            ") AS b ON b.course_key = c.key AND b.time = c.time"
        )


def _sides(sink: ModelBaseSink) -> _Sides:
    if isinstance(sink, CourseOverviewSink):
        return _CourseSides(sink)
    meta = sink.manager.model._meta
    key_source = sink.key().sources[0]
    return _Sides(sink) if key_source in ("pk", meta.pk.name) else _UnorderedSides(sink)


def _ranges(sides: _Sides, after: Any, upto: Any, size: int, sample: float, found: Comparison) -> Iterator[_Range]:
    """The source in ranges of so many objects, in order; a sample of them, but ``found`` counts all.

    Objects are read as many at once as the sink says; of the rest of a range only keys and fingerprints are kept.
    """
    low = after
    last = False
    while not last:
        chosen = sample >= 1 or random.random() < sample
        sources: list[_Source] = []
        high, seen = low, 0
        while seen < size and not last:
            limit = min(sides.sink.batch_size, size - seen)
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
            yield _Range(_Source.joined(sources), low, upto if last else high)
        low = high


def _with_totals(sides: _Sides, ranges: Iterable[_Range]) -> Iterator[tuple[_Range, tuple[int, int]]]:
    """The ranges with what ClickHouse says of them, which it is asked while the next range is being read."""
    with ThreadPoolExecutor(1, "aspects-asker") as asker:
        before: tuple[_Range, Future[tuple[int, int]]] | None = None
        for range_ in ranges:
            asked = range_, asker.submit(sides.totals, range_)
            if before is not None:
                yield before[0], before[1].result()
            before = asked
        if before is not None:
            yield before[0], before[1].result()


def _compare_range(sides: _Sides, range_: _Range, totals: tuple[int, int], found: Comparison) -> None:
    """Compare one range of keys; open it when its totals differ."""
    source = range_.source
    found.objects += len(source.keys)
    if totals == (len(source.keys), total(source.fingerprints)):
        return
    found.opened += 1
    here = source.by_key()
    there = sides.entries(range_)
    for key, (primary_key, fingerprint) in here.items():
        if key not in there:
            found.missing[key] = primary_key
        elif there[key] != fingerprint:
            found.stale[key] = primary_key
    found.extra += [key for key in there if key not in here]


def _look_again(sides: _Sides, found: Comparison, started: str) -> None:
    """Leave in ``found`` only what differs still, without a change of its own that explains it."""
    still = set()
    for keys in _portions([*found.missing, *found.stale, *found.extra], DETAIL_SIZE):
        there = sides.now(keys)
        here = sides.source_of(keys).by_key()
        primary_keys = {**found.missing, **found.stale, **{key: primary_key for key, (primary_key, _) in here.items()}}
        ids = {key: str(primary_keys.get(key, key)) for key in keys}
        pending = set(
            Change.objects.filter(sink=sides.sink.name, object_id__in=ids.values()).values_list("object_id", flat=True)
        )
        for key in keys:
            fingerprint, time = there.get(key, (None, ""))
            _primary_key, expected = here.get(key, (None, None))
            same = fingerprint == expected
            if not same and time < started and ids[key] not in pending:
                still.add(key)
    found.keep(still)


def _portions(keys: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]
