"""How far logs have been loaded: what ``--resume`` goes by. A log is recognized by its first line, not by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from platform_plugin_aspects.delivery.replay.chunks import Choice
from platform_plugin_aspects.delivery.replay.files import Log, Position, open_log
from platform_plugin_aspects.models import LoadedLog

#: As many characters of a path as are kept, from its end.
PATH_LENGTH = 1_000


def saved_position(log: Log, choice: Choice) -> Position | None:
    """The position up to which the log was loaded with the same choice, or None."""
    row = LoadedLog.objects.filter(first_line=log.first_line, choice=_text(choice)).first() if log.first_line else None
    return None if row is None else Position(row.offset, row.lines, row.tail)


@contextmanager
def open_where_loaded(name: str, choice: Choice, tell: Callable[[str], Any]) -> Iterator[Log]:
    """A log at the position up to which it was loaded with the same choice. ``tell`` gets a remark on where that is.

    Raises CannotRead.
    """
    with open_log(name) as log:
        position = saved_position(log, choice)
        if position is None:
            if has_other(log):
                tell(f"{name} is another log than the last time: it begins at its first line")
            yield log
            return
        if log.go_to(position):
            tell(f"{name} continues after line {position.lines:,}")
            yield log
            return
    tell(f"{name} has changed since {position.lines:,} lines of it were loaded: it begins at its first line")
    with open_log(name) as log:
        yield log


def has_other(log: Log) -> bool:
    """Whether another log was loaded that had this one's name: it was rotated or replaced since."""
    return LoadedLog.objects.filter(path=_path(log)).exclude(first_line=log.first_line).exists()


def save_position(log: Log, choice: Choice, position: Position) -> None:
    """Note that a log is loaded up to a position. A log whose first line has no end yet cannot be recognized."""
    if log.first_line:
        values = {
            "path": _path(log),
            "offset": position.offset,
            "lines": position.lines,
            "tail": position.tail,
            "updated_at": timezone.now(),
        }
        LoadedLog.objects.update_or_create(first_line=log.first_line, choice=_text(choice), defaults=values)


def _path(log: Log) -> str:
    return str(Path(log.name).absolute())[-PATH_LENGTH:]


def _text(choice: Choice) -> str:
    """The choice as it is compared."""

    def bound(moment: datetime | None) -> str:
        return moment.isoformat() if moment else ""

    return f"{bound(choice.since)}/{bound(choice.until)}"
