"""Shares a backfill among Celery workers, and watches them."""

from __future__ import annotations

import uuid

from celery import current_app
from django.core.management.base import CommandError
from django.db import models
from django.utils import timezone

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.backfill.ranges import Status, saved_ranges
from platform_plugin_aspects.management.progress import Progress
from platform_plugin_aspects.models import BackfillRange
from platform_plugin_aspects.operations.doctor import workers as celery_workers
from platform_plugin_aspects.operations.doctor.findings import Mark
from platform_plugin_aspects.sinks import BaseSink

#: Pieces per worker. With more pieces, workers wait less for each other at the end.
PIECES_PER_WORKER = 4
#: A piece counts as failed when its worker gives no sign of life for so many seconds. Workers give one every ten
#: seconds, but not while they read courses, or ClickHouse deletes.
SILENCE_SECS = 300
#: Between two looks, in seconds.
LOOK_SECS = 1
HANDED_OUT = (Status.QUEUED, Status.RUNNING)
TAKEN_BACK = {"status": Status.WAITING, "owner": "", "ticket": ""}


def require_workers(connection: Connection) -> None:
    """Raise CommandError, or the Failure of opening ClickHouse, when workers cannot walk ranges into ``connection``."""
    if not current_app.conf.task_always_eager:
        if connection.embedded_path is not None:
            raise CommandError(
                "--workers cannot be used with the embedded engine (chdb://), which only one process can open: "
                "leave --workers out"
            )
        # Otherwise each worker would fail by itself.
        get_client(connection)
        if (current_app.conf.broker_write_url or current_app.conf.broker_url or "").startswith("memory:"):
            raise CommandError(
                "--workers cannot be used with Celery's broker memory://, which no other process can reach: "
                "set CELERY_BROKER_URL, or leave --workers out"
            )
    for finding in celery_workers.examine(task=tasks.backfill_range.name):
        if finding.mark is Mark.PROBLEM:
            raise CommandError(f"{finding.text}. {finding.remedy}")


class Distribution:
    """Has Celery workers walk the saved ranges of a sink, ``workers`` at a time; keeps ``ranges`` up to date."""

    def __init__(self, sink: BaseSink, ranges: list[BackfillRange], workers: int, progress: Progress):
        self.sink = sink
        self.ranges = ranges
        self.workers = workers
        self.progress = progress
        # {primary key: (the sign of life seen last, when it was new by our own clock)}.
        self.seen: dict[int, tuple[object, float]] = {}
        self.told: dict[int, str] = {}

    def run(self) -> None:
        """Distribute until each range is done or has failed, or the person wants to stop.

        Raises CommandError when nothing is heard of any worker for SILENCE_SECS while ranges are in the queue.
        """
        self._saved.exclude(status=Status.DONE).update(**TAKEN_BACK, message="")
        self.progress.begin(self.sink, self.ranges)
        try:
            while self._look():
                self.progress.wait(LOOK_SECS)
        finally:
            # Workers end after the current insert, because they have lost their lease.
            self._saved.filter(status__in=HANDED_OUT).update(**TAKEN_BACK)
            self._refresh()

    @property
    def _saved(self) -> models.QuerySet[BackfillRange]:
        return saved_ranges(self.sink).filter(pk__in=[row.pk for row in self.ranges])

    def _refresh(self) -> bool:
        """Read the progress; returns whether these are still the ranges of the sink's last backfill."""
        found = list(self._saved)
        if len(found) == len(self.ranges):
            self.ranges[:] = found
            return True
        return False

    def _look(self) -> bool:
        """Read the progress, and hand out waiting ranges; returns whether to look again."""
        if not self._refresh():
            raise CommandError(f"Another backfill of {self.sink.name} has begun: this one ends")
        self._give_up_silent()
        self._say_why_they_wait()
        self.progress.progress()
        if self.progress.wants_to_stop():
            return False
        out = [row for row in self.ranges if row.status in HANDED_OUT]
        waiting = [row for row in self.ranges if row.status == Status.WAITING]
        for row in waiting[: max(0, self.workers - len(out))]:
            self._hand_out(row)
        return bool(out or waiting)

    def _hand_out(self, row: BackfillRange) -> None:
        # The token is saved before it is sent, because a worker takes only a range with its token.
        task_token = uuid.uuid4().hex
        values = {"status": Status.QUEUED, "ticket": task_token, "updated_at": timezone.now()}
        BackfillRange.objects.filter(pk=row.pk).update(**values)
        try:
            tasks.backfill_range.apply_async((row.pk, task_token), **outbox.FAIL_FAST)
        except Exception as error:
            raise CommandError(f"Celery's broker does not take the work ({type(error).__name__})") from None

    def _give_up_silent(self) -> None:
        """Count pieces as failed whose workers gave no sign of life for too long."""
        now = self.progress.now()
        out = [row for row in self.ranges if row.status in HANDED_OUT]
        for row in out:
            sign = (row.status, row.updated_at)
            if row.pk not in self.seen or self.seen[row.pk][0] != sign:
                self.seen[row.pk] = (sign, now)
        newest = max((self.seen[row.pk][1] for row in out), default=now)
        for row in out:
            # A range in the queue waits for the others.
            if row.status == Status.QUEUED or now - self.seen[row.pk][1] < SILENCE_SECS:
                continue
            row.status, row.message = Status.FAILED, f"nothing was heard of its worker for {SILENCE_SECS:.0f} s"
            BackfillRange.objects.filter(pk=row.pk, status__in=HANDED_OUT).update(
                status=row.status, message=row.message, owner="", ticket=""
            )
        if now - newest >= SILENCE_SECS and any(row.status == Status.QUEUED for row in out):
            left = sum(row.status in (Status.QUEUED, Status.WAITING) for row in self.ranges)
            raise CommandError(
                f"No worker has begun any of the {left} pieces that are left for {SILENCE_SECS:.0f} s: "
                "see `aspects_check --only Workers`"
            )

    def _say_why_they_wait(self) -> None:
        for row in self.ranges:
            if row.message and self.told.get(row.pk) != row.message:
                self.progress.tell(f"{row.sink}{row.bounds}: {row.message}")
            self.told[row.pk] = row.message
