"""A line of a tracking log: the event in it, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from platform_plugin_aspects.xapi.events import canonical, is_allowed

#: A prefix, as syslog writes it, may have braces of its own: so many are tried as the beginning of the event.
MOST_TRIED = 8


class Reason(StrEnum):
    """Why a line is left out, in words."""

    BLANK = "blank"
    TOO_LONG = "too long"
    CUT_OFF = "cut off at the end of the log"
    NOT_JSON = "without a JSON object"
    FOREIGN = "not a tracking event"
    NOT_ALLOWED = "an event that does not become a statement"
    OUTSIDE = "outside of --since and --until"


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


def event_in(line: bytes, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
    """The canonical event in a line, of a moment from ``since`` on and before ``until``.

    Raises Left for a line to leave out, and Unusable for an event that ought to be one.
    """
    entry = entry_in(line)
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


def entry_in(line: bytes) -> Mapping[str, Any]:
    """The JSON object at the end of a line, whatever stands before it. Raises Left."""
    line = line.strip()
    if not line:
        raise Left(Reason.BLANK)
    start = line.find(b"{")
    for _ in range(MOST_TRIED):
        if start < 0:
            break
        try:
            entry = json.loads(line[start:].decode())
        except (ValueError, RecursionError):
            start = line.find(b"{", start + 1)
            continue
        # It begins with a brace.
        return dict(entry)
    raise Left(Reason.NOT_JSON)
