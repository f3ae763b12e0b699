"""A line of a tracking log: the event in it, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from platform_plugin_aspects.xapi.events import canonical, is_allowed

#: A prefix may have braces of its own, and so may the half of an event: so many are tried as the event's beginning.
MOST_TRIED = 32
_DECODER = json.JSONDecoder()


class Reason(StrEnum):
    """Why a line is left out, in words."""

    BLANK = "blank"
    TOO_LONG = "too long"
    CUT_OFF = "cut off at the end of the log"
    NOT_JSON = "without a JSON object"
    FOREIGN = "not a tracking event"
    NOT_ALLOWED = "an event that does not become a statement"
    OUTSIDE = "outside of --since and --until"


#: Reasons of lines that hold no event of any kind.
NO_EVENT = (Reason.TOO_LONG, Reason.NOT_JSON, Reason.FOREIGN)


class Left(Exception):
    """A line is left out, for a ``reason``."""

    def __init__(self, reason: Reason):
        super().__init__(str(reason))
        self.reason = reason


class Unusable(ValueError):
    """An event on the allow list cannot be transformed; ``name`` is the event's."""

    def __init__(self, name: str, reason: str):
        super().__init__(reason)
        self.name = name


def events_in(
    line: bytes, since: datetime | None = None, until: datetime | None = None
) -> list[dict[str, Any] | Unusable]:
    """The canonical events in a line, of moments from ``since`` on and before ``until``; mostly one.

    There are two where a writer was killed before it ended its line. Unusable stands for one that ought to be an event.
    Raises Left for a line without any.
    """
    found: list[dict[str, Any] | Unusable] = []
    why = Left(Reason.NOT_JSON)
    for entry in entries_in(line):
        try:
            found.append(_event(entry, since, until))
        except Unusable as error:
            found.append(error)
        except Left as left:
            why = left
    if not found:
        raise why
    return found


def _event(entry: Mapping[str, Any], since: datetime | None, until: datetime | None) -> dict[str, Any]:
    name = entry.get("name") or entry.get("event_type")
    if not isinstance(name, str) or not ("event_type" in entry or "data" in entry):
        raise Left(Reason.FOREIGN)
    if not is_allowed(name):
        raise Left(Reason.NOT_ALLOWED)
    try:
        event = canonical(entry)
    except (ValueError, RecursionError) as error:
        raise Unusable(name, str(error)) from None
    moment = datetime.fromisoformat(event["timestamp"])
    if (since is not None and moment < since) or (until is not None and moment >= until):
        raise Left(Reason.OUTSIDE)
    return event


def entries_in(line: bytes) -> list[Mapping[str, Any]]:
    """The JSON objects in a line, whatever stands before the first one. Raises Left for a line without any.

    Behind the half of an object, only those count that reach to the end of the line: others may be parts of the half.
    """
    line = line.strip()
    if not line:
        raise Left(Reason.BLANK)
    start = first = line.find(b"{")
    for _ in range(MOST_TRIED):
        if start < 0:
            break
        entries, is_end = _objects(line[start:])
        if entries and (is_end or start == first):
            return entries
        start = line.find(b"{", start + 1)
    raise Left(Reason.NOT_JSON)


def _objects(text: bytes) -> tuple[list[Mapping[str, Any]], bool]:
    """The JSON objects one after the other from the beginning of a text on, and whether the last one ends it."""
    found: list[Mapping[str, Any]] = []
    position = 0
    try:
        decoded = text.decode()
        while position >= 0:
            entry, end = _DECODER.raw_decode(decoded, position)
            found.append(entry)
            position = decoded.find("{", end)
    except (ValueError, RecursionError):
        return found, False
    return found, end == len(decoded)
