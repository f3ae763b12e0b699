"""Reads rows of load_test_runs and load_test_stats with distrust, because anybody may have written them.

ClickHouse itself keeps ``timestamp`` and ``run_id`` valid; this module reads the JSON in ``extra`` and ``stats``.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from typing import Any

#: The greatest number that is accepted: greater ones can neither be drawn nor stored as an Int64.
LIMIT = 2**63
#: Figures of a sample's sections that are numbers.
FIGURES = ("total_rows", "lag_seconds", "lag")


class BadRow(ValueError):
    """The row cannot be used; the message says why, with the beginning of the value."""


def read_start(text: str) -> dict[str, Any]:
    """{tags, course_id, num_users, username_prefix} of a row "start". Raises BadRow."""
    found = _object(text)
    tags = found.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise BadRow(f"tags is {reprlib.repr(tags)}, not a list of texts")
    texts = {name: found.get(name) or "" for name in ("course_id", "username_prefix")}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise BadRow(f"{name} is {reprlib.repr(value)}, not a text")
    return {"tags": tags, "num_users": _whole(found, "num_users") or 0, **texts}


def read_end(text: str) -> int | None:
    """The sent_event_count of a row "end"; None if the row has none. Raises BadRow."""
    return _whole(_object(text), "sent_event_count")


def read_sample(text: str) -> dict[str, Any]:
    """The sections of a sample, each an object or None, whose FIGURES are numbers or None. Raises BadRow."""
    found = _object(text)
    for section, figures in found.items():
        if not (figures is None or isinstance(figures, dict)):
            raise BadRow(f"{reprlib.repr(section)} is {reprlib.repr(figures)}, not an object")
        for name in FIGURES:
            value = (figures or {}).get(name)
            if not (value is None or is_number(value)):
                raise BadRow(f"{name} of {reprlib.repr(section)} is {reprlib.repr(value)}, not a number")
    return found


def excerpt(text: str, length: int) -> str:
    """The text, or its beginning with "..." where it is longer."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def is_number(value: Any) -> bool:
    """Whether it is a finite number of at most LIMIT, and neither text nor True."""
    # The comparison is False for NaN.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LIMIT


def _whole(found: Mapping[str, Any], name: str) -> int | None:
    value = found.get(name)
    if value is None:
        return None
    if not (is_number(value) and value == int(value) and value >= 0):
        raise BadRow(f"{name} is {reprlib.repr(value)}, not a whole number")
    return int(value)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    # RecursionError: deeply nested brackets.
    except (ValueError, RecursionError):
        raise BadRow(f"{reprlib.repr(text)} cannot be read as JSON") from None
    if not isinstance(found, dict):
        raise BadRow(f"{reprlib.repr(found)} is not an object")
    return found
