"""The content of rows as numbers that Python and ClickHouse compute alike, so that rows compare without being moved.

A row's fingerprint is the first eight bytes, little-endian, of the MD5 of its values as text, joined. MD5 is what both
sides have built in: ClickHouse has faster hashes, but Python's standard library has none of them. It guards against
accidents, not against forgery. Fingerprints of many rows add up modulo 2**64, in any order.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import md5
from typing import Any
from uuid import UUID

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.sinks.conversion import Encoded

SEPARATOR, ESCAPE = b"\x1f", b"\x1e"
MODULUS = 2**64


def fingerprints(columns: Sequence[Column], data: Sequence[Sequence[Any]]) -> Sequence[int]:
    """One fingerprint per row; ``data`` has one sequence of ClickHouse values per column."""
    encoded = [_encoded(column, values) for column, values in zip(columns, data, strict=True)]
    joined = map(SEPARATOR.join, zip(*encoded, strict=True))
    digests = b"".join([md5(row, usedforsecurity=False).digest() for row in joined])
    numbers = array("Q", digests)[::2]
    if array("H", [1]).tobytes() != b"\x01\x00":
        numbers.byteswap()
    return numbers


def total(numbers: Sequence[int]) -> int:
    """The fingerprint of all rows together."""
    return sum(numbers) % MODULUS


def expression(columns: Sequence[Column]) -> str:
    """ClickHouse's expression for the fingerprint of a row."""
    texts = list(map(_text_expression, columns))
    joined = f"arrayStringConcat([{', '.join(texts)}], '\\x1f')" if len(texts) > 1 else texts[0]
    return f"reinterpretAsUInt64(substring(MD5({joined}), 1, 8))"


def uuid_text(value: UUID | str) -> str:
    """A UUID as ClickHouse writes it; ``value`` may also be its 32 digits, as Django keeps it in most databases."""
    text = str(value).lower()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" if len(text) == 32 else text


def _text_expression(column: Column) -> str:
    name = quote(column.name)
    if column.type == "UUID":
        return f"lower(hex({name}))"
    if _is_text(column):
        return f"replaceAll(replaceAll({name}, '\\x1e', '\\x1e0'), '\\x1f', '\\x1e1')"
    return f"toString({name})"


def _encoded(column: Column, values: Sequence[Any]) -> Sequence[bytes]:
    if column.type == "Bool":
        return [b"true" if value else b"false" for value in values]
    if column.type == "UUID":
        # The 32 digits, as most databases store them: inserting the hyphens would take half a microsecond a value.
        return [str(value).replace("-", "").lower().encode() for value in values]
    if not _is_text(column):
        return [str(value).encode() for value in values]
    encoded = values if isinstance(values, Encoded) else list(map(str.encode, values))
    # Values with one of the two characters are very rare.
    together = b"".join(encoded)
    if SEPARATOR in together or ESCAPE in together:
        return [value.replace(ESCAPE, ESCAPE + b"0").replace(SEPARATOR, ESCAPE + b"1") for value in encoded]
    return encoded


def _is_text(column: Column) -> bool:
    return column.type in ("String", "LowCardinality(String)")
