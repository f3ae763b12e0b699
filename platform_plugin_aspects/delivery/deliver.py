"""Delivery: read the objects that changed, write them to ClickHouse, then confirm their changes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.isolate import Outcome, write_objects
from platform_plugin_aspects.delivery.outbox import delete, postpone, record, request_flag
from platform_plugin_aspects.delivery.sink_lock import busy_secs, lock, next_stamp, wait_after
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.batch import NeedsCommit
from platform_plugin_aspects.sinks.registry import is_on, sinks

log = logging.getLogger(__name__)

#: Changes read by one query.
BATCH_SIZE = 10_000


class Status(StrEnum):
    """How a delivery ended."""

    #: No change that could be delivered is left.
    DELIVERED = "delivered"
    #: Another worker is delivering the sink.
    BUSY = "busy"
    #: The back-off after a failure is not over.
    WAITING = "waiting"
    #: ClickHouse is unavailable or misconfigured, or the sink's code failed. All changes are kept.
    FAILED = "failed"
    #: The sink is off in this service.
    OFF = "off"


@dataclass
class Delivery:
    """The result of ``deliver_changes``. ``wait``: seconds after which to try again, or None; ``more``: go on now."""

    sink: str
    status: Status = Status.DELIVERED
    changes: int = 0
    objects: int = 0
    deleted: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    error: str = ""
    wait: float | None = None
    more: bool = False

    def add(self, batch: Delivery) -> None:
        """Add the counts of a further batch, and take over how it ended."""
        self.changes += batch.changes
        self.objects += batch.objects
        self.deleted += batch.deleted
        self.outcome.add(batch.outcome)
        self.status, self.error, self.wait, self.more = batch.status, batch.error, batch.wait, batch.more


@dataclass(frozen=True)
class _Pending:
    """Pending changes of a sink: all that were ``read``, those of them that are ``ready``, and whether more are."""

    read: Sequence[Change]
    ready: Sequence[Change]
    more: bool


@dataclass(frozen=True)
class _Written:
    """The outcome of writing; by object id, why objects cannot be written; numbers of objects written and deleted."""

    outcome: Outcome
    rejected: dict[str, str]
    objects: int
    deleted: int


def deliver_changes(name: str) -> Delivery:
    """Write all pending changes of a sink to ClickHouse, each object once and in its current state.

    Changes are deleted in the transaction that saw them written; every failure keeps them. Raises PLATFORM_FAULTS, and
    LookupError for an unknown sink.
    """
    optional_cache.delete(request_flag(name))
    sink_class = sinks().get(name)
    if sink_class is None:
        raise LookupError(f"Unknown sink {name!r}. Known sinks: {', '.join(sinks())}")
    if not is_on(sink_class):
        # Kept: another service, or a later configuration, may have it on.
        return Delivery(name, Status.OFF)
    delivery = Delivery(name, more=True)
    while delivery.more:
        try:
            with transaction.atomic():
                delivery.add(_deliver_batch(sink_class))
        except NeedsCommit as needed:
            needed.prepare()
    return delivery


def _deliver_batch(sink_class: type[BaseSink]) -> Delivery:
    """Deliver one batch of pending changes under the sink's lock."""
    name = sink_class.name
    state = lock(name)
    if state is None:
        return Delivery(name, Status.BUSY, wait=busy_secs())
    now = timezone.now()
    if state.retry_at is not None and state.retry_at > now:
        return Delivery(name, Status.WAITING)
    pending = _read(sink_class, now)
    if not pending.ready:
        return Delivery(name)
    try:
        written = _write(sink_class(), pending.ready, next_stamp(state))
    except NeedsCommit:
        raise
    except PLATFORM_FAULTS:
        raise
    except Exception as error:
        # An extra sink may raise anything where it does not write objects; those are isolated.
        reason = str(error) if isinstance(error, Failure) else f"The sink's own code failed: {where_raised(error)}"
        return _note_failure(state, reason)
    _confirm(name, pending, written.rejected)
    state.failures = 0
    state.retry_at = None
    state.last_success_at = now
    state.count(written.objects + written.deleted, timezone.now())
    state.save()
    changes = len(pending.ready)
    return Delivery(
        name,
        changes=changes,
        objects=written.objects,
        deleted=written.deleted,
        outcome=written.outcome,
        more=pending.more,
    )


def _note_failure(state: SinkState, reason: str) -> Delivery:
    state.failures += 1
    wait = wait_after(state.failures)
    # The back-off begins now: a ClickHouse that does not answer may have taken longer than the wait.
    state.last_error_at = timezone.now()
    state.retry_at = state.last_error_at + wait
    state.last_error = reason
    state.save()
    secs = wait.total_seconds()
    log.error("%s is not delivered; its changes are kept and tried again in %.0f s: %s", state.sink, secs, reason)
    return Delivery(state.sink, Status.FAILED, error=reason, wait=secs)


def _read(sink_class: type[BaseSink], now: datetime) -> _Pending:
    """The next changes to deliver. Changes that wait for a retry come last; a newer change may deliver them, too."""
    pending = Change.objects.filter(sink=sink_class.name)
    changes = list(pending.order_by(models.F("retry_at").asc(nulls_first=True), "pk")[:BATCH_SIZE])
    due = [change for change in changes if change.retry_at is None or change.retry_at <= now]
    objects = list(dict.fromkeys(change.object_id for change in due))
    chosen = set(objects[: sink_class.batch_size])
    ready = [change for change in due if change.object_id in chosen]
    return _Pending(changes, ready, more=len(ready) == BATCH_SIZE or len(chosen) < len(objects))


def _write(sink: BaseSink, ready: Sequence[Change], stamp: datetime) -> _Written:
    """Write the objects that changed and their dependents, and delete those that are gone from the source."""
    keys: dict[Any, str] = {}
    unparsable: dict[str, str] = {}
    for object_id in dict.fromkeys(change.object_id for change in ready):
        try:
            keys[sink.parse_key(object_id)] = object_id
        except ValueError as error:
            unparsable[object_id] = str(error)
    wanted = list(dict.fromkeys([*keys, *sink.dependents(list(keys))]))
    outcome = write_objects(sink, wanted, stamp)
    outcome.rejected |= unparsable
    unread = [key for key in keys if key not in outcome.found and key not in outcome.rejected]
    gone = sink.gone(unread) if sink.deletes and unread else []
    if gone:
        sink.delete(gone)
    for other, others in sink.dependents_elsewhere(wanted).items():
        if is_on(sinks()[other]):
            record(other, others)
    rejected = {keys.get(key, str(key)): reason for key, reason in outcome.rejected.items()}
    return _Written(outcome, rejected, len(outcome.found - outcome.rejected.keys()), len(gone))


def _confirm(sink: str, pending: _Pending, rejected: dict[str, str]) -> None:
    """Delete the changes of objects that are written, and postpone those of objects that cannot be written."""
    written = {change.object_id for change in pending.ready} - rejected.keys()
    delete([change.pk for change in pending.read if change.object_id in written])
    by_object: dict[str, list[Change]] = {object_id: [] for object_id in rejected}
    for change in pending.read:
        if change.object_id in by_object:
            by_object[change.object_id].append(change)
    for object_id, reason in rejected.items():
        postpone(sink, object_id, reason, by_object[object_id])
