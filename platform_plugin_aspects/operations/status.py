"""The state of delivery per sink, for ``aspects_status``, the metrics and ``aspects_check``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Min, Q, Value, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from platform_plugin_aspects.models import Change, SinkState, TrackingEvent
from platform_plugin_aspects.operations.text import printable
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import is_on, sinks
from platform_plugin_aspects.xapi.events import course_of

#: Failing objects of a sink that are listed, unless the caller says otherwise.
SHOWN = 10
#: Rows that wait for another attempt, and what is counted of all rows.
FAILED = Q(retry_at__isnull=False)
FIGURES = {
    "pending": Count("pk", filter=~FAILED),
    "oldest": Min("pk", filter=~FAILED),
    "failing_objects": Count("pk", filter=FAILED),
}


@dataclass(frozen=True)
class FailingObject:
    """An object that could not be written, how often, why, and when it is tried again.

    ``name`` and ``course``: the name of a learning event and its course id; empty for other objects, and ``course``
    for an event without one.
    """

    object_id: str
    attempts: int
    error: str
    retry_at: datetime
    name: str = ""
    course: str = ""

    def __str__(self) -> str:
        where = f" in {self.course}" if self.course else ""
        return printable(f"{self.object_id} ({self.name}{where})" if self.name else self.object_id)


@dataclass(frozen=True)
class FailingEvents:
    """The ``number`` of learning events of one name that failed for one reason."""

    reason: str
    name: str
    number: int


@dataclass(frozen=True)
class SinkStatus:
    """The state of one sink's delivery. A moment is None if it never was, or is not known.

    ``enabled``: whether this service (LMS or CMS) has it on. ``known``: False when there are changes or figures of a
    sink that is not registered. ``pending``: changes that are to be delivered, and of them the oldest; those of objects
    that failed are not among them but in ``failing_objects``, of which ``failing`` lists the first. Learning events are
    counted like changes, and ``reasons`` counts those that failed by reason and name, the most frequent ones.
    ``failures``: deliveries that failed since the last success, for no fault of an object; then ``retry_at`` is when
    the sink is tried again. ``last_success_at``: a delivery whose objects all failed for a fault of their own counts,
    too. ``last_error`` stays after a success. ``rate_per_hour`` and ``objects_delivered``: objects delivered in the
    last hour, and in all; a backfill's are not counted.
    """

    sink: str
    enabled: bool
    known: bool = True
    pending: int = 0
    oldest_pending_at: datetime | None = None
    failures: int = 0
    retry_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    rate_per_hour: int = 0
    objects_delivered: int = 0
    failing_objects: int = 0
    reasons: list[FailingEvents] = field(default_factory=list)
    failing: list[FailingObject] = field(default_factory=list)

    @property
    def rows(self) -> str:
        """The name of its pending rows, for people."""
        return "events" if self.sink == StatementSink.name else "changes"

    @property
    def pending_limit(self) -> int | None:
        """More pending rows than this are a problem; None: no number is."""
        if self.sink != StatementSink.name:
            return None
        return int(settings.EVENT_SINK_CLICKHOUSE_XAPI_PENDING_LIMIT)


def sink_statuses(show: int = SHOWN) -> list[SinkStatus]:
    """The status of every sink, and of unknown sinks that changes or figures name.

    ``show``: failing objects to list per sink. At most eight queries, however many sinks and changes there are, besides
    those for waffle flags that are not in the cache. Raises database errors.
    """
    changes = {row.pop("sink"): row for row in _changes()}
    oldest = dict(
        Change.objects.filter(pk__in=[row["oldest"] for row in changes.values()]).values_list("sink", "recorded_at")
    )
    events = TrackingEvent.objects.aggregate(**FIGURES)
    by_reason: dict[str, list[FailingEvents]] = {}
    if events["pending"] or events["failing_objects"]:
        name = StatementSink.name
        changes[name] = events
        oldest.update(TrackingEvent.objects.filter(pk=events["oldest"]).values_list(Value(name), "recorded_at"))
        by_reason[name] = _by_reason() if events["failing_objects"] else []
    states = {state.sink: state for state in SinkState.objects.all()}
    failing = _failing(show) if show else {}
    if show and events["failing_objects"]:
        failing[StatementSink.name] = _failing_events(show)
    known = sinks()
    return [
        SinkStatus(
            sink=name,
            known=name in known,
            enabled=name in known and is_on(known[name]),
            oldest_pending_at=oldest.get(name),
            failing=failing.get(name, []),
            reasons=by_reason.get(name, []),
            **{column: changes[name][column] for column in ("pending", "failing_objects") if name in changes},
            **_figures(states.get(name)),
        )
        for name in dict.fromkeys([*known, *sorted(changes), *sorted(states)])
    ]


def _changes() -> Any:
    """Per sink with changes: their numbers and the oldest. Only the index on sink and retry_at is read."""
    return Change.objects.order_by().values("sink").annotate(**FIGURES)


def reasons() -> list[tuple[str, int]]:
    """The most frequent reasons why learning events failed, and how many did."""
    failed = TrackingEvent.objects.filter(FAILED).order_by().values("error").annotate(number=Count("pk"))
    return list(failed.order_by("-number", "error").values_list("error", "number")[:SHOWN])


def _by_reason() -> list[FailingEvents]:
    """The numbers of learning events that failed, by reason and name; the greatest ones."""
    failed = TrackingEvent.objects.filter(FAILED).order_by().values("error", "name").annotate(number=Count("pk"))
    rows = failed.order_by("-number", "error", "name").values_list("error", "name", "number")
    return [FailingEvents(*row) for row in rows[:SHOWN]]


def _failing(show: int) -> dict[str, list[FailingObject]]:
    """Per sink, the objects that failed first."""
    place = Window(RowNumber(), partition_by=F("sink"), order_by="pk")
    found: dict[str, list[FailingObject]] = {}
    for change in Change.objects.filter(FAILED).annotate(place=place).filter(place__lte=show).order_by("pk"):
        found.setdefault(change.sink, []).append(_failing_object(change))
    return found


def _failing_events(show: int) -> list[FailingObject]:
    """The learning events that failed first."""
    events = TrackingEvent.objects.filter(FAILED).order_by("pk")[:show]
    # Payloads may be large: a few are in memory at once.
    return [
        replace(_failing_object(event), name=event.name, course=course_of(bytes(event.payload)))
        for event in events.iterator(chunk_size=SHOWN)
    ]


def _failing_object(row: Change | TrackingEvent) -> FailingObject:
    assert row.retry_at is not None  # it is one of those that failed
    return FailingObject(row.object_id, row.attempts, row.error, row.retry_at)


def _figures(state: SinkState | None) -> dict[str, Any]:
    if state is None:
        return {}
    same = ("failures", "retry_at", "last_success_at", "last_error", "last_error_at", "objects_delivered")
    return {name: getattr(state, name) for name in same} | {"rate_per_hour": state.delivered_last_hour(timezone.now())}
