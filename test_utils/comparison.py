"""Whether ClickHouse's latest rows are what the platform holds, for every sink, by the sinks' own declarations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.sinks import CourseOverviewSink, ModelBaseSink, Selection, XBlockSink
from platform_plugin_aspects.sinks.column import DUMP_COLUMNS, Column
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.sinks.tag_sink import tags_in_course

_KEYS = {"course_overviews": "course_key", "course_blocks": "location", "external_id": "external_user_id"}


@dataclass(frozen=True)
class Compared:
    """How many objects of a table the source has, and how the latest rows differ from them."""

    objects: int
    different: list[str]


def key_column(table: str) -> str:
    """The column that tells the objects of a table apart."""
    return _KEYS.get(table, "id")


def compare() -> dict[str, Compared]:
    """Compare, per table of a sink that is on, the latest rows with the source.

    A row whose object is not in the source, or not to be written, is a difference too.
    """
    client = get_client(Connection.from_settings())
    found: dict[str, Compared] = {}
    for sink_class in sinks().values():
        if not (sink_class.has_objects and sink_class.is_enabled()):
            continue
        sink = sink_class()
        for declared, expected in _expected(sink):
            names = [column.name for column in declared.columns]
            key = key_column(declared.table.name)
            wanted = {row[names.index(key)]: row for row in expected}
            latest = latest_rows(client, declared.table.name, names, key)
            found[declared.table.name] = Compared(len(wanted), list(_lines(names, wanted, latest)))
    return found


def latest_rows(client: ClickHouse, table: str, names: Sequence[str], key: str) -> dict[Any, tuple[Any, ...]]:
    """Per value of the key column, the row with the greatest time_last_dumped: what the dashboards see."""
    columns = ", ".join(f"`{name}`" for name in names)
    where = ""
    if table == XBlockSink.table.name:
        # Blocks that left their course keep their rows of earlier dumps.
        latest = f"(SELECT course_key, max(time_last_dumped) FROM {client.qualified(table)} GROUP BY course_key)"
        where = f"WHERE (course_key, time_last_dumped) IN {latest}"
    sql = f"SELECT `{key}`, {columns} FROM {client.qualified(table)} {where} ORDER BY {DUMP_COLUMNS[1].name}"
    return {row[0]: tuple(row[1:]) for row in client.select(sql)}


def _expected(sink: Any) -> Iterator[tuple[type[ModelBaseSink], list[tuple[Any, ...]]]]:
    """(sink class, rows as they should be in its table) for a sink and, for courses, their blocks."""
    batch = sink.read(Selection())
    columns = dict(batch.columns)
    if isinstance(sink, CourseOverviewSink):
        tags = [tags_in_course(key) for key in batch.keys]
        columns["tags"] = [of_course.get(str(key), []) for key, of_course in zip(batch.keys, tags, strict=True)]
        blocks = XBlockSink()
        courses = [blocks.rows_of(key, of_course)[0] for key, of_course in zip(batch.keys, tags, strict=True)]
        yield XBlockSink, _rows(XBlockSink, blocks.batch([row for course in courses for row in course]).columns)
    yield type(sink), _rows(type(sink), columns)


def _rows(sink: type[ModelBaseSink], fields: Mapping[str, Sequence[Any]]) -> list[tuple[Any, ...]]:
    if not fields:
        return []
    columns = [_values(column, [fields[source] for source in column.sources]) for column in sink.columns]
    return list(zip(*columns, strict=True))


def _values(column: Column, fields: Sequence[Sequence[Any]]) -> Sequence[Any]:
    values = column.values(*fields)
    # The text that SQLite has for a UUID is not the one that ClickHouse answers with.
    return [str(UUID(value)) for value in values] if column.type == "UUID" else values


def _lines(names: Sequence[str], wanted: dict[Any, Any], latest: dict[Any, Any]) -> Iterator[str]:
    for key, row in wanted.items():
        if key not in latest:
            yield f"{key} is missing"
        elif latest[key] != row:
            for name, in_clickhouse, in_source in zip(names, latest[key], row, strict=True):
                if in_clickhouse != in_source:
                    yield f"{key}: {name} is {in_clickhouse!r} in ClickHouse and {in_source!r} in the source"
    for key in latest.keys() - wanted.keys():
        yield f"{key} is in ClickHouse and not in the source"
