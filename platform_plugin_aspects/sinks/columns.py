"""Reading the source column by column: no model instances, and no Python objects per row but the cursor's tuples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from types import MappingProxyType
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import Field
from django.db.models.functions import Cast

from platform_plugin_aspects.clickhouse.schema import convert_each

#: Rows taken from the cursor at once. So few of them live at a time that they stay in the processor's cache and seldom
#: set off Python's garbage collector, which would look at all values read so far: it comes by when there are 700 new
#: objects, and rows are not the only ones.
ROWS_AT_ONCE = 100


def read_columns(
    queryset: Any,
    paths: Sequence[str],
    casts: Mapping[str, Field[Any, Any]] = MappingProxyType({}),
) -> list[Sequence[Any]]:
    """One sequence of values per path: what ``queryset.values_list(*paths)`` gives, transposed.

    Values come as the database driver gives them, from one query; a field's own conversion (keys, UUIDs, time zones)
    is applied per distinct value. Those of the paths in ``casts`` come as the database's own text or number, where its
    moments are in UTC: making objects of a million texts, and texts of these again, takes as long as reading them.
    """
    connection = connections[queryset.db]
    if not _has_utc_texts(connection):
        casts = {}
    # Django selects fields before expressions.
    selected = sorted(paths, key=casts.__contains__)
    expressions = [Cast(path, casts[path]) if path in casts else path for path in selected]
    compiler = queryset.values_list(*expressions).query.get_compiler(connection=connection)
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
    converters = compiler.get_converters([expression for expression, _sql, _alias in compiler.select])
    for position, (functions, expression) in converters.items():
        for function in functions:
            apply = partial(_apply, function, expression, connection)
            columns[position] = convert_each(columns[position], apply)
    return [columns[selected.index(path)] for path in paths]


def _has_utc_texts(connection: Any) -> bool:
    """Whether the database's text of a moment is ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in UTC."""
    return connection.timezone is UTC and connection.vendor in ("mysql", "sqlite")


def _apply(converter: Any, expression: Any, connection: Any, value: Any) -> Any:
    return converter(value, expression, connection)
