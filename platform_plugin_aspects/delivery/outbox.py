"""The outbox: ``record`` a change with the transaction that makes it, ``deliver`` what is recorded.

Why no change can be lost between the asking and the delivering: a delivery is asked for after the change is committed.
Within a window only the first asking sends a task; the mark that holds back the others is taken away by the task
*before* it reads what is pending. So an asking that was held back happened before the reading, and its change,
committed earlier still, is read; any later asking finds no mark and sends a task of its own. What a broker or a
worker loses is asked for again by ``request_pending``, which every worker runs when it starts, when it finds its
broker again, and regularly in between.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, models, transaction
from django.utils import timezone

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.isolate import Outcome, write_what_can_be
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import BaseSink, Selection, Written
from platform_plugin_aspects.sinks.registry import is_on, sinks

log = logging.getLogger(__name__)

TASK = "platform_plugin_aspects.tasks.deliver"
#: Options of sending a task: nobody waits for a broker that is gone. One retry, at once, finds a broker that was
#: restarted; ``retry=False`` would not do, for kombu then waits, and tries to connect again, for six seconds.
FAIL_FAST: dict[str, Any] = {
    "retry": True,
    "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
}
#: Waits between deliveries of a sink while ClickHouse is away: growing from the first to the last.
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)
#: Waits between attempts at one object that cannot be written: others are not held up, so these may be long.
FIRST_OBJECT_WAIT = timedelta(minutes=1)
LONGEST_OBJECT_WAIT = timedelta(days=1)
#: Changes read at once, and rows of Change inserted or deleted by one statement.
BATCH_SIZE = 10_000
RECORD_SIZE = 1_000
#: How many of the functions that wait for a commit are searched for an earlier asking.
LOOKED_BACK = 10


@dataclass
class Delivery:
    """What one call of ``deliver`` did.

    ``status``: "delivered" (nothing is pending, as far as was read), "busy" (another worker is at it), "waiting" (the
    wait after a failure is not over), "failed" (ClickHouse is away or misconfigured, or the
    sink's code failed: all is kept), "off". ``wait``:
    seconds after which it should be tried again, or None.
    """

    sink: str
    status: str = "delivered"
    changes: int = 0
    objects: int = 0
    deleted: int = 0
    outcome: Outcome = field(default_factory=Outcome)
    error: str = ""
    wait: float | None = None


def record(sink: str, object_ids: Iterable[Any]) -> None:
    """Record that objects of ``sink`` changed, in the caller's transaction, and ask for delivery after its commit.

    ``object_ids`` are primary keys. Never waits for ClickHouse or the broker, and never raises, for a platform that
    cannot record a change logs that and goes on; but when the database ended the caller's transaction with ours (a
    deadlock), the caller must know: its error is raised.
    """
    changes = [Change(sink=sink, object_id=str(object_id)) for object_id in object_ids]
    if not changes:
        return
    ended_before = connection.needs_rollback
    try:
        with transaction.atomic():
            Change.objects.bulk_create(changes, batch_size=RECORD_SIZE)
    except DatabaseError as error:
        if connection.needs_rollback and not ended_before:
            raise
        log.error(
            "%d changes of %s could not be recorded (%s): run `manage.py cms migrate platform_plugin_aspects`, "
            "then `manage.py cms dump_data_to_clickhouse --object %s`",
            len(changes),
            sink,
            type(error).__name__,
            sink,
        )
        return
    _request_after_commit(sink)


class _Request:
    """Asks for the delivery of ``sink`` when it is called, after the commit."""

    def __init__(self, sink: str):
        self.sink = sink
        self.done = False

    def __call__(self) -> None:
        self.done = True
        request_delivery(self.sink)


def _request_after_commit(sink: str) -> None:
    """Ask for delivery after the commit, once per transaction, because each asking costs round trips to the cache.

    An earlier asking is dropped only with a savepoint that is still active, which drops this change, too.
    """
    # Others may have registered very many functions.
    for registered in connection.run_on_commit[-LOOKED_BACK:]:
        function = registered[1]
        if isinstance(function, _Request) and function.sink == sink and not function.done:
            return
    transaction.on_commit(_Request(sink), robust=True)


def request_delivery(sink: str) -> None:
    """Ask Celery to deliver ``sink`` when the window is over, at most once per window. Never raises."""
    window = settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS
    if window <= 0 or optional_cache.add(request_flag(sink), request_flag_secs()):
        enqueue(sink, window)


def request_flag_secs() -> int:
    """How long an asking holds back others when its task never comes."""
    # Caches take whole seconds; 0 would mean "for ever" to some.
    window: float = settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS
    return max(1, math.ceil(window))


def busy_secs() -> float:
    """When to try again what another worker is at: not at once, or tasks would run round in circles meanwhile."""
    window: float = settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS
    return max(1, window)


def enqueue(sink: str, wait: float) -> None:
    """Send the task that delivers ``sink`` after ``wait`` seconds. Never raises: the changes are kept."""
    try:
        # By name, for tasks import this module.
        current_app.tasks[TASK].apply_async((sink,), countdown=max(0, wait), **FAIL_FAST)
    except Exception as error:
        log.warning(
            "Celery's broker does not take the delivery of %s (%s): its changes are kept and asked for again "
            "when a worker has found the broker",
            sink,
            type(error).__name__,
        )


def request_pending() -> list[str]:
    """Ask for the delivery of every sink that is on, has something pending and need not wait; returns their names."""
    now = timezone.now()
    waiting = SinkState.objects.filter(retry_at__gt=now).values("sink")
    ready = _ready(now).exclude(sink__in=waiting).values_list("sink", flat=True).distinct().order_by("sink")
    known = sinks()
    asked = [name for name in ready if name in known and is_on(known[name])]
    for name in asked:
        request_delivery(name)
    return asked


def deliver(name: str) -> Delivery:
    """Write all pending changes of a sink to ClickHouse, each object once and as it is now.

    Changes leave the outbox in the transaction that saw them written; every failure keeps them. Raises LookupError
    for a name that is no sink, and PLATFORM_FAULTS.
    """
    delivery = Delivery(name)
    optional_cache.delete(request_flag(name))
    sink_class = sinks().get(name)
    if sink_class is None:
        raise LookupError(f"{name!r} is no sink: there are {', '.join(sinks())}")
    if not is_on(sink_class):
        # Kept: another service, or a later configuration, may have it on.
        delivery.status = "off"
        return delivery
    more = True
    while more:
        with transaction.atomic():
            state = _lock(name)
            if state is None:
                delivery.status, delivery.wait = "busy", busy_secs()
                return delivery
            now = timezone.now()
            if state.retry_at is not None and state.retry_at > now:
                delivery.status = "waiting"
                return delivery
            more = _deliver_some(sink_class, state, now, delivery)
    return delivery


def end_wait(name: str) -> None:
    """Let the next delivery of a sink begin at once, though the wait after a failure is not over."""
    with transaction.atomic():
        state = _lock(name)
        # What another worker delivers at this moment does not wait.
        if state is not None and state.retry_at is not None:
            state.retry_at = None
            state.save(update_fields=["retry_at"])


def retry_failed(sink: str | None = None) -> int:
    """Let the next delivery try again what waits after an error, of one sink or of all; returns how many objects."""
    failed = Change.objects.filter(retry_at__isnull=False)
    return retry(failed if sink is None else failed.filter(sink=sink))


def retry(changes: models.QuerySet[Change]) -> int:
    """Let the next delivery try these changes again, those of them that wait after an error; returns how many."""
    # Their time has come, and they go on counting as failing until they are written.
    now = timezone.now()
    waiting = list(changes.filter(retry_at__gt=now).values_list("pk", flat=True))
    return sum(Change.objects.filter(pk__in=some).update(retry_at=now) for some in chunks(waiting))


def discard(sink: str, object_id: str) -> int:
    """Delete what is recorded of an object, so that it is not delivered; returns how many changes that were."""
    changes = list(Change.objects.filter(sink=sink, object_id=object_id).values_list("pk", flat=True))
    return _delete(changes)


def take_stamp(name: str) -> datetime:
    """The time_last_dumped for a write outside of ``deliver``: later than that of every earlier write of the sink."""
    with transaction.atomic():
        state = _lock(name, wait=True)
        assert state is not None  # it was waited for
        stamp = _next_stamp(state)
        state.save(update_fields=["last_stamp"])
    return stamp


def _deliver_some(sink_class: type[BaseSink], state: SinkState, now: datetime, delivery: Delivery) -> bool:
    """Deliver one batch of pending changes under the sink's lock; returns whether there may be more."""
    # What waits for another attempt comes last; it is read too, for a newer change may bring it along.
    oldest_first = Change.objects.filter(sink=state.sink).order_by(models.F("retry_at").asc(nulls_first=True), "pk")
    changes = list(oldest_first[:BATCH_SIZE])
    pending = [change for change in changes if change.retry_at is None or change.retry_at <= now]
    objects = list(dict.fromkeys(change.object_id for change in pending))
    chosen = set(objects[: sink_class.batch_size])
    ready = [change for change in pending if change.object_id in chosen]
    if not ready:
        return False
    try:
        _write(sink_class(), state, changes, ready, delivery)
    except PLATFORM_FAULTS:
        raise
    except Exception as error:
        # A sink of others may raise anything where it does not write objects; those are isolated.
        reason = str(error) if isinstance(error, Failure) else f"The sink's own code failed: {where_raised(error)}"
        state.failures += 1
        wait = wait_after(state.failures)
        # Not since the beginning: a ClickHouse that does not answer may have taken longer than the wait.
        state.last_error_at = timezone.now()
        state.retry_at = state.last_error_at + wait
        state.last_error = reason
        delivery.status, delivery.error, delivery.wait = "failed", reason, wait.total_seconds()
        log.error(
            "%s is not delivered; its changes are kept and tried again in %.0f s: %s",
            state.sink,
            wait.total_seconds(),
            reason,
        )
        state.save()
        return False
    state.failures = 0
    state.retry_at = None
    state.last_success_at = now
    state.save()
    delivery.changes += len(ready)
    return len(ready) == BATCH_SIZE or len(chosen) < len(objects)


