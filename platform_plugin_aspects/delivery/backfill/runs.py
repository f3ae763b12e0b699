"""Walks a range of keys under a lease, and notes the progress in the database.

The lease is an id in the range's row. Another process may take the range over at any time. The former one finds out
when it notes its next progress, and ends. So a range whose process seems to be dead can be walked again, at the price
of an insert written twice.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import connections, router
from django.utils import timezone

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.backfill.ranges import Status, Summary, Walk, key_text, summary_of
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.backfill.watcher import Watcher
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks.registry import HOW_TO_WRITE_IF_OFF, is_on, sinks, why_off


class LeaseLost(Exception):
    """Another process walks the range now, or it is gone because another backfill of the object has begun."""


def walk_range(
    row: BackfillRange, connection: Connection, watcher: Watcher, *, task_token: str = "", patient: bool = False
) -> Summary:
    """Walk the rest of a range; update ``row``, and its copy in the database if it is saved.

    Returns the counts of the range, earlier walks included. With ``task_token``, only the range that was handed out
    with it is taken. Without one, the range is taken from any other process. ``patient``: see ``backfill``. Raises
    LeaseLost, and the errors of ``backfill`` after noting them.
    """
    lease = _LeasedRange(row, watcher, task_token)
    database = row.options.get("read_from")
    try:
        if database is not None and database not in connections:
            raise ValueError(f"There is no database {database!r} in DATABASES here")
        sink_class = sinks()[row.sink]
        if not (row.options.get("even_if_off") or is_on(sink_class)):
            raise ValueError(f"{why_off(sink_class)}. {HOW_TO_WRITE_IF_OFF}")
        sink = sink_class(connection, database)
        summary = summary_of([row])
        walk = Walk.from_json(row.options, sink, row.last_key or row.after, row.upto)
        backfill(sink, walk, summary, lease, patient=patient)
    except Exception as error:
        # The text of other errors may hold a learner's data.
        message = str(error) if isinstance(error, Failure | ValueError) else f"{type(error).__name__} (see the log)"
        lease.note(status=Status.FAILED, message=message, ticket="")
        lease.check()
        raise
    status = Status.WAITING if summary.stopped else Status.DONE
    lease.note(status=status, message="", ticket="", seconds=summary.seconds)
    lease.check()
    return summary


class _LeasedRange(Watcher):
    """Takes the lease of a range and notes its progress; passes everything on to another watcher."""

    def __init__(self, row: BackfillRange, watcher: Watcher, task_token: str):
        self.row = row
        self.watcher = watcher
        self.lease = uuid.uuid4().hex
        self.lost = False
        if row.pk is not None:
            free = BackfillRange.objects.filter(pk=row.pk, **({"ticket": task_token} if task_token else {}))
            values = {"owner": self.lease, "ticket": task_token, "status": Status.RUNNING, "message": ""}
            if not free.update(**values, updated_at=timezone.now()):
                raise LeaseLost(f"Range {row.pk} is done, was taken back, or is gone")
            row.refresh_from_db(using=router.db_for_write(BackfillRange))

    def note(self, **values: Any) -> None:
        """Save values in the row, unless the lease is lost."""
        databases.check_before_use()
        values["updated_at"] = timezone.now()
        for name, value in values.items():
            setattr(self.row, name, value)
        if self.row.pk is not None and not self.lost:
            self.lost = not BackfillRange.objects.filter(pk=self.row.pk, owner=self.lease).update(**values)

    def check(self) -> None:
        """Raise LeaseLost when another process has the row."""
        if self.lost:
            raise LeaseLost(f"Another backfill of {self.row.sink} has begun: this one ends")

    def tell(self, line: str) -> None:
        self.note(message=line)
        self.watcher.tell(line)

    def explain(self, line: str) -> None:
        self.watcher.explain(line)

    def progress(self, summary: Summary) -> None:
        self.note(
            last_key=key_text(summary.last_key),
            objects_written=summary.objects,
            objects_skipped=summary.skipped,
            objects_rejected=summary.rejected,
            errors=summary.errors,
            rows=summary.rows,
            seconds=summary.seconds,
            message="",
        )
        self.watcher.progress(summary)

    def beat(self) -> None:
        self.note()
        self.watcher.beat()

    def now(self) -> float:
        return self.watcher.now()

    def wait(self, seconds: float) -> None:
        self.watcher.wait(seconds)

    def wants_to_stop(self) -> bool:
        return self.lost or self.watcher.wants_to_stop()
