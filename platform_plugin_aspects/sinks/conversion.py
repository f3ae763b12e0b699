"""Converting whole columns: one call per distinct value, or one call for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from platform_plugin_aspects.clickhouse.text import has_encoded_halves, whole, whole_bytes

#: Values that tell whether a column's values repeat: so many are seldom all different unless nearly all are.
LOOKED_AT = 500


class Encoded(list[bytes]):
    """Texts in UTF-8, as the database gave them and as they travel."""

    def decoded(self) -> list[str]:
        """The texts, with U+FFFD for what is not UTF-8."""
        return [whole_bytes(value).decode(errors="replace") for value in self]


def convert_each(values: Sequence[Any], convert: Callable[[Any], Any]) -> list[Any]:
    """``[convert(value) for value in values]``, with one call per distinct value where values repeat."""
    first = values[:LOOKED_AT]
    if len(set(first)) == len(first):
        return list(map(convert, values))
    converted = {value: convert(value) for value in set(values)}
    return list(map(converted.__getitem__, values))


def texts(values: Sequence[Any]) -> Sequence[str | bytes]:
    """``str()`` of each value, bytes as they are, null as the empty string."""
    if isinstance(values, Encoded):
        return values
    types = set(map(type, values))
    if types <= {str}:
        return values
    if types <= {str, type(None)}:
        return [value or "" for value in values]
    if types <= {bytes, type(None)}:
        # Some of those that were encoded.
        return Encoded(value or b"" for value in values)
    # One call per object, not per distinct value: equal values, such as 1 and True, may have different texts.
    objects = {id(value): value for value in values}
    by_object = {key: "" if value is None else str(value) for key, value in objects.items()}
    return [by_object[id(value)] for value in values]


def all_whole(values: Sequence[Any]) -> Sequence[Any]:
    """``whole`` of each text; the same object, after one look at all of them together, where there are no halves."""
    if isinstance(values, Encoded):
        return Encoded(map(whole_bytes, values)) if has_encoded_halves(b"".join(values)) else values
    try:
        "".join(values).encode()
    except (UnicodeEncodeError, TypeError):
        # There is a half of a surrogate pair among them, or a value that is not text.
        return [whole(value) if isinstance(value, str) else value for value in values]
    return values
