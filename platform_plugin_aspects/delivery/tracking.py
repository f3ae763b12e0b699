"""The backend of event-tracking: stores the events that become statements, each with one INSERT.

The INSERT is part of the transaction of whoever emits the event, if there is one: an event of a request that fails is
not kept. Delivery is requested after the commit, by a thread of its own, because a broker or a cache that is gone would
hold up the request.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from celery import current_app
from django.apps import apps
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections, router, transaction
from django.utils import timezone

from platform_plugin_aspects.delivery.outbox import request_delivery
from platform_plugin_aspects.errors import where_raised
from platform_plugin_aspects.models import EVENT_NAME_LENGTH, TrackingEvent
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.xapi.events import TooLarge, is_allowed, pack

log = logging.getLogger(__name__)

#: The app of event-tracking, and the name of our backend there.
TRACKER_APP = "eventtracking.django"
BACKEND = "aspects"
#: How long a process remembers whether the sink is on, in seconds.
SWITCH_SECS = 10
#: The longest that a process waits for its last request when it ends, in seconds: the broker may be gone.
LAST_REQUEST_SECS = 5
#: MySQL's errors after which it has ended the transaction: a deadlock, and a row that changed since the snapshot.
ENDED_BY = (1213, 1020)
#: MySQL's lock wait timeout, which ends the transaction where innodb_rollback_on_timeout is on.
LOCK_WAIT_TIMEOUT = 1205


def register() -> None:
    """Add the backend to the platform's tracker; the setting EVENT_TRACKING_BACKENDS is left alone.

    edx-event-routing-backends replaces that setting as a whole, and so would remove an entry of ours.
    """
    if apps.is_installed(TRACKER_APP):
        from eventtracking.tracker import get_tracker

        get_tracker().routing_backend.register_backend(BACKEND, OutboxBackend())


def is_registered() -> bool:
    """Whether the platform's tracker has the backend."""
    if not apps.is_installed(TRACKER_APP):
        return False
    from eventtracking.tracker import get_tracker

    return isinstance(get_tracker().routing_backend.backends.get(BACKEND), OutboxBackend)


class OutboxBackend:
    """Stores events whose names are on the allow list, while the sink ``xapi`` is on."""

    def send(self, event: Mapping[str, Any]) -> None:
        """Store one event; never raises, and waits for nothing but one INSERT."""
        if not is_allowed(event.get("name")) or not switch.is_on():
            return
        try:
            store_event(event)
        except TooLarge as error:
            log.error("A tracking event %s is not stored: %s", event["name"], error)
        except Exception as error:
            log.error("A tracking event %s could not be stored: %s", event["name"], where_raised(error))


