"""The lock that lets one worker at a time deliver a sink, the stamps of its writes, and how long workers wait."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from platform_plugin_aspects.models import SinkState

#: Back-off between deliveries of a sink while ClickHouse is unavailable: it grows from the first to the last.
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)


def lock(name: str, *, wait: bool = False) -> SinkState | None:
    """The state of a sink, locked until the transaction ends; None when another worker holds it, unless ``wait``."""
    states = SinkState.objects.filter(sink=name)
    features = connection.features
    if not features.has_select_for_update:
        # SQLite has no row locks: the first write of a transaction locks the database.
        _make_state(name)
    skip_locked = features.has_select_for_update_skip_locked and not wait
    locked = states.select_for_update(skip_locked=skip_locked)
    found = locked.first()
    if found is None and not states.exists():
        _make_state(name)
        found = locked.first()
    return found


def _make_state(name: str) -> None:
    SinkState.objects.bulk_create([SinkState(sink=name)], ignore_conflicts=True)


def take_stamp(name: str) -> datetime:
    """The time_last_dumped for a write outside of a delivery: later than that of every earlier write of the sink."""
    with transaction.atomic():
        state = lock(name, wait=True)
        assert state is not None  # because of wait=True
        stamp = next_stamp(state)
        state.save(update_fields=["last_stamp"])
    return stamp


def next_stamp(state: SinkState) -> datetime:
    """A moment after every earlier stamp of the sink, because readers take the row with the greatest one.

    The caller saves the state.
    """
    now = timezone.now()
    if state.last_stamp is not None:
        now = max(now, state.last_stamp + timedelta(microseconds=1))
    state.last_stamp = now
    return now


def end_wait(name: str) -> None:
    """Let the next delivery of a sink begin at once, though the back-off after a failure is not over."""
    with transaction.atomic():
        state = lock(name)
        # A sink that another worker is delivering does not wait.
        if state is not None and state.retry_at is not None:
            state.retry_at = None
            state.save(update_fields=["retry_at"])


def wait_after(failures: int, first: timedelta = FIRST_WAIT, longest: timedelta = LONGEST_WAIT) -> timedelta:
    """Doubles with each failure, up to the longest, with jitter so that workers do not come back all at once."""
    full: timedelta = min(first * 2.0 ** min(failures - 1, 30), longest)
    return full * random.uniform(0.5, 1)


def busy_secs() -> float:
    """When to try again while another worker holds the lock: not at once, or tasks would run in circles."""
    window: float = settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS
    return max(1, window)
