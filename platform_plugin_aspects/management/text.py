"""How the commands write: tables of text, text from outside and durations for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from django.core.serializers.json import DjangoJSONEncoder

#: Units of durations, in seconds.
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def table(rows: Sequence[Sequence[object]], right: Collection[int] = ()) -> Iterator[str]:
    """The lines of a table; ``rows`` begins with the headings, the columns numbered in ``right`` (from 0) end flush."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell.rjust(width) if position in right else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()


def printable(text: str) -> str:
    """Text from outside with a space for what cannot be printed, such as line breaks and terminal commands."""
    return "".join(character if character.isprintable() else " " for character in text)


def duration(time: timedelta) -> str:
    """How long, in whole numbers of the greatest unit of which there are at least two: "90 s", "5 min", "47 h"."""
    seconds = max(0, round(time.total_seconds()))
    for unit, length in UNITS:
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def as_json(data: object) -> str:
    """Data as JSON, times as ISO 8601."""
    return json.dumps(data, cls=DjangoJSONEncoder, indent=2)
