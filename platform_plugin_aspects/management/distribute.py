"""Sharing a backfill out to Celery workers, and watching them."""

from __future__ import annotations

import uuid

from django.core.management.base import CommandError
from django.utils import timezone

from platform_plugin_aspects import delivery, tasks
from platform_plugin_aspects.management.progress import Progress
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.ranges import Status, kept
from platform_plugin_aspects.sinks import BaseSink

#: Pieces per worker: the fewer are left at the end, the less some workers wait for others.
PIECES_PER_WORKER = 4
#: A piece of which nothing is heard for so many seconds counts as failed. Workers note every ten seconds that they are
#: alive, but not while they read courses, or ClickHouse deletes.
SILENCE_SECS = 300
#: Between two looks, in seconds.
LOOK_SECS = 1
HANDED_OUT = (Status.QUEUED, Status.RUNNING)
TAKEN_BACK = {"status": Status.WAITING, "owner": "", "ticket": ""}


def distribute(sink: BaseSink, workers: int, progress: Progress) -> list[BackfillRange]:
    """Have Celery workers walk the kept ranges of a sink, ``workers`` at a time; returns the ranges in the end.

    Ends when each is done or has failed, or is taken back because the person wants to stop.
    """
    kept(sink).exclude(status=Status.DONE).update(**TAKEN_BACK, message="")
    return _Distribution(sink, workers, progress).run()


class _Distribution:
    def __init__(self, sink: BaseSink, workers: int, progress: Progress):
        self.sink = sink
        self.workers = workers
        self.progress = progress
        self.ranges = list(kept(sink))
        self.number = len(self.ranges)
        # By our own clock: {primary key: (what was seen last, when it was new)}.
        self.seen: dict[int, tuple[object, float]] = {}
        self.told: dict[int, str] = {}

    def run(self) -> list[BackfillRange]:
        """See ``distribute``."""
        self.progress.begin(self.sink, self.ranges)
        try:
            while self._look():
                self.progress.wait(LOOK_SECS)
        finally:
            # Workers end after the batch at hand, for they cannot note it any more.
            kept(self.sink).filter(status__in=HANDED_OUT).update(**TAKEN_BACK)
        self.ranges[:] = kept(self.sink)
        return self.ranges

    def _look(self) -> bool:
        """See how far they are, and hand out what is to be; returns whether to look again."""
        self.ranges[:] = kept(self.sink)
        if len(self.ranges) != self.number:
            raise CommandError(f"Another backfill of {self.sink.name} has begun: this one ends")
        self._give_up_silent()
        self._say_why_they_wait()
        self.progress.progress()
        out = [row for row in self.ranges if row.status in HANDED_OUT]
        waiting = [row for row in self.ranges if row.status == Status.WAITING]
        if self.progress.wants_to_stop():
            return False
        for row in waiting[: max(0, self.workers - len(out))]:
            self._hand_out(row)
        return bool(out or waiting)

    def _hand_out(self, row: BackfillRange) -> None:
        # Before it is sent: a worker takes nothing else.
        ticket = uuid.uuid4().hex
        BackfillRange.objects.filter(pk=row.pk).update(status=Status.QUEUED, ticket=ticket, updated_at=timezone.now())
        try:
            tasks.backfill_range.apply_async((row.pk, ticket), **delivery.AT_ONCE)
        except Exception as error:
            raise CommandError(f"Celery's broker does not take the work ({type(error).__name__})") from None

    def _give_up_silent(self) -> None:
        """Count pieces as failed of which nothing was heard for too long."""
        now = self.progress.now()
        out = [row for row in self.ranges if row.status in HANDED_OUT]
        for row in out:
            sign = (row.status, row.updated_at)
            if row.pk not in self.seen or self.seen[row.pk][0] != sign:
                self.seen[row.pk] = (sign, now)
        newest = max((self.seen[row.pk][1] for row in out), default=now)
        for row in out:
            # Who is in the queue waits for the others.
            heard = newest if row.status == Status.QUEUED else self.seen[row.pk][1]
            if now - heard < SILENCE_SECS:
                continue
            asleep = "no worker has begun it" if row.status == Status.QUEUED else "nothing was heard of its worker"
            row.status, row.message = Status.FAILED, f"{asleep} for {SILENCE_SECS:.0f} s"
            BackfillRange.objects.filter(pk=row.pk, status__in=HANDED_OUT).update(
                status=row.status, message=row.message, owner="", ticket=""
            )

    def _say_why_they_wait(self) -> None:
        for row in self.ranges:
            if row.message and self.told.get(row.pk) != row.message:
                self.progress.tell(f"{row.sink}{row.bounds}: {row.message}")
            self.told[row.pk] = row.message
