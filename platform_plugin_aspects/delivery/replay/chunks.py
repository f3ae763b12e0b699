"""A chunk of a tracking log as statements. This may happen in another process: the result can be pickled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from platform_plugin_aspects import databases
from platform_plugin_aspects.delivery.replay.files import Chunk
from platform_plugin_aspects.delivery.replay.lines import NO_EVENT, Left, Reason, Unusable, events_in
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.xapi.transform import Statement, transform

#: Events that are transformed at once, which bounds memory and the size of a query.
BATCH_SIZE = 1_000
#: Problems that are named, of a chunk and of a whole log.
MOST_NAMED = 10


@dataclass(frozen=True)
class Choice:
    """Which events of logs to load, and whether only to count them."""

    since: datetime | None = None
    until: datetime | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Problem:
    """An event that cannot be transformed: the number of its line, its name, and why."""

    line: int
    name: str
    reason: str


@dataclass
class Counts:
    """The lines of a log: each is left out for a reason, or holds events, which may be such that cannot be transformed.

    ``events`` and ``rejected`` count events by name, the latter with the reason; ``statements`` are those of the
    events. ``problems`` names the first events that cannot be transformed.
    """

    lines: int = 0
    left: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_of_others(self) -> bool:
        """Whether there are lines, and none of them is a tracking event of any kind: it is not a tracking log."""
        of_others = sum(self.left[reason] for reason in NO_EVENT)
        return of_others > 0 and of_others + self.left[Reason.BLANK] + self.left[Reason.CUT_OFF] == self.lines

    def add(self, other: Counts) -> None:
        """Count another part of the log, too."""
        self.lines += other.lines
        for name in ("left", "events", "statements", "rejected"):
            getattr(self, name).update(getattr(other, name))
        self.problems += other.problems[: MOST_NAMED - len(self.problems)]

    def reject(self, line: int, name: str, reason: str) -> None:
        """Count an event that cannot be transformed."""
        self.rejected[name, reason] += 1
        self.problems.append(Problem(line, name, reason))


@dataclass
class Loaded:
    """A chunk's counts, and its statements."""

    counts: Counts = field(default_factory=Counts)
    statements: list[Statement] = field(default_factory=list)


def transform_chunk(chunk: Chunk, choice: Choice) -> Loaded:
    """The statements of a chunk. Raises xapi.transform.NotUsable and PLATFORM_FAULTS."""
    loaded = Loaded()
    counts = loaded.counts
    events: list[tuple[int, Mapping[str, Any]]] = []
    for number, line in enumerate(chunk.lines, chunk.first):
        counts.lines += 1
        try:
            if line is None:
                raise Left(Reason.TOO_LONG)
            for found in events_in(line, choice.since, choice.until):
                if isinstance(found, Unusable):
                    counts.reject(number, found.name, str(found))
                else:
                    events.append((number, found))
        except Left as left:
            is_last = chunk.cut_off and number == chunk.first + len(chunk.lines) - 1
            # The half of an event may end with an object that is within it.
            is_half = is_last and left.reason in (Reason.NOT_JSON, Reason.FOREIGN)
            counts.left[Reason.CUT_OFF if is_half else left.reason] += 1
        if len(events) >= BATCH_SIZE:
            _transform(events, choice, loaded)
            events = []
    if events:
        _transform(events, choice, loaded)
    counts.problems.sort(key=lambda problem: problem.line)
    del counts.problems[MOST_NAMED:]
    return loaded


def _transform(events: Sequence[tuple[int, Mapping[str, Any]]], choice: Choice, loaded: Loaded) -> None:
    databases.check_before_use()
    canonical = [event for _, event in events]
    if choice.dry_run:
        # Learners of the log who have no external id yet get none.
        model = TrackingEvent.objects.db
        with transaction.atomic(using=model):
            statements, rejected = transform(canonical)
            transaction.set_rollback(True, using=model)
    else:
        statements, rejected = transform(canonical)
    for position, ((number, event), made) in enumerate(zip(events, statements, strict=True)):
        if position in rejected:
            loaded.counts.reject(number, event["name"], rejected[position])
            continue
        loaded.counts.events[event["name"]] += 1
        loaded.counts.statements[event["name"]] += len(made)
        loaded.statements += made