def _write(
    sink: BaseSink, state: SinkState, changes: Sequence[Change], ready: Sequence[Change], delivery: Delivery
) -> None:
    """Write the objects that are ready; delete their changes, or note what is wrong with their objects."""
    keys: dict[Any, str] = {}
    bad: dict[str, str] = {}
    for object_id in dict.fromkeys(change.object_id for change in ready):
        try:
            keys[sink.parse_key(object_id)] = object_id
        except ValueError as error:
            bad[object_id] = str(error)
    wanted = list(dict.fromkeys([*keys, *sink.dependents(list(keys))]))
    stamp = _next_stamp(state)
    found: set[Any] = set()

    def read_and_write(some: Sequence[Any]) -> Written:
        asked = Selection(keys=some)
        batch = sink.read(asked)
        found.update(batch.keys)
        return sink.write_and_clean_up(batch, stamp, asked)

    outcome = write_what_can_be(wanted, read_and_write)
    outcome.rejected |= bad
    unread = [key for key in keys if key not in found and key not in outcome.rejected]
    gone = sink.gone(unread) if sink.deletes and unread else []
    if gone:
        sink.delete(gone)
    for other, others in sink.dependents_elsewhere(wanted).items():
        if is_on(sinks()[other]):
            record(other, others)
    good = len(found - outcome.rejected.keys())
    delivery.objects += good
    delivery.deleted += len(gone)
    state.count(good + len(gone), timezone.now())
    delivery.outcome.add(outcome)
    bad = {keys.get(key, str(key)): reason for key, reason in outcome.rejected.items()}
    written = {change.object_id for change in ready} - bad.keys()
    _delete([change.pk for change in changes if change.object_id in written])
    of_bad: dict[str, list[Change]] = {object_id: [] for object_id in bad}
    for change in changes:
        if change.object_id in of_bad:
            of_bad[change.object_id].append(change)
    for object_id, reason in bad.items():
        _postpone(state.sink, object_id, reason, of_bad[object_id])


