"""Reading the source column by column: no model instances, and no Python objects per row but the cursor's tuples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections

from platform_plugin_aspects.clickhouse.schema import convert_each


def read_columns(queryset: Any, paths: Sequence[str]) -> list[Sequence[Any]]:
    """One sequence of values per path: what ``queryset.values_list(*paths)`` gives, transposed.

    Values come as the database driver gives them, in one fetch; a field's own conversion (keys, UUIDs, time zones) is
    applied per distinct value.
    """
    connection = connections[queryset.db]
    compiler = queryset.values_list(*paths).query.get_compiler(connection=connection)
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        return [() for _ in paths]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        columns: list[Sequence[Any]] = list(zip(*cursor.fetchall(), strict=True)) or [() for _ in paths]
    selected = [expression for expression, _sql, _alias in compiler.select]
    for position, (converters, expression) in compiler.get_converters(selected).items():
        for converter in converters:
            apply = partial(_apply, converter, expression, connection)
            columns[position] = convert_each(columns[position], apply)
    return columns


def _apply(converter: Any, expression: Any, connection: Any, value: Any) -> Any:
    return converter(value, expression, connection)
