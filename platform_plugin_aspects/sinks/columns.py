"""Reading the source column by column: no model instances, and no Python objects per row but the cursor's tuples."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC
from functools import partial
from typing import Any

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.db import connections
from django.db.models import CharField, IntegerField, TextField
from django.db.models.constants import LOOKUP_SEP
from django.db.models.functions import Cast

from platform_plugin_aspects.clickhouse.schema import Texts, convert_each

#: Rows taken from the cursor at once. So few of them live at a time that they stay in the processor's cache and seldom
#: set off Python's garbage collector, which would look at all values read so far: it comes by when there are 700 new
#: objects, and rows are not the only ones.
ROWS_AT_ONCE = 100


def read_columns(
    queryset: Any,
    paths: Sequence[str],
    as_text: Collection[str] = (),
    as_number: Collection[str] = (),
) -> list[Sequence[Any]]:
    """One sequence of values per path: what ``queryset.values_list(*paths)`` gives, transposed.

    Values come as the database driver gives them, from one query; a field's own conversion (keys, UUIDs, time zones)
    is applied per distinct value. Where the database's moments are in UTC, those of the paths in ``as_text`` come as
    its own text, null as the empty string, and those in ``as_number`` as its own whole number: making objects of a
    million texts, and texts of these again, takes as long as reading them.
    """
    connection = connections[queryset.db]
    asked: dict[str, Any] = {}
    if _has_utc_texts(connection):
        asked |= {path: Cast(path, IntegerField()) for path in as_number}
    else:
        as_text = ()
    fields = {path: _fields(queryset.model, path) for path in as_text}
    asked |= {path: path if _holds_text(fields[path]) else Cast(path, TextField()) for path in as_text}
    # Django selects fields before expressions.
    selected = sorted(paths, key=lambda path: not isinstance(asked.get(path, path), str))
    queryset = queryset.values_list(*[asked.get(path, path) for path in selected])
    compiler = queryset.query.get_compiler(connection=connection)
    columns: list[Any] = [Texts() if path in fields else [] for path in selected]
    nullable = [path in fields and _may_be_null(fields[path]) for path in selected]
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        return columns
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            for column, with_nulls, values in zip(columns, nullable, zip(*rows, strict=True), strict=True):
                column += [value or "" for value in values] if with_nulls else values
    converters = compiler.get_converters([expression for expression, _sql, _alias in compiler.select])
    for position, (functions, expression) in converters.items():
        for function in functions:
            apply = partial(_apply, function, expression, connection)
            columns[position] = convert_each(columns[position], apply)
    return [columns[selected.index(path)] for path in paths]


def _fields(model: Any, path: str) -> list[Any]:
    """The fields along a path; none when it is not one of fields alone."""
    fields: list[Any] = []
    try:
        for name in path.split(LOOKUP_SEP):
            fields.append(model._meta.pk if name == "pk" else model._meta.get_field(name))
            model = fields[-1].related_model
    except (FieldDoesNotExist, AttributeError):
        return []
    return fields


def _holds_text(fields: Sequence[Any]) -> bool:
    """Whether the last of the fields is text that nothing else is made of, as is of the texts of keys."""
    return bool(fields) and isinstance(fields[-1], CharField | TextField) and not hasattr(fields[-1], "from_db_value")


def _may_be_null(fields: Sequence[Any]) -> bool:
    return not fields or any(field.null for field in fields)


def _has_utc_texts(connection: Any) -> bool:
    """Whether the database's text of a moment is ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in UTC."""
    return connection.timezone is UTC and connection.vendor in ("mysql", "sqlite")


def _apply(converter: Any, expression: Any, connection: Any, value: Any) -> Any:
    return converter(value, expression, connection)
