"""Reading the source column by column: no model instances, and no Python objects per row but the cursor's tuples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from types import MappingProxyType
from typing import Any

from django.core.exceptions import EmptyResultSet, FieldDoesNotExist
from django.db import OperationalError, connections
from django.db.models import BinaryField, CharField, Field, Func, TextField
from django.db.models.constants import LOOKUP_SEP
from django.db.models.functions import Cast

from platform_plugin_aspects.clickhouse.text import whole_bytes
from platform_plugin_aspects.sinks.conversion import Encoded, convert_each

#: Rows taken from the cursor at once. So few of them live at a time that they stay in the processor's cache and seldom
#: set off Python's garbage collector, which would look at all values read so far: it comes by when there are 700 new
#: objects, and rows are not the only ones.
ROWS_AT_ONCE = 100


class Utf8(Func):
    """The database's own text of an expression, in UTF-8 and as bytes. For MySQL and SQLite."""

    template = "CAST(%(expressions)s AS BLOB)"
    output_field = BinaryField()

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        """A cast alone would give the bytes of the column's character set."""
        return self.as_sql(compiler, connection, template="CAST(CONVERT(%(expressions)s USING utf8mb4) AS BINARY)")


def read_columns(
    queryset: Any, paths: Sequence[str], casts: Mapping[str, Field[Any, Any]] = MappingProxyType({})
) -> list[Sequence[Any]]:
    """One sequence of values per path: the columns of ``queryset.values_list(*paths)``.

    Values come as the database driver gives them, from one query; a field's own conversion (keys, UUIDs, time zones)
    is applied per distinct value. If the database's moments are in UTC, those of the paths in ``casts`` come as its
    own text (TextField; null as the empty string), the same in UTF-8 (BinaryField; as Encoded) or whole number
    (IntegerField): making objects of a million texts, and texts of these again, takes as long as reading them.

    Text that is not UTF-8, which the driver refuses to decode, comes with U+FFFD in place of what is wrong.
    """
    try:
        return _read(queryset, paths, casts)
    except (UnicodeDecodeError, OperationalError) as error:
        # MySQL's driver raises the one, SQLite's the other.
        if isinstance(error, OperationalError) and "decode" not in str(error):
            raise
        return _read(queryset, paths, casts, decodes=True)


def _read(
    queryset: Any, paths: Sequence[str], casts: Mapping[str, Field[Any, Any]], decodes: bool = False
) -> list[Sequence[Any]]:
    """See ``read_columns``. ``decodes``: text is decoded here and not by the driver."""
    connection = connections[queryset.db]
    # Others have another text for a moment than ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in UTC.
    if connection.timezone is not UTC or connection.vendor not in ("mysql", "sqlite"):
        casts = {}
    fields = {path: _fields(queryset.model, path) for path in (paths if decodes else casts)}
    asked = {path: _cast(path, fields[path], to) for path, to in casts.items()}
    decoded = [path for path in fields if decodes and _is_text(fields[path]) and asked.get(path, path) == path]
    asked |= {path: Utf8(path, output_field=fields[path][-1]) for path in decoded}
    # Django selects fields before expressions.
    selected = sorted(paths, key=lambda path: not isinstance(asked.get(path, path), str))
    queryset = queryset.values_list(*[asked.get(path, path) for path in selected])
    compiler = queryset.query.get_compiler(connection=connection)
    columns: list[Any] = [Encoded() if isinstance(casts.get(path), BinaryField) else [] for path in selected]
    for_null = [_for_null(fields[path], casts[path]) if path in casts else None for path in selected]
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        return columns
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            for column, empty, values in zip(columns, for_null, zip(*rows, strict=True), strict=True):
                column += values if empty is None else [value or empty for value in values]
    for path in decoded:
        position = selected.index(path)
        columns[position] = list(map(_decoded, columns[position]))
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


def _cast(path: str, fields: Sequence[Any], to: Field[Any, Any]) -> Any:
    """The expression that selects a path's values as those of another field."""
    if isinstance(to, BinaryField):
        return Utf8(path)
    # A field may make something else of its text, as those of keys do.
    is_text = _is_text(fields) and not hasattr(fields[-1], "from_db_value")
    return path if is_text and isinstance(to, TextField) else Cast(path, to)


def _is_text(fields: Sequence[Any]) -> bool:
    """Whether the database has text for a path along these fields."""
    return bool(fields) and isinstance(fields[-1], CharField | TextField)


def _decoded(value: bytes | str | None) -> str | None:
    return whole_bytes(value).decode(errors="replace") if isinstance(value, bytes) else value


def _for_null(fields: Sequence[Any], to: Field[Any, Any]) -> str | bytes | None:
    """The value that stands for null where there may be nulls; None: no value does."""
    if fields and not any(field.null for field in fields):
        return None
    return b"" if isinstance(to, BinaryField) else "" if isinstance(to, TextField) else None


def _apply(converter: Any, expression: Any, connection: Any, value: Any) -> Any:
    return converter(value, expression, connection)