class _Switch:
    """Whether the sink is on, which ``ask`` says, remembered for SWITCH_SECS, because asking may take a query."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self.forget()

    def forget(self) -> None:
        """Ask again at the next event."""
        self._on: bool | None = None
        self._until = 0.0

    def is_on(self) -> bool:
        """Whether the sink is on, or was so lately. While that cannot be asked, the last answer holds."""
        now = time.monotonic()
        if now >= self._until:
            # Other threads keep the last answer meanwhile; the first one they have to ask for, too.
            if self._on is not None:
                self._until = now + SWITCH_SECS
            try:
                self._on = self._ask()
                self._until = now + SWITCH_SECS
            except Exception as error:
                log.warning("Whether tracking events are stored cannot be looked up: %s", where_raised(error))
        return bool(self._on)


switch = _Switch(StatementSink.is_enabled)


def store_event(event: Mapping[str, Any]) -> None:
    """Store one event in the caller's transaction, and request delivery after its commit.

    Logs database errors instead of raising them. When the database ended the caller's transaction with our INSERT, the
    connection is closed, so that the caller's next query or its commit fails: half of it must not be kept.
    """
    alias = router.db_for_write(TrackingEvent)
    connection = connections[alias]
    values = (event["name"][:EVENT_NAME_LENGTH], pack(event), timezone.now(), 0, "", None)
    # Only where an error spoils the whole transaction, because a savepoint takes two more round trips.
    savepoint = None
    try:
        if connection.vendor not in ("mysql", "sqlite"):
            savepoint = transaction.savepoint(using=alias)
        with connection.cursor() as cursor:
            cursor.execute(_insert(alias), _adapted(connection, values))
        if savepoint is not None:
            transaction.savepoint_commit(savepoint, using=alias)
    except DatabaseError as error:
        _survive(connection, savepoint, error)
        log.error(
            "A tracking event %s could not be stored (%s): run `manage.py lms migrate platform_plugin_aspects`, then "
            "`manage.py lms aspects_load_tracking_logs` with the tracking log of that time",
            event["name"],
            type(error).__name__,
        )
        return
    transaction.on_commit(_request, using=alias, robust=True)


def _request() -> None:
    if requester.is_woken:
        return
    if current_app.conf.task_always_eager:
        request_delivery(StatementSink.name)
    else:
        requester.wake()


_COLUMNS = ("name", "payload", "recorded_at", "attempts", "error", "retry_at")


@cache
def _insert(alias: str) -> str:
    """The INSERT of one row, as the database takes it."""
    connection: Any = connections[alias]
    quote = connection.ops.quote_name
    # The driver of MySQL warns of bytes that are not marked as such.
    places = ", ".join(
        "_binary %s" if name == "payload" and connection.vendor == "mysql" else "%s" for name in _COLUMNS
    )
    columns = ", ".join(map(quote, _COLUMNS))
    return f"INSERT INTO {quote(TrackingEvent._meta.db_table)} ({columns}) VALUES ({places})"


def _adapted(connection: Any, values: tuple[Any, ...]) -> list[Any]:
    name, payload, recorded_at, *others = values
    moment = connection.ops.adapt_datetimefield_value(recorded_at)
    return [name, connection.Database.Binary(payload), moment, *others]


def _survive(connection: Any, savepoint: str | None, error: DatabaseError) -> None:
    """After a failed INSERT: let the caller's transaction go on, or make it fail if the database has ended it."""
    try:
        if savepoint is not None:
            connection.savepoint_rollback(savepoint)
            return
        ended = connection.in_atomic_block and _has_ended(connection, error)
    except Exception:
        ended = connection.in_atomic_block
    if ended and connection.connection is not None:
        # The driver's connection: Django would end its blocks as if nothing had happened.
        connection.connection.close()


def _has_ended(connection: Any, error: DatabaseError) -> bool:
    """Whether the database ended the transaction because of this error."""
    if connection.vendor == "sqlite":
        return not connection.connection.in_transaction
    code = error.args[0] if error.args else None
    if code != LOCK_WAIT_TIMEOUT:
        return code in ENDED_BY
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@innodb_rollback_on_timeout")
        return bool(cursor.fetchone()[0])


class _Requester:
    """A thread of this process that requests deliveries, at most one per window.

    A wish is noted after the commit of the event and withdrawn before the request is made: see ``outbox``. A process
    that ends waits for the last request: a management command may end before the thread has begun. A process that is
    killed, gets no thread, or finds no broker in time leaves the event to the workers' sweep.
    """

    def __init__(self) -> None:
        self._wished = threading.Event()
        self._asking = threading.Lock()
        self._ending = threading.Event()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_woken(self) -> bool:
        """Whether a request is still to be made. It will concern everything that is committed until now."""
        return self._wished.is_set() and self._is_running()

    def wake(self) -> None:
        """Have delivery requested, soon. Waits for nothing, and never raises."""
        self._wished.set()
        if not self._is_running():
            self._begin()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self) -> None:
        with self._beginning:
            if self._is_running():
                return
            thread = threading.Thread(target=self._run, name="aspects-requests", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # The process has as many threads as it may have, or is ending.
                log.warning("Delivery of tracking events is not requested (%s): workers look for them", error)
            else:
                self._thread = thread

    def _run(self) -> None:
        while True:
            self._wished.wait()
            with self._asking:
                self._wished.clear()
                try:
                    request_delivery(StatementSink.name)
                    # A cache may be in the database.
                    connections.close_all()
                except Exception as error:
                    log.error("Delivery of tracking events was not requested: %s", where_raised(error))
            self._ending.wait(max(0, settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS))

    def finish(self, patience: float) -> None:
        """Let the thread make the request that is still to be made now, and wait for it, at most so many seconds."""
        self._ending.set()
        deadline = time.monotonic() + patience
        while (self._wished.is_set() or self._asking.locked()) and self._is_running() and time.monotonic() < deadline:
            time.sleep(0.01)


requester = _Requester()
atexit.register(requester.finish, LAST_REQUEST_SECS)


def _after_fork() -> None:
    """A child has no thread, and its copies of the locks may be held for ever."""
    requester.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_after_fork)
