"""Celery tasks: deliveries with their retries, dumps of single objects, and ranges of a backfill."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from celery import bootsteps, current_app, shared_task
from celery.signals import celeryd_init, worker_ready
from django.conf import settings
from django.utils.module_loading import import_string
from edx_django_utils.monitoring import set_code_owner_attribute

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure, Misconfigured, Unavailable
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.backfill.runs import LeaseLost, walk_range
from platform_plugin_aspects.delivery.backfill.watcher import Watcher
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.isolate import write_objects
from platform_plugin_aspects.delivery.sink_lock import busy_secs, take_stamp, wait_after
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink, CourseOverviewSink, UserRetirementSink
from platform_plugin_aspects.sinks.registry import is_on, why_off

log = logging.getLogger(__name__)

#: Options of a task that the broker gives to another worker when its worker is killed.
KEPT = {"acks_late": True, "reject_on_worker_lost": True, "ignore_result": True}
#: Faults that may be over when a dump is retried.
PASSING_FAULTS: tuple[type[Exception], ...] = (Unavailable, *PLATFORM_FAULTS)
#: The batches after which a task lets others have the worker, and goes on in a task of its own.
BATCHES_IN_A_ROW = 10
#: The most deliveries of a sink in a row that one request causes where Celery is eager.
EAGER_ROUNDS = 10
#: The sinks that this thread is delivering where Celery is eager, and whether each was requested meanwhile.
_eager = threading.local()


@shared_task(name=outbox.TASK, **KEPT)
@set_code_owner_attribute
def deliver(sink: str) -> None:
    """Deliver the pending changes of ``sink``; enqueue a retry if that is not possible now."""
    if current_app.conf.task_always_eager:
        _deliver_in_caller(sink)
        return
    wait = _deliver(sink, BATCHES_IN_A_ROW)
    if wait is not None:
        outbox.enqueue(sink, wait)


def _deliver_in_caller(sink: str) -> None:
    """Deliver where Celery runs tasks at once in their caller, so that a retry would call itself.

    A request for a sink that this thread is delivering leads to another round of that delivery.
    """
    under_way: dict[str, bool] = _eager.__dict__
    if sink in under_way:
        under_way[sink] = True
        return
    wait = None
    try:
        for _round in range(EAGER_ROUNDS):
            under_way[sink] = False
            wait = _deliver(sink)
            if wait is not None or not under_way[sink]:
                break
        if under_way[sink]:
            # No task comes that would remove the flag.
            optional_cache.delete(outbox.request_flag(sink))
    finally:
        del under_way[sink]
    if wait is not None:
        log.info(
            "Delivery of %s is not repeated, because Celery runs tasks in their caller: its changes are kept for the "
            "next delivery",
            sink,
        )


def _deliver(sink: str, batches: int | None = None) -> float | None:
    """Deliver what is pending, at most so many batches; returns after how many seconds to go on, or None."""
    try:
        delivery = deliver_changes(sink, batches)
        return 0 if delivery.more else delivery.wait
    except LookupError as error:
        # Recorded by another version, or for an extra sink that is no longer listed. The changes are kept.
        log.error("Delivery of %s: %s", sink, error)
        return None
    except PLATFORM_FAULTS as error:
        # A lock that timed out, a deadlock, a lost connection: nothing was changed.
        wait = busy_secs()
        log.warning("Delivery of %s starts again in %s s: %s", sink, wait, type(error).__name__)
        return wait


@shared_task(ignore_result=True)
@set_code_owner_attribute
def deliver_pending() -> None:
    """Request the delivery of all pending changes, also of those whose request a worker or a broker lost."""
    outbox.request_pending()


@shared_task(bind=True, max_retries=None, **KEPT)
@set_code_owner_attribute
def dump_course_to_clickhouse(
    self: Any, course_key_string: str, connection_overrides: Mapping[str, Any] | None = None
) -> None:
    """Write a course and its blocks to ClickHouse. Other code calls it, and it may be in flight during upgrades.

    ``connection_overrides``: keys of EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG for this course only.
    """
    _dump(self, CourseOverviewSink, course_key_string, connection_overrides)


@shared_task(bind=True, max_retries=None, **KEPT)
@set_code_owner_attribute
def dump_data_to_clickhouse(
    self: Any,
    sink_module: str,
    sink_name: str,
    object_id: Any,
    connection_overrides: Mapping[str, Any] | None = None,
) -> None:
    """Write one object to ClickHouse. Other code calls it, and it may be in flight during upgrades.

    ``sink_module``, ``sink_name``: of the sink's class, e.g. "platform_plugin_aspects.sinks", "UserProfileSink".
    """
    sink_class = import_string(f"{sink_module}.{sink_name}")
    if not (isinstance(sink_class, type) and issubclass(sink_class, BaseSink)):
        raise ValueError(f"{sink_module}.{sink_name} is not a sink")
    _dump(self, sink_class, object_id, connection_overrides)


def _dump(task: Any, sink_class: type[BaseSink], object_id: Any, overrides: Mapping[str, Any] | None) -> None:
    """Write an object through the outbox, or directly with Celery's own retries if ``overrides`` say where to.

    A sink that is off writes nothing. Rows of retired learners are deleted nevertheless.
    """
    enabled = is_on(sink_class)
    if not enabled and not issubclass(sink_class, UserRetirementSink):
        log.error("%s %s is not written: %s", sink_class.name, object_id, why_off(sink_class))
        return
    if not overrides and enabled:
        outbox.record(sink_class.name, [object_id])
        return
    try:
        sink = sink_class(Connection.from_settings(overrides))
        key = sink.parse_key(str(object_id))
        stamp = take_stamp(sink.name)
        outcome = write_objects(sink, [key, *sink.dependents([key])], stamp)
    except PASSING_FAULTS as error:
        if task.request.is_eager:
            # A retry would run at once within this call, and so for ever.
            reason = str(error) if isinstance(error, Failure) else where_raised(error)
            log.error("%s %s is not written: %s", sink_class.name, object_id, reason)
            return
        raise task.retry(exc=error, countdown=wait_after(task.request.retries + 1).total_seconds()) from None
    except (Misconfigured, ValueError) as error:
        log.error("%s %s is not written: %s", sink_class.name, object_id, error)
        return
    for bad_key, reason in outcome.rejected.items():
        log.error("%s %s cannot be written: %s", sink.name, bad_key, reason)


class _LogWatcher(Watcher):
    """Watches a range in a worker: the command that handed the range out reads its progress from the database."""

    def tell(self, line: str) -> None:
        """See Watcher."""
        log.warning("Backfill: %s", line)


@shared_task(**KEPT)
@set_code_owner_attribute
def backfill_range(range_id: int, ticket: str) -> None:
    """Backfill the rest of a range; see the command's ``--workers``.

    ``ticket``: that of the range when it was handed out. One that is gone, done or was taken back is left alone.
    """
    row = BackfillRange.objects.filter(pk=range_id).first()
    if row is None:
        return
    try:
        walk_range(row, Connection.from_settings(), _LogWatcher(), task_token=ticket, patient=True)
    except LeaseLost as reason:
        log.info("Backfill of %s, range %s: %s", row.sink, range_id, reason)
    except (Failure, ValueError) as error:
        log.error("Backfill of %s, range %s: %s", row.sink, range_id, error)


@worker_ready.connect
def keep_asking(sender: Any, **_kwargs: Any) -> None:
    """Request all pending deliveries when a worker starts or finds its broker again, and regularly from then on.

    ``sender`` is the worker's consumer. The platform runs no beat process, so every worker has a timer.
    """
    interval = settings.EVENT_SINK_CLICKHOUSE_SWEEP_SECS
    if not interval:
        return
    # The flag of a task that the broker lost suppresses requests for so long.
    _enqueue_sweep(countdown=outbox.request_flag_secs())
    earlier = getattr(sender, "aspects_timer", None)
    if earlier is not None:
        earlier.cancel()
    sender.aspects_timer = sender.timer.call_repeatedly(interval, _enqueue_sweep)


class FoundBroker(bootsteps.StartStopStep):
    """A part of a worker's consumer, which Celery starts with it each time the broker is found."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Request again. The first time is worker_ready's, which Celery sends once in a worker's life."""
        if hasattr(parent, "aspects_timer"):
            keep_asking(parent)


@celeryd_init.connect
def look_after_reconnecting(instance: Any, **_kwargs: Any) -> None:
    """Give FoundBroker to a worker that is about to start."""
    instance.app.steps["consumer"].add(FoundBroker)


def _enqueue_sweep(countdown: float = 0) -> None:
    try:
        deliver_pending.apply_async(countdown=countdown, **outbox.FAIL_FAST)
    except Exception as error:
        log.warning("Celery's broker does not answer (%s): pending changes are kept", type(error).__name__)
