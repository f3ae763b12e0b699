"""The values that pass between a sink and its callers: which objects, what was read of them, what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, compress
from typing import Any


@dataclass(frozen=True)
class Selection:
    """Which objects: those with one of ``keys`` (None: all), not one of ``skip``, with keys above ``after`` and not
    above ``upto``, changed at ``since`` or later, at most ``limit``.
    """

    keys: Sequence[Any] | None = None
    skip: Sequence[Any] = ()
    after: Any = None
    upto: Any = None
    since: datetime | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Batch:
    """Objects as read from the source, column by column: their ``keys``, and per source path one value per object."""

    keys: Sequence[Any]
    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(self.keys[part], {path: values[part] for path, values in self.columns.items()})

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """The objects of all batches, one after the other."""
        first, *others = batches
        if not others:
            return first
        columns = {path: [*chain.from_iterable(batch.columns[path] for batch in batches)] for path in first.columns}
        return cls([*chain.from_iterable(batch.keys for batch in batches)], columns)

    def only(self, keep: Sequence[bool]) -> Batch:
        """The objects for which ``keep`` is true."""
        columns = {path: list(compress(values, keep)) for path, values in self.columns.items()}
        return Batch(list(compress(self.keys, keep)), columns)


@dataclass
class Written:
    """What a write did: rows per ClickHouse table, and what was left out of it, as warnings."""

    rows: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
