"""The outbox: what waits to be delivered, for how long, and what cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from platform_plugin_aspects.operations.doctor import backfills
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, manage
from platform_plugin_aspects.operations.status import SinkStatus, sink_statuses
from platform_plugin_aspects.operations.text import duration

#: A change that waits for longer, and for so many windows, is stuck.
PATIENCE = timedelta(minutes=5)
WINDOWS = 5


def examine(examination: Examination) -> Iterator[Finding]:
    """Reports stuck changes as problems, unless they follow from an earlier problem."""
    causes = [title for title in ("ClickHouse", "Workers") if examination.has_problem(title)]
    mark, why = (Mark.NOTE, f" (see {' and '.join(causes)})") if causes else (Mark.PROBLEM, "")
    idle = True
    for status in sink_statuses():
        for finding in (*_waiting(status, mark, why), *_failing(status, mark, why)):
            idle = False
            yield finding
    if idle:
        yield Finding(Mark.OK, "Nothing waits to be delivered")
    yield from backfills.examine()


def _waiting(status: SinkStatus, stuck: Mark, why: str) -> Iterator[Finding]:
    now = timezone.now()
    if not status.pending:
        if status.failures:
            failed = f"{status.failures} deliveries failed, the last with: {status.last_error}"
            yield Finding(Mark.NOTE, f"{status.sink}: {failed}; nothing is pending")
        return
    # Without its moment, the oldest was delivered while this was read.
    age = now - (status.oldest_pending_at or now)
    text = f"{status.sink}: {status.pending:,} {status.rows} wait, the oldest for {duration(age)}"
    if not status.known:
        yield Finding(
            Mark.PROBLEM,
            f"{text}; there is no sink of this name",
            "Add its class to EVENT_SINK_CLICKHOUSE_EXTRA_SINKS, or delete the changes in the admin site",
        )
        return
    if not status.enabled:
        yield Finding(Mark.NOTE, f"{text}; they are kept, because the sink is off in this service")
        return
    if status.failures:
        text += f"; {status.failures} deliveries failed, the last with: {status.last_error}"
    window = timedelta(seconds=settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS)
    limit = status.pending_limit
    if limit is not None and status.pending > limit:
        yield Finding(
            stuck,
            f"{text}; more than EVENT_SINK_CLICKHOUSE_XAPI_PENDING_LIMIT ({limit:,}){why}",
            "None is dropped. If ClickHouse takes them and their number does not fall, let more workers deliver: raise "
            "EVENT_SINK_CLICKHOUSE_XAPI_WORKERS",
        )
    elif age > max(PATIENCE, WINDOWS * window):
        remedy = f"Run {manage(f'aspects_deliver --object {status.sink}')}, and look into the workers' log"
        yield Finding(stuck, text + why, remedy)
    else:
        yield Finding(Mark.NOTE if status.failures else Mark.OK, text)


def _failing(status: SinkStatus, mark: Mark, why: str) -> Iterator[Finding]:
    if not status.failing:
        return
    first = status.failing[0]
    objects = "events" if status.reasons else "objects"
    yield Finding(
        mark,
        f"{status.sink}: {status.failing_objects:,} {objects} cannot be written{why}, "
        f"among them {first.object_id} after {first.attempts} attempts: {first.error}",
        f"Fix it and run {manage(f'aspects_deliver --object {status.sink} --retry-failed')}, "
        f"or give it up with --forget {status.sink} {first.object_id}",
    )
