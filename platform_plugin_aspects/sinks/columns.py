"""Reading the source column by column: no model instances, and no Python objects per row but the cursor's tuples."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connections

from platform_plugin_aspects.clickhouse.schema import convert_each

#: Rows taken from the cursor at once. So few of them live at a time that they stay in the processor's cache and do not
#: set off Python's garbage collector, which would look at all rows read so far, again and again.
ROWS_AT_ONCE = 500


def read_columns(queryset: Any, paths: Sequence[str], naive: Collection[str] = ()) -> list[Sequence[Any]]:
    """One sequence of values per path: what ``queryset.values_list(*paths)`` gives, transposed.

    Values come as the database driver gives them, from one query; a field's own conversion (keys, UUIDs, time zones)
    is applied per distinct value. Moments of the paths in ``naive`` may come without their time zone, which is UTC:
    making a million of them aware costs as much as reading them.
    """
    connection = connections[queryset.db]
    compiler = queryset.values_list(*paths).query.get_compiler(connection=connection)
    columns: list[Any] = [[] for _ in paths]
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        return columns
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                column += values
    selected = [expression for expression, _sql, _alias in compiler.select]
    for position, (converters, expression) in compiler.get_converters(selected).items():
        for converter in converters:
            if paths[position] not in naive or not _only_makes_aware(converter, connection):
                columns[position] = _converted(columns[position], converter, expression, connection)
    return columns


def _converted(values: Sequence[Any], converter: Any, expression: Any, connection: Any) -> Sequence[Any]:
    """The values through one of Django's converters."""
    if _only_makes_aware(converter, connection) and set(map(type, values)) <= {datetime, type(None)}:
        # What it does, without its calls per value: nearly every moment is a distinct one.
        return [value if value is None or value.tzinfo else value.replace(tzinfo=UTC) for value in values]
    return convert_each(values, partial(_apply, converter, expression, connection))


def _only_makes_aware(converter: Any, connection: Any) -> bool:
    """Whether the converter takes the driver's naive moments for UTC and does nothing else to them."""
    aware = getattr(connection.ops, "convert_datetimefield_value", None)
    return aware is not None and converter == aware and settings.USE_TZ and connection.timezone is UTC


def _apply(converter: Any, expression: Any, connection: Any, value: Any) -> Any:
    return converter(value, expression, connection)
