"""The result of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Comparison:
    """The result of a comparison.

    ``missing`` in ClickHouse and ``stale`` there: {ClickHouse's key: the source's primary key}. ``extra``, gone from
    the source: ClickHouse's keys. ``objects``: of the source, looked at. ``ranges``: of keys, or buckets of
    fingerprints, there are; ``compared``: those that were looked at; ``inspected``: those in which something differed.
    ``seconds``: for the caller to note.
    """

    sink: str
    objects: int = 0
    ranges: int = 0
    compared: int = 0
    inspected: int = 0
    missing: dict[Any, Any] = field(default_factory=dict)
    stale: dict[Any, Any] = field(default_factory=dict)
    extra: list[Any] = field(default_factory=list)
    seconds: float = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.stale or self.extra)

    def add(self, here: Mapping[Any, tuple[Any, int]], there: Mapping[Any, int | None]) -> None:
        """Record how entries differ: ``here`` {key: (primary key, fingerprint)}, ``there`` {key: fingerprint}.

        A fingerprint of None in ``there``: ClickHouse has something of the object, but not its row.
        """
        for key, (primary_key, fingerprint) in here.items():
            if there.get(key) is None:
                self.missing[key] = primary_key
            elif there[key] != fingerprint:
                self.stale[key] = primary_key
        self.extra += [key for key in there if key not in here]
