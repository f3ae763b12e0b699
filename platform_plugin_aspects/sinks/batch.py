"""The values that pass between a sink and its callers: a selection of objects, a batch of them, the rows written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, compress
from typing import Any

from platform_plugin_aspects.sinks.conversion import Encoded

#: Rows that one statement inserts, updates or deletes.
ROWS_AT_ONCE = 1_000


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


class Columns(Mapping[str, Sequence[Any]]):
    """Values per source path; those that the database gave in UTF-8 are decoded when they are looked up."""

    def __init__(self, columns: Mapping[str, Sequence[Any]]):
        self._columns = columns

    def __getitem__(self, path: str) -> Sequence[Any]:
        values = self._columns[path]
        return values.decoded() if isinstance(values, Encoded) else values

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def as_read(self, path: str) -> Sequence[Any]:
        """The values of a path, perhaps in UTF-8."""
        return self._columns[path]


@dataclass(frozen=True)
class Batch:
    """Objects as read from the source, column by column: their ``keys``, and per source path one value per object."""

    keys: Sequence[Any]
    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, part: slice) -> Batch:
        return Batch(self.keys[part], self._each(lambda values: values[part]))

    def as_read(self, path: str) -> Sequence[Any]:
        """The values of a path, perhaps in UTF-8, which spares decoding and encoding them."""
        return self.columns.as_read(path) if isinstance(self.columns, Columns) else self.columns[path]

    def _each(self, select: Callable[[Sequence[Any]], Iterable[Any]]) -> Columns:
        """Some values of each path, chosen by position."""
        columns = {path: self.as_read(path) for path in self.columns}
        return Columns({path: _alike(values, select(values)) for path, values in columns.items()})

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """The objects of all batches, one after the other."""
        first, *others = batches
        if not others:
            return first
        columns = {
            path: _alike(first.as_read(path), chain.from_iterable(batch.as_read(path) for batch in batches))
            for path in first.columns
        }
        return cls([*chain.from_iterable(batch.keys for batch in batches)], Columns(columns))

    def only(self, keep: Sequence[bool]) -> Batch:
        """The objects for which ``keep`` is true."""
        return Batch(list(compress(self.keys, keep)), self._each(lambda values: compress(values, keep)))


@dataclass
class Written:
    """The result of a write: rows per ClickHouse table, and warnings about left-out content.

    ``rejected``: by key, why objects were left out that can never be written as they are.
    """

    rows: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    rejected: dict[Any, str] = field(default_factory=dict)


class NeedsCommit(Exception):
    """Raised by ``write`` before it has written all: something must be committed first.

    Call ``prepare`` outside of the transaction, then write again. It returns, by key, why objects cannot be written:
    leave those out.
    """

    def __init__(self, prepare: Callable[[], Mapping[Any, str]]):
        super().__init__("something must be committed before these objects are written")
        self.prepare = prepare


def _alike(values: Sequence[Any], selected: Iterable[Any]) -> Sequence[Any]:
    """The selected values, in UTF-8 if ``values`` are."""
    return Encoded(selected) if isinstance(values, Encoded) else list(selected)


def chunks(keys: Sequence[Any], size: int = ROWS_AT_ONCE) -> Iterator[Sequence[Any]]:
    """The keys in order, in chunks for one statement each."""
    return (keys[start : start + size] for start in range(0, len(keys), size))
