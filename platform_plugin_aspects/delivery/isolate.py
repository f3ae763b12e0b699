"""Write objects so that one that cannot be written does not keep the others from ClickHouse."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.errors import Failure, Misconfigured, Unavailable, Unclear
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, NeedsCommit, Selection, Written

#: Faults that no object causes: ClickHouse is unavailable or misconfigured, a database of the platform fails, or
#: something must be committed before.
NOT_THE_OBJECT: tuple[type[Exception], ...] = (Unavailable, Misconfigured, NeedsCommit, *PLATFORM_FAULTS)
#: How many objects are tried alone before an unclear fault counts as a misconfiguration.
PROBES = 8


@dataclass
class Outcome:
    """The result of writing objects: rows per table, and the error of each object that cannot be written.

    ``found``: the keys that the source had; filled by ``write_objects`` only.
    """

    rows: Counter[str] = field(default_factory=Counter)
    rejected: dict[Any, str] = field(default_factory=dict)
    writes: int = 0
    found: set[Any] = field(default_factory=set)

    def add(self, other: Outcome) -> None:
        """Add the outcome of other objects."""
        self.rows.update(other.rows)
        self.rejected.update(other.rejected)
        self.writes += other.writes


def write_objects(sink: BaseSink, keys: Sequence[Any], stamp: datetime) -> Outcome:
    """Read the objects with these keys from the source and write them, as ``write_what_can_be`` does."""
    found: set[Any] = set()

    def read_and_write(some: Sequence[Any]) -> Written:
        databases.check_before_use()
        selection = Selection(keys=some)
        batch = sink.read(selection)
        found.update(batch.keys)
        return write_and_clean_up(sink, batch, stamp, selection)

    outcome = write_what_can_be(keys, read_and_write)
    outcome.found = found
    return outcome


def write_and_clean_up(sink: BaseSink, batch: Batch, stamp: datetime, asked: Selection | None = None) -> Written:
    """Write a batch, then delete the rows that became obsolete since it was read; ``asked``: see ``clean_up``."""
    written = sink.write(batch, stamp)
    databases.check_before_use()
    sink.clean_up(batch, stamp, asked)
    return written


def write_what_can_be(objects: Batch | Sequence[Any], write: Callable[[Any], Written]) -> Outcome:
    """Call ``write(objects)``; when that fails for a fault of an object, halve them until the bad ones stand alone.

    ``objects``: a batch, or keys. Raises Unavailable, Misconfigured and PLATFORM_FAULTS: no object causes those.
    An Unclear fault is an object's if others are written, and Misconfigured if none is.
    """
    return _Writing(write).run(objects)


class _Writing:
    def __init__(self, write: Callable[[Any], Written]):
        self.write = write
        self.outcome = Outcome()
        self.unclear: Unclear | None = None

    def run(self, objects: Any) -> Outcome:
        """See ``write_what_can_be``."""
        pending = [objects] if len(objects) else []
        while pending:
            part = pending.pop()
            if not self._gets_through(part) and len(part) > 1:
                pending += reversed(self._smaller(part))
        self._check()
        return self.outcome

    def _open(self) -> bool:
        """Whether any rows are written."""
        return any(self.outcome.rows.values())

    def _check(self) -> None:
        if self.unclear is not None and not self._open():
            raise self.unclear.way

    def _gets_through(self, part: Any) -> bool:
        """Write a part; returns whether it is written. A single object that cannot be written is noted."""
        try:
            written = self.write(part)
        except NOT_THE_OBJECT:
            raise
        except Exception as error:
            # Courses are read through third-party blocks, which may raise anything.
            if isinstance(error, Unclear):
                self.unclear = error
            if len(part) == 1:
                key = part.keys[0] if isinstance(part, Batch) else part[0]
                self.outcome.rejected[key] = str(error) if isinstance(error, Failure) else where_raised(error)
            return False
        self.outcome.rows.update(written.rows)
        self.outcome.rejected.update(written.rejected)
        self.outcome.writes += 1
        return True

    def _smaller(self, part: Any) -> list[Any]:
        """The two halves of a part that cannot be written as it is.

        While nothing is written and the fault is unclear, some random objects are tried first, each alone, and the
        parts around them are returned. Halving everything would take two inserts per object.
        """
        if self.unclear is None or self._open():
            middle = len(part) // 2
            return [part[:middle], part[middle:]]
        tried: list[int] = []
        for position in random.sample(range(len(part)), min(PROBES, len(part))):
            tried.append(position)
            if self._gets_through(part[position : position + 1]) and self._open():
                break
        self._check()
        edges = [-1, *sorted(tried), len(part)]
        gaps = [part[before + 1 : after] for before, after in pairwise(edges)]
        return [gap for gap in gaps if len(gap)]
