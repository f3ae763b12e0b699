"""Both sides of a comparison, the source and ClickHouse's latest rows, one comparator per kind of key; the result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.delivery.compare.fingerprint import MODULUS, expression, fingerprints, total, uuid_text
from platform_plugin_aspects.sinks import Batch, CourseOverviewSink, ModelBaseSink, Selection, XBlockSink
from platform_plugin_aspects.sinks.batch import chunks

#: Keys of which details are asked, or which are deleted, at once.
DETAIL_SIZE = 1_000
#: A WHERE clause of ClickHouse with its parameters.
Condition = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Source:
    """Objects of the source, in order: ClickHouse's keys, primary keys, fingerprints of the rows to be written."""

    keys: Sequence[Any] = ()
    primary_keys: Sequence[Any] = ()
    fingerprints: Sequence[int] = ()

    @classmethod
    def joined(cls, sources: Sequence[Source]) -> Source:
        """All of them, one after the other."""
        return cls(*([*chain.from_iterable(getattr(source, each.name) for source in sources)] for each in fields(cls)))

    def by_key(self) -> dict[Any, tuple[Any, int]]:
        """{ClickHouse's key: (primary key, fingerprint)}."""
        return dict(zip(self.keys, zip(self.primary_keys, self.fingerprints, strict=True), strict=True))


@dataclass(frozen=True)
class Range:
    """The objects with primary keys above ``low`` and not above ``high``."""

    source: Source
    low: Any
    high: Any


@dataclass
class Comparison:
    """The result of a comparison.

    ``missing`` in ClickHouse and ``stale`` there: {ClickHouse's key: the source's primary key}. ``extra``, gone from
    the source: ClickHouse's keys. ``objects``: of the source, looked at. ``ranges``: of keys, or buckets of
    fingerprints, there are; ``compared``: those that were looked at; ``inspected``: those in which something differed.
    ``seconds``: for the caller to note.
    """

    sink: str
    objects: int = 0
    ranges: int = 0
    compared: int = 0
    inspected: int = 0
    missing: dict[Any, Any] = field(default_factory=dict)
    stale: dict[Any, Any] = field(default_factory=dict)
    extra: list[Any] = field(default_factory=list)
    seconds: float = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.stale or self.extra)

    def add(self, here: Mapping[Any, tuple[Any, int]], there: Mapping[Any, int | None]) -> None:
        """Record how entries differ: ``here`` {key: (primary key, fingerprint)}, ``there`` {key: fingerprint}.

        A fingerprint of None in ``there``: ClickHouse has something of the object, but not its row.
        """
        for key, (primary_key, fingerprint) in here.items():
            if there.get(key) is None:
                self.missing[key] = primary_key
            elif there[key] != fingerprint:
                self.stale[key] = primary_key
        self.extra += [key for key in there if key not in here]


class Comparator:
    """Reads both sides of a sink's comparison. ClickHouse's key is the primary key, and sorts like it."""

    def __init__(self, sink: ModelBaseSink):
        self.sink = sink
        self.key = sink.key()

    def source(self, batch: Batch) -> Source:
        """The objects of a batch."""
        if not len(batch):
            return Source()
        data = self.sink.converted(batch)
        position = self.sink.columns.index(self.key)
        if self.key.type == "UUID":
            data[position] = list(map(uuid_text, data[position]))
        return Source(data[position], batch.keys, fingerprints(self.sink.columns, data))

    def source_of(self, keys: Sequence[Any]) -> Source:
        """Those of the keys that the source has."""
        databases.check_before_use()
        return self.source(self.sink.read(Selection(keys=[self.sink.parse_key(str(key)) for key in keys])))

    def totals(self, condition: Condition) -> tuple[int, int]:
        """How many keys ClickHouse has, and the sum of the fingerprints of their latest rows."""
        where, parameters = condition
        rows = self.sink.clickhouse.select(f"SELECT count(), sum(fingerprint) FROM ({self.latest(where)})", parameters)
        return int(rows[0][0]), int(rows[0][1]) % MODULUS

    def rows(self, condition: Condition) -> dict[Any, tuple[int | None, str]]:
        """{key: (fingerprint of its latest row, its time_last_dumped)} in ClickHouse.

        A fingerprint of None: ClickHouse has something of the object, but not its row.
        """
        where, parameters = condition
        rows = self.sink.clickhouse.select(self.latest(where), parameters)
        return {key: (fingerprint, time) for key, fingerprint, time in rows}

    def extra_anywhere(self, found: int) -> list[Any]:
        """The extra keys of ClickHouse that are in none of the ranges, which had ``found`` keys together."""
        return []

    def latest(self, where: str) -> str:
        """The query for key, fingerprint and time of the latest row per key."""
        # ClickHouse takes an alias for a column of the same name: a column may be named key, fingerprint or time.
        return (
            f"SELECT aspects_key AS key, aspects_fingerprint AS fingerprint, aspects_time AS time FROM ("
            f"SELECT {quote(self.key.name)} AS aspects_key, argMax({expression(self.sink.columns)}, time_last_dumped) "
            "AS aspects_fingerprint, max(time_last_dumped) AS aspects_time "
            f"FROM {self.sink.clickhouse.qualified(self.sink.table.name)} WHERE {where} GROUP BY aspects_key)"
        )

    def within(self, range_: Range) -> Condition:
        """The condition for ClickHouse's keys of a range."""
        conditions = ["1"]
        parameters = {}
        for comparison, parameter, bound in ((">", "low", range_.low), ("<=", "high", range_.high)):
            if bound is not None:
                conditions.append(f"{quote(self.key.name)} {comparison} {{{parameter}:{self.key.type}}}")
                (parameters[parameter],) = self.key.values([bound])
        return " AND ".join(conditions), parameters

    def among(self, keys: Collection[Any]) -> Condition:
        """The condition for some of ClickHouse's keys."""
        return f"{quote(self.key.name)} IN {{keys:Array({self.key.type})}}", {"keys": list(keys)}


