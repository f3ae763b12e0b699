"""Output of the commands: tables, text from outside and durations for people, JSON for machines."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

from django.core.serializers.json import DjangoJSONEncoder

#: Units of durations, in seconds.
UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


class Verbatim(str):
    """Text for machines, or to be copied: no line of it is broken."""

    __slots__ = ()


#: The beginning of a command line, which must stay in one line to be copied.
COMMAND_LINE = "python manage.py "
#: The beginning of a line whose text is in a column of its own: "  problem  No worker answers".
MARK = re.compile(r" +[a-z]+ {2,}(?=\S)")


def fit(text: str, width: int) -> Iterator[str]:
    """Text with its lines broken between words, so that none but command lines is wider; the rest is indented."""
    for line in text.split("\n"):
        if len(line) < width:
            yield line
            continue
        mark = MARK.match(line)
        indent = " " * mark.end() if mark else line[: len(line) - len(line.lstrip())] + "  "
        before, command, after = line.partition(COMMAND_LINE)
        # The terminal's last column is left free: some begin a new line there.
        yield from textwrap.wrap(
            before, width - 1, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ) or ([] if command else [""])
        if command:
            yield f"{indent if before.strip() else ''}{command}{after}"


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


def counted(number: int, noun: str) -> str:
    """A number and what it counts: "1 event", "1,200 events"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(time: timedelta) -> str:
    """How long, in whole numbers of the greatest unit of which there are at least two: "90 s", "5 min", "47 h"."""
    seconds = max(0, round(time.total_seconds()))
    for unit, length in UNITS:
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def as_json(data: object) -> str:
    """Data as JSON, times as ISO 8601."""
    return Verbatim(json.dumps(data, cls=DjangoJSONEncoder, indent=2))
