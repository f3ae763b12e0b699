"""What is still to be delivered, and how delivery is doing."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Change(models.Model):
    """An object of a sink that changed and is still to be written; append-only, written in the change's transaction.

    .. no_pii:
    """

    sink = models.CharField(max_length=64, help_text="Name of the sink.")
    object_id = models.CharField(max_length=255, help_text="Primary key of the object, as text.")
    recorded_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0, help_text="How often writing this object failed.")
    error = models.TextField(default="", blank=True, help_text="Why it failed the last time.")
    retry_at = models.DateTimeField(null=True, blank=True, help_text="After a failure: not before this moment again.")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["sink", "retry_at"], name="aspects_change_ready")]

    def __str__(self) -> str:
        return f"{self.sink} {self.object_id}"


class SinkState(models.Model):
    """One row per sink: its lock is held while the sink is delivered, so only one worker does.

    .. no_pii:
    """

    sink = models.CharField(max_length=64, primary_key=True)
    last_stamp = models.DateTimeField(
        null=True, help_text="The time_last_dumped of the newest write; the next one is later, whatever the clocks say."
    )
    last_success_at = models.DateTimeField(null=True)
    last_error_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="", blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="Deliveries that failed since the last success.")
    retry_at = models.DateTimeField(null=True, help_text="After a failure: no delivery before this moment.")

    def __str__(self) -> str:
        return f"{self.sink}"
