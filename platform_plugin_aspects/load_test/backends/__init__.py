"""The paths of tracking events to ClickHouse, and how many events are still on each."""

from __future__ import annotations

from collections.abc import Mapping

from .base import Backend, BackendError
from .celery_queues import Celery
from .event_buses import KafkaBus, RedisBus
from .vector import Vector

#: The choices of --backend of monitor_load_test_tracking.
BACKENDS: Mapping[str, type[Backend]] = {backend.name: backend for backend in (RedisBus, KafkaBus, Celery, Vector)}

__all__ = ["BACKENDS", "Backend", "BackendError", "Celery"]