def _delete(changes: Sequence[int]) -> int:
    """Delete changes by primary key: any wider condition would wait for rows that others have not committed yet.

    Returns how many there were.
    """
    return sum(Change.objects.filter(pk__in=some).delete()[0] for some in chunks(changes))


def chunks(keys: Sequence[Any], size: int = RECORD_SIZE) -> Iterator[Sequence[Any]]:
    """The keys in order, so many at once: for one statement each."""
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _postpone(sink: str, object_id: str, error: str, changes: Sequence[Change]) -> None:
    """Keep the oldest change of an object that cannot be written, with the error, for a later attempt."""
    # Without a change of its own, the object was written because another one changed.
    kept = min(changes, key=lambda change: change.pk, default=Change(sink=sink, object_id=object_id))
    kept.attempts = 1 + max((change.attempts for change in changes), default=0)
    kept.error = error
    kept.retry_at = timezone.now() + wait_after(kept.attempts, FIRST_OBJECT_WAIT, LONGEST_OBJECT_WAIT)
    if changes:
        # Not save(), which would bring back what somebody has given up meanwhile.
        Change.objects.filter(pk=kept.pk).update(attempts=kept.attempts, error=error, retry_at=kept.retry_at)
    else:
        kept.save()
    _delete([change.pk for change in changes if change is not kept])
    log.error("%s %s cannot be written and is kept (attempt %d): %s", sink, object_id, kept.attempts, error)


