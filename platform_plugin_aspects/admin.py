"""The admin site's pages: pending changes, deliveries, backfills, boards in Superset. Nothing can be edited."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.actions import delete_selected
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.text import Truncator

from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.pending import delete
from platform_plugin_aspects.delivery.sink_lock import end_wait
from platform_plugin_aspects.models import (
    BackfillRange,
    Change,
    PendingRow,
    ProvisionedDashboard,
    SinkState,
    TrackingEvent,
)
from platform_plugin_aspects.operations.status import FAILED, reasons
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import is_on, sinks
from platform_plugin_aspects.xapi.events import course_of

#: Characters of an error in a list.
ERROR_LIMIT = 60


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no generic class while Django runs
    """Read-only pages. Actions with the permission "act" require the model's change permission."""

    # Counting all rows for "n of m" is slow where there are many.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds rows by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody edits rows by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody deletes rows by hand, unless a page says otherwise."""
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Users with the change permission may retry rows."""
        return admin.ModelAdmin.has_change_permission(self, request)


def _request(names: set[str]) -> str:
    """Request the delivery of the sinks that are on in this service; returns a message about all."""
    known = sinks()
    on = {name for name in names if name in known and is_on(known[name])}
    for name in on:
        transaction.on_commit(partial(outbox.request_delivery, name), robust=True)
    said = (("Delivery requested", on), ("Off in this service, not requested", names - on))
    return ". ".join(f"{what}: {', '.join(sorted(which))}" for what, which in said if which)


class PendingRowAdmin(ReadOnlyAdmin):
    """Rows that wait for delivery. Deleting discards them. It is called "forget" here, and must be confirmed."""

    #: The name of the rows in the actions.
    rows = ""
    ordering = ("pk",)
    # Shown, though it is not a field of a form.
    readonly_fields: ClassVar[tuple[str, ...]] = ("recorded_at",)
    actions = ("retry", "delete_selected")

    def get_actions(self, request: HttpRequest) -> Any:
        """Name the rows as they are called here."""
        actions: Any = super().get_actions(request)
        titles = {"retry": f"Retry the selected {self.rows} now", "delete_selected": f"Forget the selected {self.rows}"}
        return {name: (act, key, titles.get(name, title)) for name, (act, key, title) in actions.items()}

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Users with the delete permission may discard rows."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    @admin.action(description="Forget", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        """Django's own action, which its confirmation page names, under the name that fits here."""
        return delete_selected(self, request, queryset)

    @admin.display(description="error")
    def short_error(self, row: PendingRow) -> str:
        """The beginning of the error."""
        return Truncator(row.error).chars(ERROR_LIMIT)

    @admin.action(description="Retry", permissions=["act"])
    def retry(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Request their delivery, without waiting for the end of the back-off."""
        names = self.sinks_of(queryset)
        number = outbox.retry(queryset)
        self.message_user(request, f"{_request(names)} (objects that waited: {number})")

    def sinks_of(self, queryset: models.QuerySet[Any]) -> set[str]:
        """The names of the sinks of these rows."""
        return set(queryset.order_by().values_list("sink", flat=True))


@admin.register(Change)
class ChangeAdmin(PendingRowAdmin):
    """Pending changes."""

    rows = "changes"
    list_display = ("sink", "object_id", "recorded_at", "attempts", "retry_at", "short_error")
    list_filter = ("sink", ("retry_at", admin.EmptyFieldListFilter))
    search_fields = ("=object_id",)
    search_help_text = "Primary key of the object"

    def delete_model(self, request: HttpRequest, obj: Change) -> None:
        """Discard all changes of an object."""
        outbox.discard(obj.sink, obj.object_id)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Change]) -> None:
        """Discard all changes of the objects."""
        for sink, object_id in queryset.order_by().values_list("sink", "object_id").distinct():
            outbox.discard(sink, object_id)


class ReasonFilter(admin.SimpleListFilter):
    """The most frequent reasons why events failed, with their numbers."""

    title = "reason"
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The reasons, each with the number of events."""
        return [(reason, f"{Truncator(reason).chars(ERROR_LIMIT)} ({number:,})") for reason, number in reasons()]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """The events that failed for the chosen reason."""
        reason = self.value()
        return queryset if reason is None else queryset.filter(FAILED, error=reason)


@admin.register(TrackingEvent)
class TrackingEventAdmin(PendingRowAdmin):
    """Learning events that wait. Their payload is personal data, and is not shown."""

    rows = "events"
    list_display = ("name", "course", "recorded_at", "attempts", "retry_at", "short_error")
    list_filter = (("retry_at", admin.EmptyFieldListFilter), ReasonFilter)
    readonly_fields = ("course", "recorded_at")
    search_fields = ("=name",)
    search_help_text = "Name of the event"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[TrackingEvent]:
        """All events. Only pages show the course, which is in the payload; actions may be of very many events."""
        events = super().get_queryset(request)
        return events if request.method == "GET" else events.defer("payload")

    @admin.display(description="course")
    def course(self, event: TrackingEvent) -> str:
        """The course id in the event."""
        return course_of(bytes(event.payload))

    def sinks_of(self, queryset: models.QuerySet[Any]) -> set[str]:
        """See PendingRowAdmin."""
        return {StatementSink.name}

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[TrackingEvent]) -> None:
        """Discard the events."""
        delete(TrackingEvent, list(queryset.values_list("pk", flat=True)))


@admin.register(SinkState)
class SinkStateAdmin(ReadOnlyAdmin):
    """State of the deliveries of each sink."""

    list_display = ("sink", "last_success_at", "objects_delivered", "failures", "retry_at", "short_error")
    search_fields = ("sink",)
    ordering = ("sink",)
    actions = ("retry",)

    @admin.display(description="error")
    def short_error(self, state: SinkState) -> str:
        """The beginning of the error while deliveries fail; the row's page also shows an earlier one."""
        return Truncator(state.last_error).chars(ERROR_LIMIT) if state.failures else ""

    @admin.action(description="Retry the selected sinks now", permissions=["act"])
    def retry(self, request: HttpRequest, queryset: models.QuerySet[SinkState]) -> None:
        """Request their delivery, though the back-off after a failure is not over."""
        names = set(queryset.values_list("sink", flat=True))
        for name in names:
            end_wait(name)
        self.message_user(request, _request(names))


@admin.register(BackfillRange)
class BackfillRangeAdmin(ReadOnlyAdmin):
    """Progress of backfills. ``dump_data_to_clickhouse`` starts and resumes them."""

    list_display = ("sink", "after", "upto", "status", "last_key", "objects_written", "objects_rejected", "updated_at")
    list_filter = ("sink", "status")
    search_fields = ("sink",)
    ordering = ("pk",)


@admin.register(ProvisionedDashboard)
class ProvisionedDashboardAdmin(ReadOnlyAdmin):
    """Boards in Superset. ``aspects_provision`` puts them there and removes them."""

    list_display = ("slug", "language", "title", "block_type", "embedded_uuid", "updated_at")
    list_filter = ("language",)
    search_fields = ("slug", "title", "=dashboard_uuid", "=embedded_uuid")
    ordering = ("position", "slug", "language")
