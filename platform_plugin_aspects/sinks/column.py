"""A column of a sink's table, and the kinds of sources from which its values come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import BinaryField, Field, IntegerField, TextField

from platform_plugin_aspects.clickhouse import schema
from platform_plugin_aspects.sinks.conversion import all_whole, convert_each, texts
from platform_plugin_aspects.sinks.formats import all_iso_utc

#: The types in which the database may give values: its own text, the same in UTF-8, its whole number.
TEXT: Field[Any, Any] = TextField()
UTF8: Field[Any, Any] = BinaryField()
NUMBER: Field[Any, Any] = IntegerField()


@dataclass(frozen=True)
class Value:
    """A model field's value, as Django gives it.

    ``path``: the field (``"user__username"``), by default the one named like the column; or several, whose values
    ``convert`` takes. ``convert``: from the field's value to ClickHouse's. Without it, a String column gets
    ``str(value)`` with null as the empty string, and another column gets the value as it is.
    """

    path: str | tuple[str, ...] = ""
    convert: Callable[..., Any] | None = None

    #: The type in which values travel, if it is cheaper than the column's; ClickHouse converts them.
    wire_type: ClassVar[str] = ""

    @property
    def cast(self) -> Field[Any, Any] | None:
        """The field as which the database should give the values; None: the model's own field."""
        return None

    def values(self, *fields: Sequence[Any], as_text: bool) -> Sequence[Any]:
        """The column's values, from one sequence per field; ``as_text``: they travel as text."""
        if self.convert is None:
            return texts(fields[0]) if as_text else fields[0]
        if len(fields) == 1:
            return convert_each(fields[0], self.convert)
        return list(map(self.convert, *fields))


@dataclass(frozen=True)
class Text(Value):
    """The database's own text of a field, null as the empty string: faster than ``Value`` for fields of text.

    ``convert_all``: the same as ``convert``, for a whole sequence of values at once.
    """

    convert_all: Callable[[Sequence[Any]], Sequence[Any]] | None = None

    @property
    def cast(self) -> Field[Any, Any]:
        """UTF-8, which is inserted as the database gives it, if nothing converts it."""
        return TEXT if self.convert or self.convert_all else UTF8

    def values(self, *fields: Sequence[Any], as_text: bool) -> Sequence[Any]:
        """See Value."""
        return self.convert_all(fields[0]) if self.convert_all else super().values(*fields, as_text=as_text)


@dataclass(frozen=True)
class Moment(Text):
    """A date with a time, as ISO 8601 in UTC; null is the empty string."""

    convert_all: Callable[[Sequence[Any]], Sequence[Any]] | None = all_iso_utc


@dataclass(frozen=True)
class Flag(Value):
    """A boolean, read as the database's whole number."""

    cast = NUMBER
    wire_type = "UInt8"


@dataclass(frozen=True)
class Uuid(Value):
    """A UUID, read and inserted as text."""

    cast = TEXT
    wire_type = "String"


@dataclass(frozen=True)
class Same(Value):
    """A value that is the same for all rows of an insert, so that it travels once."""

    wire_type = "LowCardinality(String)"


@dataclass(frozen=True)
class Column(schema.Column):
    """A column of a sink's table. ``source``: where its values come from. ``personal``: they are personal data."""

    source: Value = Value()
    personal: bool = False

    @property
    def wire_type(self) -> str:
        """See schema.Column."""
        return self.source.wire_type or self.type

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths of the model fields that the values come from."""
        path = self.source.path
        return path if isinstance(path, tuple) else (path or self.name,)

    def values(self, *fields: Sequence[Any]) -> Sequence[Any]:
        """The column's values, from one sequence per path of ``sources``; ClickHouse can hold every text among them."""
        values = self.source.values(*fields, as_text=self.wire_type == "String")
        return all_whole(values) if "String" in self.type else values


#: The last two columns of every sink's table.
DUMP_COLUMNS = (Column("dump_id", "UUID", Same()), Column("time_last_dumped", "String", Same()))
