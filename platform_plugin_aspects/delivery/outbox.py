"""The outbox: ``record`` a change in the transaction that makes it, and request its delivery after the commit.

No change is lost between a request and its delivery. A request is made after the change is committed. Within a window
only the first request enqueues a task and sets a flag, which suppresses further requests. The task removes the flag
*before* it reads the pending changes. A suppressed request was thus made before the reading, so its change, committed
earlier still, is read. Any later request finds no flag and enqueues a task of its own. ``request_pending`` repeats
requests that a broker or a worker lost. Every worker calls it when it starts, when it finds its broker again, and
regularly in between.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, models, transaction
from django.utils import timezone

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.delivery.pending import EVENTS, delete, kind_of
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.batch import ROWS_AT_ONCE, chunks
from platform_plugin_aspects.sinks.registry import is_on, sinks

log = logging.getLogger(__name__)

TASK = "platform_plugin_aspects.tasks.deliver"
#: Options of enqueueing a task, so that nobody waits for a broker that is gone. One retry, at once, finds a broker that
#: was restarted. ``retry=False`` would not do: kombu then tries to connect again for six seconds.
FAIL_FAST: dict[str, Any] = {
    "retry": True,
    "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
}
#: How many of the functions that wait for a commit are searched for an earlier request.
LOOKED_BACK = 10


def record(sink: str, object_ids: Iterable[Any]) -> None:
    """Record that objects of ``sink`` changed, in the caller's transaction, and request delivery after its commit.

    ``object_ids`` are primary keys. Never waits for ClickHouse or the broker. Logs errors instead of raising them, but
    for one: when the database ended the caller's transaction with ours (a deadlock), the caller must know.
    """
    changes = [Change(sink=sink, object_id=str(object_id)) for object_id in object_ids]
    if not changes:
        return
    ended_before = connection.needs_rollback
    try:
        with transaction.atomic():
            Change.objects.bulk_create(changes, batch_size=ROWS_AT_ONCE)
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
    """Requests the delivery of ``sink`` when it is called, after the commit."""

    def __init__(self, sink: str):
        self.sink = sink
        self.done = False

    def __call__(self) -> None:
        self.done = True
        request_delivery(self.sink)


def _request_after_commit(sink: str) -> None:
    """Request delivery after the commit, once per transaction, because each request costs round trips to the cache.

    An earlier request is dropped only with a savepoint that is still active, which drops this change, too.
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


def request_flag(name: str) -> str:
    """The cache key of the flag that suppresses further requests for a sink within a window."""
    # LMS and CMS may enable different sinks, and each has workers of its own.
    return f"platform_plugin_aspects.asked.{getattr(settings, 'SERVICE_VARIANT', '')}.{name}"


def request_flag_secs() -> int:
    """How long a request suppresses further ones when its task is lost."""
    # Caches take whole seconds; some take 0 as "for ever".
    window: float = settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS
    return max(1, math.ceil(window))


def enqueue(sink: str, wait: float) -> None:
    """Enqueue the task that delivers ``sink`` after ``wait`` seconds. Never raises: the changes are kept."""
    try:
        # By name, because tasks.py imports this module.
        current_app.tasks[TASK].apply_async((sink,), countdown=max(0, wait), **FAIL_FAST)
    except Exception as error:
        log.warning(
            "Celery's broker does not take the delivery of %s (%s): its changes are kept and asked for again "
            "when a worker has found the broker",
            sink,
            type(error).__name__,
        )


def request_pending() -> list[str]:
    """Request the delivery of every sink that is on, has pending rows and need not wait; returns their names."""
    now = timezone.now()
    waiting = SinkState.objects.filter(retry_at__gt=now).values("sink")
    pending = Change.objects.filter(models.Q(retry_at=None) | models.Q(retry_at__lte=now))
    ready = list(pending.exclude(sink__in=waiting).values_list("sink", flat=True).distinct().order_by("sink"))
    known = sinks()
    requested = [name for name in ready if name in known and is_on(known[name])]
    # Nothing is asked about events where they are off.
    events = StatementSink.name
    if events in known and is_on(known[events]):
        ready_events = EVENTS.ready(events, now).exists()
        if ready_events and not waiting.filter(sink=events).exists():
            requested.append(events)
    for name in requested:
        request_delivery(name)
    return requested


def retry_failed(sink: str | None = None) -> int:
    """Let the next delivery retry all objects that wait after an error, of one sink or of all; returns how many."""
    if sink is not None:
        return retry(kind_of(sink).failed(sink))
    failed = Change.objects.filter(retry_at__isnull=False)
    return retry(failed) + retry(EVENTS.failed(StatementSink.name))


def retry(rows: models.QuerySet[Any]) -> int:
    """Let the next delivery retry those of these rows that wait after an error; returns how many."""
    # Not None: they count as failing until they are written.
    now = timezone.now()
    waiting = list(rows.filter(retry_at__gt=now).values_list("pk", flat=True))
    everything = rows.model._default_manager
    return sum(everything.filter(pk__in=some).update(retry_at=now) for some in chunks(waiting))


def discard(sink: str, object_id: str) -> int:
    """Delete all rows of an object, so that it is not delivered; returns how many there were."""
    rows = kind_of(sink).rows_of_objects(sink, [object_id])
    return delete(rows.model, list(rows.values_list("pk", flat=True)))
