"""Whether ClickHouse has what the platform has, told by the first and the newest object of each sink.

That is cheap, however many there are: it takes the ends of an index in the platform's database and two keys in
ClickHouse. ``aspects_compare`` looks at all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import IntegerField

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.errors import Failure, Unavailable
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, manage
from platform_plugin_aspects.sinks import CourseOverviewSink, ModelBaseSink
from platform_plugin_aspects.sinks.personal_data import WrongShape
from platform_plugin_aspects.sinks.registry import is_on, sinks

#: The clocks of the host that publishes and the one that delivers may differ by this much.
CLOCKS = timedelta(seconds=10)
#: The column is text that other programs may have written, too.
DUMPED = "parseDateTime64BestEffortOrZero(time_last_dumped, 6, 'UTC')"


def examine(examination: Examination) -> Iterator[Finding]:
    """A line for each sink that is on."""
    try:
        examination.clickhouse  # noqa: B018
    except Failure as failure:
        yield examination.because_of("ClickHouse", "ClickHouse cannot be queried", str(failure))
        return
    on = [sink for sink in sinks().values() if sink.has_objects and is_on(sink)]
    if not on:
        yield examination.because_of("Sinks", "No sink is on")
    for sink in on:
        if not issubclass(sink, ModelBaseSink) or sink.key_column not in {column.name for column in sink.columns}:
            yield Mark.NOTE(f"{sink.name}: its rows do not tell their objects: not examined")
            continue
        try:
            yield _look(sink(examination.connection))
        except Unavailable as failure:
            yield Mark.PROBLEM(
                f"{sink.name}: ClickHouse stopped answering: {failure}",
                f"Run {manage('aspects_check --only ClickHouse Freshness')} again when it answers",
            )
            return
        except WrongShape as failure:
            yield examination.because_of("Settings", f"{sink.name}: cannot be read", f"{sink.name}: {failure}")
        except Failure as failure:
            text = f"{sink.name}: its table cannot be read"
            yield examination.because_of("ClickHouse", text, f"{text}: {failure}")


@dataclass(frozen=True)
class _Object:
    """An object of the source: its id, ClickHouse's key, and when it changed where that is known."""

    id: str
    key: Any
    changed: datetime | None


def _look(sink: ModelBaseSink) -> Finding:
    ends = _ends(sink)
    if ends is None:
        return Mark.OK(f"{sink.name}: there are no objects")
    first, newest = ends
    # Before ClickHouse is asked: what is delivered in between would be found in neither.
    changes = Change.objects.filter(sink=sink.name, object_id__in=[first.id, newest.id]).order_by("pk")
    pending = dict(changes.values_list("object_id", "retry_at"))
    dumps = _dumps(sink, ends)
    last = sink.clickhouse.select(f"SELECT max(time_last_dumped) FROM {sink.clickhouse.qualified(sink.table.name)}")
    last_dump = last[0][0] or "never"
    if first.key not in dumps and first.id not in pending:
        return Mark.PROBLEM(
            f"{sink.name}: {first.id}, the first object, is not in ClickHouse (last dump: {last_dump})",
            f"Run {manage(f'dump_data_to_clickhouse --object {sink.name}')}",
        )
    dumped = dumps.get(newest.key)
    is_current = dumped is not None and (newest.changed is None or newest.changed <= dumped + CLOCKS)
    if not is_current and newest.id not in pending:
        return Mark.PROBLEM(
            f"{sink.name}: {newest.id}, the newest object, is not in ClickHouse as it is (last dump: {last_dump}), "
            "and nothing is pending for it",
            f"Run {manage(f'aspects_compare --object {sink.name} --repair')}",
        )
    # Whatever their state in ClickHouse is, another one follows.
    for which, end in (("newest", newest), ("first", first)):
        if end.id in pending:
            state = "is pending" if pending[end.id] is None else "cannot be written"
            return Mark.NOTE(
                f"{sink.name}: {end.id}, the {which} object, {state}: see Delivery (last dump: {last_dump})"
            )
    return Mark.OK(f"{sink.name}: the newest object is in ClickHouse (last dump: {last_dump})")


def _ends(sink: ModelBaseSink) -> tuple[_Object, _Object] | None:
    """The first and the newest object; None without any. Only numeric keys and dates show an age."""
    queryset = sink.queryset()
    numbered = isinstance(queryset.model._meta.pk, IntegerField)
    by = "pk" if numbered or not sink.date else sink.date
    column = sink.key()
    # Other dates are those of creation, which say nothing about updates.
    changed = sink.date if isinstance(sink, CourseOverviewSink) else ""
    found = []
    for order in (by, f"-{by}"):
        row = queryset.order_by(order).values_list("pk", *column.sources, *filter(None, [changed])).first()
        if row is None:
            return None
        found.append(_Object(str(row[0]), column.values([row[1]])[0], row[2] if changed else None))
    return found[0], found[1]


def _dumps(sink: ModelBaseSink, objects: tuple[_Object, _Object]) -> dict[Any, datetime]:
    """The time of each object's last dump, by ClickHouse's key."""
    column = sink.key()
    rows = sink.clickhouse.select(
        f"SELECT {quote(column.name)}, toUnixTimestamp64Micro(max({DUMPED})) "
        f"FROM {sink.clickhouse.qualified(sink.table.name)} "
        f"WHERE {quote(column.name)} IN {{keys:Array({column.type})}} GROUP BY {quote(column.name)}",
        {"keys": [each.key for each in objects]},
    )
    return {key: datetime.fromtimestamp(microseconds / 1e6, UTC) for key, microseconds in rows}
