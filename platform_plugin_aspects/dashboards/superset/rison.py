"""Rison, in which Superset's lists take their filters and columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: A request line may hold these as they are. Rison quotes nothing else that matters to a URL.
SAFE = "!'(),:"

Value = str | int | Sequence["Value"] | Mapping[str, "Value"]


def rison(value: Value) -> str:
    """The value as Rison. Texts are always quoted, so a UUID or ``true`` stays a text."""
    if isinstance(value, str):
        return "'" + value.replace("!", "!!").replace("'", "!'") + "'"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "(" + ",".join(f"{key}:{rison(member)}" for key, member in value.items()) + ")"
    return "!(" + ",".join(rison(member) for member in value) + ")"
