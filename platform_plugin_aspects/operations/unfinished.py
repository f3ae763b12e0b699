"""Unfinished backfills: those that run, failed or were stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from platform_plugin_aspects.models import BackfillRange

Status = BackfillRange.Status
#: A backfill reports every ten seconds that it is alive, but not while it reads a large course.
SILENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Unfinished:
    """The last backfill of a sink, which has not ended: its pieces, objects so far, when it was last heard of.

    ``state``: "running", "failed", or "stopped". ``message``: why a piece failed, or waits for ClickHouse.
    """

    sink: str
    state: str
    pieces: int
    done: int
    failed: int
    objects: int
    heard_at: datetime
    message: str = ""

    @property
    def resume(self) -> str:
        """Arguments of `manage.py` that resume it."""
        return f"dump_data_to_clickhouse --object {self.sink} --resume"


def unfinished_backfills() -> list[Unfinished]:
    """The last backfill of each sink, where it has not ended, by name. One query; raises database errors."""
    by_sink: dict[str, list[BackfillRange]] = {}
    for row in BackfillRange.objects.order_by("sink", "pk"):
        by_sink.setdefault(row.sink, []).append(row)
    now = timezone.now()
    return [_about(sink, rows, now) for sink, rows in by_sink.items() if any(row.status != Status.DONE for row in rows)]


def _about(sink: str, rows: list[BackfillRange], now: datetime) -> Unfinished:
    heard_at = max(row.updated_at for row in rows)
    failed = [row for row in rows if row.status == Status.FAILED]
    under_way = any(row.status in (Status.QUEUED, Status.RUNNING) for row in rows) and now - heard_at < SILENCE
    messages = [row.message for row in [*failed, *rows] if row.message]
    return Unfinished(
        sink,
        state="running" if under_way else "failed" if failed else "stopped",
        pieces=len(rows),
        done=sum(row.status == Status.DONE for row in rows),
        failed=len(failed),
        objects=sum(row.objects_written + row.objects_skipped + row.objects_rejected for row in rows),
        heard_at=heard_at,
        message=messages[0] if messages else "",
    )
