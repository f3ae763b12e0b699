"""The rows that wait for delivery. There are two kinds: changes of objects, and tracking events.

Changes name an object, which is read when it is delivered, so many changes of one object are one delivery. A tracking
event is an object of its own. Events need no order: several workers deliver them at once where the database can skip
locked rows.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, ClassVar

from django.db import connections, models, router, transaction
from django.db.models.functions import Length
from django.utils import timezone

from platform_plugin_aspects.delivery.sink_lock import wait_after
from platform_plugin_aspects.models import Change, TrackingEvent
from platform_plugin_aspects.sinks import BaseSink, StatementSink
from platform_plugin_aspects.sinks.batch import chunks

log = logging.getLogger(__name__)

#: Back-off between attempts at one object that cannot be written. It may be long, because no other object waits for it.
FIRST_OBJECT_WAIT = timedelta(minutes=1)
LONGEST_OBJECT_WAIT = timedelta(days=1)
#: Changes read by one query.
CHANGES_AT_ONCE = 10_000
#: Bytes of compressed events that a worker has in memory at once. 1,000 events have about 0.5 MB.
BYTES_AT_ONCE = 32_000_000


@dataclass(frozen=True)
class Pending:
    """Rows of a sink: all that were ``read``, those of them that are ``ready``, and whether more are."""

    read: Sequence[Any]
    ready: Sequence[Any]
    more: bool


class Kind(ABC):
    """One kind of row that waits for delivery. Rows have an ``object_id``, which is text."""

    #: Whether several workers may deliver a sink at once.
    unordered: ClassVar[bool] = False

    @abstractmethod
    def rows(self, sink: str) -> models.QuerySet[Any]:
        """All rows of a sink."""

    @abstractmethod
    def rows_of_objects(self, sink: str, object_ids: Collection[str]) -> models.QuerySet[Any]:
        """The rows of some objects of a sink; none of an id that is not the id of one."""

    @abstractmethod
    def read(self, sink: type[BaseSink], now: datetime, *, claim: bool) -> Pending:
        """The next rows to deliver; with ``claim``, locked, and without those that others have locked."""

    @abstractmethod
    def postpone(self, sink: str, rejected: Mapping[str, str], read: Sequence[Any]) -> None:
        """Keep each object that cannot be written, by id with the reason, for a retry after a back-off."""

    def ready(self, sink: str, now: datetime) -> models.QuerySet[Any]:
        """The rows of a sink that do not wait for a retry."""
        return self.rows(sink).filter(models.Q(retry_at=None) | models.Q(retry_at__lte=now))

    def failed(self, sink: str) -> models.QuerySet[Any]:
        """The rows of a sink whose object could not be written."""
        return self.rows(sink).filter(retry_at__isnull=False)


class Changes(Kind):
    """Changes of objects, in the table Change."""

    def rows(self, sink: str) -> models.QuerySet[Change]:
        """See Kind."""
        return Change.objects.filter(sink=sink)

    def rows_of_objects(self, sink: str, object_ids: Collection[str]) -> models.QuerySet[Change]:
        """See Kind."""
        return self.rows(sink).filter(object_id__in=object_ids)

    def read(self, sink: type[BaseSink], now: datetime, *, claim: bool) -> Pending:
        """See Kind. Changes that wait for a retry come last; a newer change may deliver them, too."""
        rows = self.rows(sink.name)
        changes = list(rows.order_by(models.F("retry_at").asc(nulls_first=True), "pk")[:CHANGES_AT_ONCE])
        due = [change for change in changes if change.retry_at is None or change.retry_at <= now]
        objects = list(dict.fromkeys(change.object_id for change in due))
        chosen = set(objects[: sink.batch_size])
        ready = [change for change in due if change.object_id in chosen]
        return Pending(changes, ready, more=len(ready) == CHANGES_AT_ONCE or len(chosen) < len(objects))

    def postpone(self, sink: str, rejected: Mapping[str, str], read: Sequence[Change]) -> None:
        """See Kind. The oldest change of each object is kept."""
        by_object: dict[str, list[Change]] = {object_id: [] for object_id in rejected}
        for change in read:
            if change.object_id in by_object:
                by_object[change.object_id].append(change)
        for object_id, reason in rejected.items():
            self._postpone(sink, object_id, reason, by_object[object_id])

    def _postpone(self, sink: str, object_id: str, error: str, changes: Sequence[Change]) -> None:
        # Without a change of its own, the object was written because another one changed.
        kept = min(changes, key=lambda change: change.pk, default=Change(sink=sink, object_id=object_id))
        kept.attempts = 1 + max((change.attempts for change in changes), default=0)
        kept.error = error
        kept.retry_at = retry_at(kept.attempts)
        if changes:
            # Not save(), which would insert again a change that an operator has discarded meanwhile.
            Change.objects.filter(pk=kept.pk).update(attempts=kept.attempts, error=error, retry_at=kept.retry_at)
        else:
            kept.save()
        delete(Change, [change.pk for change in changes if change is not kept])
        log.error("%s %s cannot be written and is kept (attempt %d): %s", sink, object_id, kept.attempts, error)


class Events(Kind):
    """Tracking events, in the table TrackingEvent."""

    unordered = True

    def rows(self, sink: str) -> models.QuerySet[TrackingEvent]:
        """See Kind. Their payloads are read by the sink."""
        return TrackingEvent.objects.defer("payload")

    def rows_of_objects(self, sink: str, object_ids: Collection[str]) -> models.QuerySet[TrackingEvent]:
        """See Kind."""
        return self.rows(sink).filter(pk__in=[int(object_id) for object_id in object_ids if is_number(object_id)])

    def read(self, sink: type[BaseSink], now: datetime, *, claim: bool) -> Pending:
        """See Kind. Events that wait for a retry come last. All payloads together have BYTES_AT_ONCE, or are of one."""
        found: list[TrackingEvent] = []
        # Two queries, because a database would sort, and so lock, all rows for one.
        for rows in (
            self.rows(sink.name).filter(retry_at=None).order_by("pk"),
            self.rows(sink.name).filter(retry_at__lte=now).order_by("retry_at", "pk"),
        ):
            left = sink.batch_size - len(found)
            if left:
                rows = rows.annotate(size=Length("payload"))
                found += (rows.select_for_update(skip_locked=True) if claim else rows)[:left]
        chosen = _of_few_bytes(found)
        return Pending(chosen, chosen, more=len(found) == sink.batch_size or len(chosen) < len(found))

    def postpone(self, sink: str, rejected: Mapping[str, str], read: Sequence[TrackingEvent]) -> None:
        """See Kind. One UPDATE and one line in the log for all events with the same reason."""
        rows = [row for row in read if row.object_id in rejected]

        def alike(row: TrackingEvent) -> tuple[str, int]:
            return rejected[row.object_id], row.attempts

        for (reason, attempts), group in groupby(sorted(rows, key=alike), alike):
            keys = [row.pk for row in group]
            values = {"attempts": attempts + 1, "error": reason, "retry_at": retry_at(attempts + 1)}
            for some in chunks(keys):
                TrackingEvent.objects.filter(pk__in=some).update(**values)
            log.error(
                "%d event%s of %s cannot be written (kept, attempt %d), the first is %d: %s",
                len(keys),
                "" if len(keys) == 1 else "s",
                sink,
                attempts + 1,
                keys[0],
                reason,
            )


def _of_few_bytes(events: Sequence[Any]) -> Sequence[Any]:
    """The first events, so many that their ``size`` is BYTES_AT_ONCE at most; at least one."""
    total = 0
    for number, event in enumerate(events):
        total += event.size
        if total > BYTES_AT_ONCE and number:
            return events[:number]
    return events


CHANGES = Changes()
EVENTS = Events()


def kind_of(sink: str) -> Kind:
    """The kind of rows that wait for a sink."""
    return EVENTS if sink == StatementSink.name else CHANGES


def is_claimable(kind: Kind, sink: type[BaseSink]) -> bool:
    """Whether a row is ready that no other worker has claimed."""
    now = timezone.now()
    with transaction.atomic():
        rows = kind.rows(sink.name).select_for_update(skip_locked=True)
        return rows.filter(retry_at=None).order_by("pk").first() is not None or (
            rows.filter(retry_at__lte=now).order_by("retry_at").first() is not None
        )


def retry_at(attempts: int) -> datetime:
    """When an object is tried again that could not be written so often."""
    return timezone.now() + wait_after(attempts, FIRST_OBJECT_WAIT, LONGEST_OBJECT_WAIT)


def delete(model: type[models.Model], keys: Sequence[int]) -> int:
    """Delete rows by primary key; returns how many there were.

    Any wider condition would wait for rows that other transactions have locked or not committed yet.
    """
    connection = connections[router.db_for_write(model)]
    if connection.vendor != "mysql" or not connection.features.has_select_for_update_skip_locked:
        return sum(model._default_manager.filter(pk__in=some).delete()[0] for some in chunks(keys))
    quote = connection.ops.quote_name
    meta: Any = model._meta
    table, key = quote(meta.db_table), quote(meta.pk.column)
    # IN would look through all of a table of which the keys are a good part, and two workers would deadlock.
    sql = "DELETE found FROM JSON_TABLE(%s, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted "
    sql += f"STRAIGHT_JOIN {table} AS found ON found.{key} = wanted.id"
    deleted = 0
    with connection.cursor() as cursor:
        for some in chunks(keys):
            cursor.execute(sql, [json.dumps(list(some))])
            deleted += cursor.rowcount
    return deleted


def is_number(text: str) -> bool:
    """Whether this is a primary key of a tracking event, as text."""
    return text.isascii() and text.isdecimal() and int(text) < 2**63
