"""Backfills that can be interrupted, resumed and shared out: ranges of keys, each with its progress in the database.

Whoever walks a range owns it. Another may take it over at any time; the former owner finds out when it notes its next
progress, and ends. So a range whose walker seems to be dead can be walked again, at the price of a batch written twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db import connections, models, router, transaction
from django.utils import timezone

from platform_plugin_aspects import databases
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.delivery.backfill.walk import KEPT_ERRORS, Summary, Walk, Watcher, backfill
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import HOW_TO_WRITE_IF_OFF, is_on, sinks, why_off

Status = BackfillRange.Status
#: Options of a range that say how it is walked, not which objects are: the alias of the database to read from, and
#: whether to write the rows of a sink that is off.
NOT_OF_WALK = ("read_from", "even_if_off")


class TakenOver(Exception):
    """A range is walked by somebody else now, or is gone: another backfill of the object has begun."""


def plan(sink: BaseSink, options: Mapping[str, Any], after: Any = None, pieces: int = 1) -> list[BackfillRange]:
    """Cut the keys above ``after`` into at most ``pieces`` ranges. They are not saved; ``keep`` does that.

    ``options``: see ``walk_of``.
    """
    bounds = [after, *sink.split_keys(pieces, after), None]
    return [
        BackfillRange(sink=sink.name, after=_text(low), upto=_text(high), options=dict(options))
        for low, high in pairwise(bounds)
    ]


def keep(sink: BaseSink, ranges: Iterable[BackfillRange]) -> None:
    """Save the ranges of a backfill in place of those of the sink's last one."""
    with transaction.atomic():
        kept(sink).delete()
        for row in ranges:
            row.save()


def kept(sink: BaseSink) -> models.QuerySet[BackfillRange]:
    """The ranges of the sink's last backfill, in order."""
    return BackfillRange.objects.filter(sink=sink.name).order_by("pk")


def total(ranges: Iterable[BackfillRange]) -> Summary:
    """What was done in these ranges, all together; ``last_key``: of the last of them."""
    summary = Summary()
    for row in ranges:
        summary.objects += row.objects_written
        summary.skipped += row.objects_skipped
        summary.rejected += row.objects_rejected
        summary.errors |= dict(list(row.errors.items())[: KEPT_ERRORS - len(summary.errors)])
        summary.rows.update(row.rows)
        summary.seconds += row.seconds
        summary.last_key = row.last_key or summary.last_key
    return summary


def walk_of(row: BackfillRange, sink: BaseSink) -> Walk:
    """What is left of a range.

    ``row.options`` holds fields of Walk as JSON does, keys as text and ``since`` in ISO 8601. Those of NOT_OF_WALK are
    there too. Raises ValueError.
    """
    options = {name: value for name, value in row.options.items() if name not in NOT_OF_WALK}
    for name in ("keys", "skip"):
        if name in options:
            options[name] = [sink.parse_key(text) for text in options[name]]
    if "since" in options:
        options["since"] = datetime.fromisoformat(options["since"])
    after = row.last_key or row.after
    return Walk(
        after=sink.parse_key(after) if after else None,
        upto=sink.parse_key(row.upto) if row.upto else None,
        **options,
    )


def walk_range(row: BackfillRange, connection: Connection, watcher: Watcher, ticket: str = "") -> Summary:
    """Walk what is left of a range and keep ``row`` up to date; in the database too when it was saved.

    Returns what was done, earlier walks of the range included.

    ``ticket``: with it a worker may take what was handed out to it, and only that. Without one, whoever had the range
    has it no longer. Raises TakenOver, and what ``backfill`` raises once that is noted.
    """
    owned = _Owned(row, watcher, ticket)
    database = row.options.get("read_from")
    try:
        if database is not None and database not in connections:
            raise ValueError(f"There is no database {database!r} in DATABASES here")
        sink_class = sinks()[row.sink]
        if not (row.options.get("even_if_off") or is_on(sink_class)):
            raise ValueError(f"{why_off(sink_class)}. {HOW_TO_WRITE_IF_OFF}")
        sink = sink_class(connection, database)
        summary = total([row])
        backfill(sink, walk_of(row, sink), summary, owned)
    except Exception as error:
        # The text of other errors may hold values of a learner's.
        message = str(error) if isinstance(error, Failure | ValueError) else f"{type(error).__name__} (see the log)"
        owned.note(status=Status.FAILED, message=message, ticket="")
        owned.check()
        raise
    status = Status.WAITING if summary.stopped else Status.DONE
    owned.note(status=status, message="", ticket="", seconds=summary.seconds)
    owned.check()
    return summary


class _Owned(Watcher):
    """Keeps the progress of a range that it claims, and passes everything on to another watcher."""

    def __init__(self, row: BackfillRange, watcher: Watcher, ticket: str):
        self.row = row
        self.watcher = watcher
        self.dry_run = watcher.dry_run
        self.patient = watcher.patient
        self.owner = uuid.uuid4().hex
        self.lost = False
        if row.pk is not None:
            claimed = BackfillRange.objects.filter(pk=row.pk, **({"ticket": ticket} if ticket else {}))
            values = {"owner": self.owner, "ticket": ticket, "status": Status.RUNNING, "message": ""}
            if not claimed.update(**values, updated_at=timezone.now()):
                raise TakenOver(f"Range {row.pk} is done, was taken back, or is gone")
            row.refresh_from_db(using=router.db_for_write(BackfillRange))

    def note(self, **values: Any) -> None:
        """Keep values in the row, if it is still ours."""
        databases.check_before_use()
        values["updated_at"] = timezone.now()
        for name, value in values.items():
            setattr(self.row, name, value)
        if self.row.pk is not None and not self.lost:
            self.lost = not BackfillRange.objects.filter(pk=self.row.pk, owner=self.owner).update(**values)

    def check(self) -> None:
        """Raise TakenOver when the row is not ours any more."""
        if self.lost:
            raise TakenOver(f"Another backfill of {self.row.sink} has begun: this one ends")

    def tell(self, line: str) -> None:
        """See Watcher."""
        self.note(message=line)
        self.watcher.tell(line)

    def explain(self, line: str) -> None:
        """See Watcher."""
        self.watcher.explain(line)

    def progress(self, summary: Summary) -> None:
        """See Watcher."""
        self.watcher.patient = self.patient
        self.note(
            last_key=_text(summary.last_key),
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
        """See Watcher."""
        self.note()
        self.watcher.beat()

    def now(self) -> float:
        """See Watcher."""
        return self.watcher.now()

    def wait(self, seconds: float) -> None:
        """See Watcher."""
        self.watcher.wait(seconds)

    def wants_to_stop(self) -> bool:
        """See Watcher."""
        return self.lost or self.watcher.wants_to_stop()


def _text(key: Any) -> str:
    return "" if key is None else str(key)
