"""The plugin's tables: pending changes, the state of deliveries, the progress of backfills, boards in Superset."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, TypeVar

from django.db import models, router
from django.utils import timezone

#: The seconds that one number of ``SinkState.recent`` covers, and how far back the numbers go.
BUCKET_SECS = 300
HOUR_SECS = 3600

_Model = TypeVar("_Model", bound=models.Model)
#: The longest name of a sink.
NAME_LENGTH = 64
#: The longest name of a tracking event; a longer one is cut off, but not in the payload.
EVENT_NAME_LENGTH = 255


class PrimaryManager(models.Manager[_Model]):
    """Reads from the database to which the model is written, whatever the site's routers say about reading.

    A replica does not have the changes that were just committed.
    """

    def get_queryset(self) -> models.QuerySet[_Model]:
        """All rows; of another database only when one is asked for."""
        return super().get_queryset().using(self._db or router.db_for_write(self.model))


class PendingRow(models.Model):
    """A row that waits for delivery, and what became of earlier attempts."""

    recorded_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0, help_text="How often writing this object failed.")
    error = models.TextField(default="", blank=True, help_text="Why it failed the last time.")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="After a failure: no retry before this moment.")

    class Meta:
        abstract = True


class Change(PendingRow):
    """An object of a sink that changed and is still to be written; append-only, written in the change's transaction.

    .. no_pii: primary keys name nobody without the platform's own tables, and errors name columns, not values.
    """

    objects: ClassVar[PrimaryManager[Change]] = PrimaryManager()

    sink = models.CharField(max_length=NAME_LENGTH, help_text="Name of the sink.")
    object_id = models.CharField(max_length=255, help_text="Primary key of the object, as text.")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["sink", "retry_at"], name="aspects_change_ready")]

    def __str__(self) -> str:
        return f"{self.sink} {self.object_id}"


class TrackingEvent(PendingRow):
    """A tracking event that is still to be written as xAPI statements; written in the transaction that emitted it.

    .. pii: The compressed event holds the username, the IP address, the browser and the session of who acted, and
        sometimes an e-mail address. Errors name fields, not values. A row is deleted when its statements are written,
        mostly within seconds. One that fails is kept until it is retried or discarded.
    .. pii_types: username, ip, email_address, other
    .. pii_retirement: retained
    """

    objects: ClassVar[PrimaryManager[TrackingEvent]] = PrimaryManager()

    name = models.CharField(max_length=EVENT_NAME_LENGTH, help_text="Name of the event.")
    payload = models.BinaryField(help_text="The event as the platform emitted it, compressed.")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["retry_at"], name="aspects_event_ready")]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"

    @property
    def object_id(self) -> str:
        """Its name in the outbox: its primary key, as text."""
        return str(self.pk)


class DeliverySlot(models.Model):
    """One row per worker that may deliver a sink beside others: its lock is held while that worker does.

    .. no_pii: names of sinks, and numbers.
    """

    objects: ClassVar[PrimaryManager[DeliverySlot]] = PrimaryManager()

    sink = models.CharField(max_length=NAME_LENGTH)
    number = models.PositiveIntegerField(help_text="From 1.")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["sink", "number"], name="aspects_slot")]

    def __str__(self) -> str:
        return f"{self.sink} {self.number}"


class SinkState(models.Model):
    """One row per sink. It is locked while the sink is delivered, so only one worker at a time delivers it.

    .. no_pii: counts, times, and errors without values.
    """

    objects: ClassVar[PrimaryManager[SinkState]] = PrimaryManager()

    sink = models.CharField(max_length=NAME_LENGTH, primary_key=True)
    last_stamp = models.DateTimeField(
        null=True, help_text="time_last_dumped of the newest write. The next is later, whatever the clocks say."
    )
    last_success_at = models.DateTimeField(null=True)
    last_error_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="Deliveries that failed since the last success.")
    retry_at = models.DateTimeField(null=True, help_text="After a failure: no delivery before this moment.")
    objects_delivered = models.PositiveBigIntegerField(
        default=0, help_text="Objects written or deleted by deliveries in all; a backfill's are not counted."
    )
    recent = models.JSONField(
        default=dict, help_text="Objects delivered per five minutes of the last hour, by Unix time of the beginning."
    )

    def __str__(self) -> str:
        return f"{self.sink}"

    def count(self, objects: int, now: datetime) -> None:
        """Count objects that are delivered now; the caller saves."""
        seconds = int(now.timestamp())
        begin = str(seconds - seconds % BUCKET_SECS)
        self.objects_delivered += objects
        self.recent = {**self._last_hour(now), begin: self.recent.get(begin, 0) + objects}

    def delivered_last_hour(self, now: datetime) -> int:
        """Objects delivered in the hour before ``now``, without what is left of its first five minutes."""
        return sum(self._last_hour(now).values())

    def _last_hour(self, now: datetime) -> dict[str, int]:
        earliest = now.timestamp() - HOUR_SECS
        return {begin: objects for begin, objects in self.recent.items() if int(begin) >= earliest}


class BackfillRange(models.Model):
    """A range of a sink's keys that a backfill walks, with its progress, for ``--resume`` and ``--workers``.

    .. no_pii: primary keys name nobody without the platform's own tables, and errors name columns, not values.
    """

    class Status(models.TextChoices):
        """How far the walk through the range is."""

        WAITING = "waiting"
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    objects: ClassVar[PrimaryManager[BackfillRange]] = PrimaryManager()

    sink = models.CharField(max_length=NAME_LENGTH, db_index=True)
    after = models.CharField(max_length=255, default="", help_text="Only keys above this one; empty: from the first.")
    upto = models.CharField(max_length=255, default="", help_text="Not above this one; empty: to the last.")
    options = models.JSONField(default=dict, help_text="How to walk, as Walk.from_json reads it.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.WAITING)
    owner = models.CharField(max_length=32, default="", help_text="Lease of the process that walks it.")
    ticket = models.CharField(
        max_length=32, default="", help_text="Token of the task that may walk it, new each time it is handed out."
    )
    last_key = models.CharField(max_length=255, default="", help_text="Everything up to this key is done.")
    objects_written = models.PositiveBigIntegerField(default=0)
    objects_skipped = models.PositiveBigIntegerField(default=0, help_text="They were up to date.")
    objects_rejected = models.PositiveBigIntegerField(default=0, help_text="They cannot be written.")
    errors = models.JSONField(default=dict, help_text="Key and reason of the first objects that cannot be written.")
    rows = models.JSONField(default=dict, help_text="Rows written, per ClickHouse table.")
    seconds = models.FloatField(default=0, help_text="How long it was walked.")
    message = models.TextField(default="", help_text="Why it waits for ClickHouse, or why it failed.")
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.sink}{self.bounds}: {self.status}"

    @property
    def bounds(self) -> str:
        """The range, for people."""
        above = f" above {self.after}" if self.after else ""
        return above + (f" up to {self.upto}" if self.upto else "") or " (all)"


class LoadedLog(models.Model):
    """How far a tracking log has been loaded, for ``aspects_load_tracking_logs --resume``.

    .. no_pii: a path, and digests of lines.
    """

    objects: ClassVar[PrimaryManager[LoadedLog]] = PrimaryManager()

    first_line = models.CharField(max_length=64, help_text="SHA-256 of its first line, by which it is recognized.")
    choice = models.CharField(max_length=80, help_text="Which of its events were loaded: since/until.")
    path = models.CharField(max_length=1000, help_text="Its last place; the end of a long path.")
    offset = models.PositiveBigIntegerField(default=0, help_text="Bytes loaded, uncompressed.")
    lines = models.PositiveBigIntegerField(default=0, help_text="Lines loaded.")
    tail = models.CharField(max_length=64, default="", help_text="SHA-256 of the last bytes that were loaded.")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["first_line", "choice"], name="aspects_loaded_log")]

    def __str__(self) -> str:
        return f"{self.path}: {self.lines} lines"


class ProvisionedDashboard(models.Model):
    """A board in one language that ``aspects_provision`` has put into Superset, under the UUIDs that it has there.

    .. no_pii: names and identifiers of dashboards.
    """

    # Not UUIDField, whose type in MariaDB depends on the version of Django that creates the table.
    UUID_LENGTH = 36

    objects: ClassVar[PrimaryManager[ProvisionedDashboard]] = PrimaryManager()

    slug = models.CharField(max_length=100, help_text="The board's name, the same in all languages.")
    language = models.CharField(max_length=16, help_text='As the plugin\'s catalogs are named: "en", "es-419".')
    title = models.CharField(max_length=500, help_text="Its title in this language.")
    dashboard_uuid = models.CharField(max_length=UUID_LENGTH, help_text="The dashboard itself; the plugin chose it.")
    embedded_uuid = models.CharField(
        max_length=UUID_LENGTH,
        default="",
        blank=True,
        help_text="Under which Superset embeds it; Superset chose it. Empty while it is not embedded.",
    )
    hash = models.CharField(
        max_length=64,
        default="",
        blank=True,
        help_text="Checksum of the files that made it; empty until Superset has all of it.",
    )
    is_closed = models.BooleanField(
        default=True, help_text="Whether the row rule closes its datasets for people who log in to Superset."
    )
    block_type = models.CharField(
        max_length=64, default="", blank=True, help_text="Studio shows it beside this type; empty: on the Reports tab."
    )
    position = models.PositiveIntegerField(default=0, help_text="Its place among the boards of a page.")
    superset_objects = models.JSONField(
        default=dict, help_text='UUIDs of what belongs to it: {"datasets": [...], "charts": [...]}.'
    )
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["slug", "language"], name="aspects_board_language")]

    def __str__(self) -> str:
        return f"{self.slug} ({self.language})"