def _lock(name: str, *, wait: bool = False) -> SinkState | None:
    """The state of a sink, locked until the transaction ends; None when another worker holds it, unless ``wait``."""
    states = SinkState.objects.filter(sink=name)
    features = connection.features
    if not features.has_select_for_update:
        # SQLite has no row locks: the first write of a transaction locks the database.
        _make_state(name)
    skip_locked = features.has_select_for_update_skip_locked and not wait
    locked = states.select_for_update(skip_locked=skip_locked)
    found = locked.first()
    if found is None and not states.exists():
        _make_state(name)
        found = locked.first()
    return found


def _make_state(name: str) -> None:
    SinkState.objects.bulk_create([SinkState(sink=name)], ignore_conflicts=True)


def _next_stamp(state: SinkState) -> datetime:
    """A moment after every stamp that the sink has had, for readers take the row with the greatest one."""
    now = timezone.now()
    if state.last_stamp is not None:
        now = max(now, state.last_stamp + timedelta(microseconds=1))
    state.last_stamp = now
    return now


def _ready(now: datetime) -> models.QuerySet[Change]:
    return Change.objects.filter(models.Q(retry_at=None) | models.Q(retry_at__lte=now))


def wait_after(failures: int, first: timedelta = FIRST_WAIT, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """Doubling with each failure, up to the longest, and jittered so that workers do not come back all at once."""
    full: timedelta = min(first * 2.0 ** min(failures - 1, 30), longest)
    return full * random.uniform(0.5, 1)


def request_flag(name: str) -> str:
    """What holds back further askings for a sink within a window, as optional_cache.add takes it."""
    # LMS and CMS may differ in what is enabled, and each sends its tasks to workers of its own.
    return f"platform_plugin_aspects.asked.{getattr(settings, 'SERVICE_VARIANT', '')}.{name}"
