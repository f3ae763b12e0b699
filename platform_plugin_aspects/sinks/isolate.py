"""Writing objects so that a bad one does not keep the good ones from ClickHouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import Error as DatabaseError

from platform_plugin_aspects.clickhouse.client import Failure, Misconfigured, Unavailable
from platform_plugin_aspects.errors import place_of
from platform_plugin_aspects.sinks.base_sink import Batch, Written

#: Faults of the way, not of an object: ClickHouse away or wrongly set up, the platform's database in trouble.
NOT_THE_OBJECT = (Unavailable, Misconfigured, DatabaseError)


@dataclass
class Outcome:
    """What became of objects: rows written per table, warnings, and the error of each object that cannot be written."""

    rows: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    rejected: dict[Any, str] = field(default_factory=dict)
    writes: int = 0

    def add(self, other: Outcome) -> None:
        """Take in what became of other objects."""
        self.rows.update(other.rows)
        self.warnings += other.warnings
        self.rejected.update(other.rejected)
        self.writes += other.writes


def write_what_can_be(objects: Batch | Sequence[Any], write: Callable[[Any], Written]) -> Outcome:
    """Call ``write(objects)``; when that fails for a fault of an object, halve them until the bad ones stand alone.

    ``objects``: a batch, or keys. Raises Unavailable, Misconfigured and database errors: those are no object's fault.
    """
    outcome = Outcome()
    pending = [objects] if len(objects) else []
    while pending:
        part = pending.pop()
        try:
            written = write(part)
        except NOT_THE_OBJECT:
            raise
        except Exception as error:
            # Courses are read through third-party blocks, which may raise anything.
            if len(part) > 1:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
                continue
            key = part.keys[0] if isinstance(part, Batch) else part[0]
            outcome.rejected[key] = str(error) if isinstance(error, Failure) else place_of(error)
        else:
            outcome.rows.update(written.rows)
            outcome.warnings += written.warnings
            outcome.writes += 1
    return outcome
