"""Delivery: read the objects that changed, write them to ClickHouse, then confirm their changes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.isolate import Outcome, write_objects
from platform_plugin_aspects.delivery.outbox import enqueue, record, request_delivery, request_flag
from platform_plugin_aspects.delivery.pending import Kind, Pending, delete, is_claimable, kind_of
from platform_plugin_aspects.delivery.sink_lock import busy_secs, lock, next_stamp, wait_after
from platform_plugin_aspects.delivery.slots import make_slots, take_slot, workers_at_once
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.models import SinkState
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.batch import NeedsCommit
from platform_plugin_aspects.sinks.registry import is_on, sinks

log = logging.getLogger(__name__)

#: Exceptions that end the transaction: the platform's databases fail, or something must be committed first.
PASSED_ON: tuple[type[Exception], ...] = (NeedsCommit, *PLATFORM_FAULTS)


class Status(StrEnum):
    """How a delivery ended."""

    #: All rows that were ready are delivered.
    DELIVERED = "delivered"
    #: Other workers, as many as may, are delivering the sink.
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
class _Written:
    """The outcome of writing; by object id, why objects cannot be written; numbers of objects written and deleted."""

    outcome: Outcome
    rejected: dict[str, str]
    objects: int
    deleted: int


def deliver_changes(name: str, batches: int | None = None) -> Delivery:
    """Write what is pending of a sink to ClickHouse: each changed object once, in its current state, and each event.

    ``batches``: end after so many; ``more`` says whether something is left. Rows are deleted in the transaction that
    saw them written; every failure keeps them. Raises PLATFORM_FAULTS, and LookupError for an unknown sink.
    """
    optional_cache.delete(request_flag(name))
    sink_class = sinks().get(name)
    if sink_class is None:
        raise LookupError(f"Unknown sink {name!r}. Known sinks: {', '.join(sinks())}")
    if not is_on(sink_class):
        # Kept: another service, or a later configuration, may have it on.
        return Delivery(name, Status.OFF)
    workers = workers_at_once(name)
    deliver_batch = partial(_deliver_beside_others, workers=workers) if workers else _deliver_alone
    if workers:
        make_slots(name, workers)
    delivery = Delivery(name, more=True)
    done = 0
    while delivery.more and (batches is None or done < batches):
        try:
            with transaction.atomic():
                batch = deliver_batch(sink_class)
        except NeedsCommit as needed:
            delivery.add(_prepare(name, needed))
            continue
        if workers and batch.status is Status.DELIVERED:
            if batch.more and done == 0 and workers > 1:
                enqueue(name, 0)
            # Now that the slot is free: whoever found none since has ended. Rows that came meanwhile wait for a window.
            if not batch.more and is_claimable(kind_of(name), sink_class):
                request_delivery(name)
        delivery.add(batch)
        done += 1
    return delivery


def _prepare(name: str, needed: NeedsCommit) -> Delivery:
    """Commit what must be there before, and postpone the objects for which that fails."""
    try:
        rejected = dict(needed.prepare())
    except PLATFORM_FAULTS:
        raise
    except Exception as error:
        # Receivers of others' code, such as those of a new external id, may raise anything.
        with transaction.atomic():
            return _note_failure(_locked(name), f"The sink's own code failed: {where_raised(error)}")
    if rejected:
        kind, reasons = kind_of(name), {str(key): reason for key, reason in rejected.items()}
        with transaction.atomic():
            kind.postpone(name, reasons, list(kind.rows_of_objects(name, reasons.keys())))
    return Delivery(name, outcome=Outcome(rejected=rejected), more=True)


def _deliver_alone(sink_class: type[BaseSink]) -> Delivery:
    """Deliver one batch under the sink's lock, which keeps other workers from it."""
    state = lock(sink_class.name)
    if state is None:
        return Delivery(sink_class.name, Status.BUSY, wait=busy_secs())
    return _deliver_batch(sink_class, state, alone=True)


def _deliver_beside_others(sink_class: type[BaseSink], workers: int) -> Delivery:
    """Deliver one batch while other workers deliver others, as long as a slot is free.

    The task that finds none need not come again: those that hold the slots look for more after they give them back.
    """
    name = sink_class.name
    if not take_slot(name, workers):
        return Delivery(name, Status.BUSY)
    state = SinkState.objects.filter(sink=name).first() or SinkState(sink=name)
    return _deliver_batch(sink_class, state, alone=False)


def _deliver_batch(sink_class: type[BaseSink], state: SinkState, *, alone: bool) -> Delivery:
    """Deliver one batch. ``alone``: the state is locked; else it is locked and read again when it is changed."""
    name, kind = sink_class.name, kind_of(sink_class.name)
    now = timezone.now()
    if state.retry_at is not None and state.retry_at > now:
        return Delivery(name, Status.WAITING)
    pending = kind.read(sink_class, now, claim=not alone)
    if not pending.ready:
        return Delivery(name)
    try:
        written = _write(sink_class(), pending.ready, next_stamp(state))
    except PASSED_ON:
        raise
    except Exception as error:
        # An extra sink may raise anything where it does not write objects; those are isolated.
        reason = str(error) if isinstance(error, Failure) else f"The sink's own code failed: {where_raised(error)}"
        if not alone:
            state = _locked(name)
            if state.last_error_at is not None and state.last_error_at >= now:
                # Another worker has noted the same: two failures at once are one, and it tries again for both.
                return Delivery(name, Status.FAILED, error=reason)
        return _note_failure(state, reason)
    _confirm(kind, name, pending, written.rejected)
    if not alone:
        state = _locked(name)
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


def _locked(name: str) -> SinkState:
    """The state of a sink; others hold its lock for a moment only."""
    state = lock(name, wait=True)
    assert state is not None  # it was waited for
    return state


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


def _write(sink: BaseSink, ready: Sequence[Any], stamp: datetime) -> _Written:
    """Write the objects that changed and their dependents, and delete those that are gone from the source."""
    keys: dict[Any, str] = {}
    unparsable: dict[str, str] = {}
    for object_id in dict.fromkeys(row.object_id for row in ready):
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


def _confirm(kind: Kind, sink: str, pending: Pending, rejected: dict[str, str]) -> None:
    """Delete the rows of objects that are written, and postpone those of objects that cannot be written."""
    written = {row.object_id for row in pending.ready} - rejected.keys()
    done = [row for row in pending.read if row.object_id in written]
    if done:
        delete(type(done[0]), [row.pk for row in done])
    if rejected:
        kind.postpone(sink, rejected, pending.read)