class KeyListComparator(Comparator):
    """ClickHouse's key is not the primary key: a range of the source is named key by key.

    Only so are the ranges of both sides the same, because each database sorts UUIDs in its own way.
    """

    def source_of(self, keys: Sequence[Any]) -> Source:
        """See Comparator."""
        databases.check_before_use()
        path = self.key.sources[0]
        primary_keys = self.sink.manager.filter(**{f"{path}__in": list(keys)}).values_list("pk", flat=True)
        return self.source(self.sink.read(Selection(keys=list(primary_keys))))

    def within(self, range_: Range) -> Condition:
        """See Comparator."""
        keys = range_.source.keys
        if self.key.type != "UUID":
            return self.among(keys)
        # As the numbers that ClickHouse stores, with their halves exchanged, keys are sent and read in half the time.
        digits = [key.replace("-", "") for key in keys]
        numbers = [int(each[16:] + each[:16], 16) for each in digits]
        return f"reinterpretAsUInt128({quote(self.key.name)}) IN {{keys:Array(UInt128)}}", {"keys": numbers}

    def extra_anywhere(self, found: int) -> list[Any]:
        """See Comparator."""
        key = quote(self.key.name)
        table = self.sink.clickhouse.qualified(self.sink.table.name)
        there = int(self.sink.clickhouse.select(f"SELECT uniqExact({key}) FROM {table}")[0][0])
        if there == found:
            return []
        extra: list[Any] = []
        keys = [row[0] for row in self.sink.clickhouse.select(f"SELECT DISTINCT {key} FROM {table}")]
        for some in chunks(keys, DETAIL_SIZE):
            here = set(self.source_of(some).keys)
            extra += [each for each in some if each not in here]
        return extra


class _CourseComparator(Comparator):
    """Courses: an entry is a course with all its blocks, as of its latest dump."""

    sink: CourseOverviewSink

    def source(self, batch: Batch) -> Source:
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

    def totals(self, condition: Condition) -> tuple[int, int]:
        """Courses of which there are only blocks count, too."""
        count, sum_ = super().totals(condition)
        return count + len(self._without_row(condition)), sum_

    def rows(self, condition: Condition) -> dict[Any, tuple[int | None, str]]:
        without_row = self._without_row(condition)
        return {**super().rows(condition), **{key: (None, time) for key, time in without_row.items()}}

    def latest(self, where: str) -> str:
        return (
            f"SELECT c.key AS key, c.fingerprint + b.fingerprint AS fingerprint, c.time AS time "
            f"FROM ({super().latest(where)}) AS c LEFT JOIN ("
            f"SELECT course_key, time_last_dumped AS time, sum({expression(XBlockSink.columns)}) AS fingerprint "
            f"FROM {self._blocks} WHERE {where} GROUP BY course_key, time"
            ") AS b ON b.course_key = c.key AND b.time = c.time"
        )

    def _without_row(self, condition: Condition) -> dict[Any, str]:
        """{key: time_last_dumped of the latest block} of courses that have blocks in ClickHouse, but no row."""
        where, parameters = condition
        courses = self.sink.clickhouse.qualified(self.sink.table.name)
        rows = self.sink.clickhouse.select(
            f"SELECT course_key, max(time_last_dumped) FROM {self._blocks} WHERE {where} "
            f"AND course_key NOT IN (SELECT course_key FROM {courses} WHERE {where}) GROUP BY course_key",
            parameters,
        )
        return dict(map(tuple, rows))

    @property
    def _blocks(self) -> str:
        return self.sink.clickhouse.qualified(XBlockSink.table.name)


def comparator_of(sink: ModelBaseSink) -> Comparator:
    """The comparator that suits a sink's keys."""
    if isinstance(sink, CourseOverviewSink):
        return _CourseComparator(sink)
    meta = sink.manager.model._meta
    key_source = sink.key().sources[0]
    return Comparator(sink) if key_source in ("pk", meta.pk.name) else KeyListComparator(sink)
