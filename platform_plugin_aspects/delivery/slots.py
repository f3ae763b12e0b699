"""Slots: how many workers may deliver a sink at once, where order does not matter.

A slot is a row whose lock a worker holds while it delivers a batch. A crash releases it.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from platform_plugin_aspects.delivery.pending import kind_of
from platform_plugin_aspects.models import DeliverySlot


def workers_at_once(sink: str) -> int:
    """How many workers may deliver the sink at once, each its own rows; 0 where one delivers alone, in order."""
    if not kind_of(sink).unordered or not _rows_can_be_claimed():
        return 0
    return max(1, int(settings.EVENT_SINK_CLICKHOUSE_XAPI_WORKERS))


def _rows_can_be_claimed() -> bool:
    """Whether the database skips rows that others have locked, and locks nothing between rows."""
    connection.ensure_connection()
    if not connection.features.has_select_for_update_skip_locked:
        return False
    # In other isolation levels, MySQL locks the gaps into which new rows go, too: requests would wait.
    return connection.vendor != "mysql" or getattr(connection, "isolation_level", None) == "read committed"


def make_slots(sink: str, workers: int) -> None:
    """Make the slots that are missing; in a transaction of its own, because others wait for it."""
    slots = DeliverySlot.objects.filter(sink=sink, number__lte=workers)
    if slots.count() < workers:
        DeliverySlot.objects.bulk_create(
            [DeliverySlot(sink=sink, number=number) for number in range(1, workers + 1)], ignore_conflicts=True
        )


def take_slot(sink: str, workers: int) -> bool:
    """Lock a free slot until the transaction ends; False when there is none."""
    slots = DeliverySlot.objects.filter(sink=sink, number__lte=workers).order_by("number")
    return slots.select_for_update(skip_locked=True).first() is not None
