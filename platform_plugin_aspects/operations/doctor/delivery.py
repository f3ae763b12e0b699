"""The outbox: what waits to be delivered, for how long, and what cannot be written; backfills that have not ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, manage
from platform_plugin_aspects.operations.status import SinkStatus, sink_statuses
from platform_plugin_aspects.operations.text import counted, duration
from platform_plugin_aspects.operations.unfinished import unfinished_backfills

#: A change that waits for longer, and for so many windows, is stuck.
PATIENCE = timedelta(minutes=5)
WINDOWS = 5


def examine(examination: Examination) -> Iterator[Finding]:
    """Reports stuck changes as problems, unless they follow from an earlier problem."""
    causes = [title for title in ("ClickHouse", "Workers") if examination.has_problem(title)]
    mark, why = (Mark.NOTE, f" (see {' and '.join(causes)})") if causes else (Mark.PROBLEM, "")
    findings = [finding for status in sink_statuses() for finding in _deliveries(status, mark, why)]
    yield from findings or [Mark.OK("Nothing waits to be delivered")]
    yield from _backfills()


def _deliveries(status: SinkStatus, stuck: Mark, why: str) -> Iterator[Finding]:
    failures = f"{status.failures} deliveries failed, the last with: {status.last_error}"
    if status.pending:
        yield _pending(status, f"; {failures}" if status.failures else "", stuck, why)
    elif status.failures:
        yield Mark.NOTE(f"{status.sink}: {failures}; nothing is pending")
    if status.failing:
        first = status.failing[0]
        noun = "event" if status.reasons else "object"
        yield stuck(
            f"{status.sink}: {counted(status.failing_objects, noun)} cannot be written{why}, "
            f"among them {first} after {counted(first.attempts, 'attempt')}: {first.error}",
            f"Fix it and run {manage(f'aspects_deliver --object {status.sink} --retry-failed')}, "
            f"or give it up with --forget {status.sink} {first.object_id}",
        )


def _pending(status: SinkStatus, failures: str, stuck: Mark, why: str) -> Finding:
    now = timezone.now()
    # Without its moment, the oldest was delivered while this was read.
    age = now - (status.oldest_pending_at or now)
    text = f"{status.sink}: {status.pending:,} {status.rows} wait, the oldest for {duration(age)}"
    if not status.known:
        return Mark.PROBLEM(
            f"{text}; there is no sink of this name",
            "Add its class to EVENT_SINK_CLICKHOUSE_EXTRA_SINKS, or delete the changes in the admin site",
        )
    if not status.enabled:
        return Mark.NOTE(f"{text}; they are kept, because the sink is off in this service")
    window = timedelta(seconds=settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS)
    limit = status.pending_limit
    if limit is not None and status.pending > limit:
        return stuck(
            f"{text}{failures}; more than EVENT_SINK_CLICKHOUSE_XAPI_PENDING_LIMIT ({limit:,}){why}",
            "None is dropped. If ClickHouse takes them and their number does not fall, let more workers deliver: raise "
            "EVENT_SINK_CLICKHOUSE_XAPI_WORKERS",
        )
    if age > max(PATIENCE, WINDOWS * window):
        remedy = f"Run {manage(f'aspects_deliver --object {status.sink}')}, and look into the workers' log"
        return stuck(f"{text}{failures}{why}", remedy)
    return (Mark.NOTE if failures else Mark.OK)(f"{text}{failures}")


def _backfills() -> Iterator[Finding]:
    """A backfill that failed is a problem, because objects are missing; others are notes."""
    for found in unfinished_backfills():
        heard = f"{found.objects:,} objects so far, last heard of {duration(timezone.now() - found.heard_at)} ago"
        why = f" ({heard}){f': {found.message}' if found.message else ''}"
        if found.state == "running":
            yield Mark.NOTE(f"{found.sink}: a backfill is running{why}")
            continue
        mark, state = (Mark.PROBLEM, "failed") if found.state == "failed" else (Mark.NOTE, "ended early")
        remedy = f"Begin another one without --resume, or resume it with {manage(found.resume)}"
        yield mark(f"{found.sink}: the last backfill {state}{why}", remedy)
