"""The backend of event-tracking: which events it stores, in whose transaction, and that it never holds up a request."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from eventtracking import tracker
from eventtracking.tracker import Tracker
from waffle.models import Flag

from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.processes import manage
from platform_plugin_aspects.xapi.events import unpack
from test_utils.silent_cache import CACHES

PLAYED = {
    "name": "edx.video.played",
    "timestamp": datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC),
    "data": {"id": "v1", "currentTime": 12.5},
    "context": {"user_id": 7, "username": "ann", "course_id": "course-v1:Org+C1+R1"},
}
ALLOWED = ["edx.video.played"]


@pytest.fixture(autouse=True)
def _allow_list(settings: Any) -> None:
    settings.XAPI_EVENTS_ENABLED = True
    settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS = ALLOWED


@pytest.fixture
def on(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True


@pytest.fixture
def platform_tracker() -> Iterator[Tracker]:
    """The platform's tracker with the backend, and with nothing else."""
    before = dict(tracker.TRACKERS)
    tracker.register_tracker(Tracker())
    tracker.get_tracker().routing_backend.register_backend(tracking.BACKEND, tracking.OutboxBackend())
    yield tracker.get_tracker()
    tracker.TRACKERS.clear()
    tracker.TRACKERS.update(before)


@pytest.mark.django_db
def test_an_event_is_stored_as_it_was_emitted(on: None) -> None:
    tracking.OutboxBackend().send(PLAYED)
    row = TrackingEvent.objects.get()
    assert (row.name, row.attempts, row.error, row.retry_at) == ("edx.video.played", 0, "", None)
    assert abs((row.recorded_at - datetime.now(UTC)).total_seconds()) < 60
    assert unpack(row.payload) == {**PLAYED, "timestamp": "2026-03-01T10:00:00.123456+00:00"}


@pytest.mark.django_db
def test_the_tracker_hands_its_events_over(on: None, platform_tracker: Tracker) -> None:
    platform_tracker.emit("edx.video.played", {"id": "v1"})
    platform_tracker.emit("edx.video.liked", {"id": "v1"})
    assert [unpack(row.payload)["data"] for row in TrackingEvent.objects.all()] == [{"id": "v1"}]


@pytest.mark.django_db
def test_one_insert_is_all_that_is_asked_of_the_database(on: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        tracking.OutboxBackend().send(PLAYED)


@pytest.mark.django_db
def test_nothing_is_asked_of_the_database_while_the_sink_is_off(django_assert_num_queries: Any) -> None:
    backend = tracking.OutboxBackend()
    backend.send(PLAYED)
    with django_assert_num_queries(0):
        for _ in range(100):
            backend.send(PLAYED)
    assert not TrackingEvent.objects.exists()


@pytest.mark.django_db
def test_nothing_is_asked_about_events_that_are_not_on_the_list(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        tracking.OutboxBackend().send({**PLAYED, "name": "edx.video.liked"})


@pytest.mark.django_db(transaction=True)
def test_the_flag_turns_it_on_once_the_memory_is_over() -> None:
    backend = tracking.OutboxBackend()
    backend.send(PLAYED)
    Flag.objects.create(name="event_sink_clickhouse.xapi.enabled", everyone=True)
    backend.send(PLAYED)
    assert TrackingEvent.objects.count() == 0
    tracking.switch.forget()
    backend.send(PLAYED)
    assert TrackingEvent.objects.count() == 1


def test_a_fork_begins_a_thread_of_its_own() -> None:
    process = os.fork()
    if process == 0:
        tracking.requester.wake()
        os._exit(0 if any(each.name == "aspects-requests" for each in threading.enumerate()) else 1)
    assert os.waitpid(process, 0)[1] == 0


@pytest.mark.django_db(transaction=True)
def test_an_event_of_a_transaction_that_fails_is_not_kept(on: None) -> None:
    with transaction.atomic():
        tracking.OutboxBackend().send(PLAYED)
        transaction.set_rollback(True)
    assert not TrackingEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_delivery_is_requested_after_the_commit_by_another_thread(on: None, broker: Broker) -> None:
    with transaction.atomic():
        tracking.OutboxBackend().send(PLAYED)
    assert _wait_for(broker) == [("xapi",)]


def _wait_for(broker: Broker) -> list[Any]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = broker.take()
        if found:
            return [sent.args for sent in found]
        time.sleep(0.02)
    raise AssertionError("no task was enqueued within 20 s")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", CACHES)
def test_a_cache_that_is_gone_keeps_nothing_from_the_outbox(on: None, settings: Any, kind: str) -> None:
    settings.CACHES = CACHES[kind]
    tracking.OutboxBackend().send(PLAYED)
    assert TrackingEvent.objects.count() == 1


@pytest.mark.django_db
def test_an_event_that_cannot_be_stored_is_logged_without_its_data(on: None, caplog: pytest.LogCaptureFixture) -> None:
    event: dict[str, Any] = {**PLAYED}
    event["data"] = {"itself": event}
    with caplog.at_level(logging.ERROR, logger="platform_plugin_aspects"):
        tracking.OutboxBackend().send(event)
    assert "edx.video.played could not be stored" in caplog.text
    assert "ann" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_callers_transaction_goes_on_without_the_table(on: None, caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE platform_plugin_aspects_trackingevent RENAME TO gone")
    try:
        with transaction.atomic():
            tracking.OutboxBackend().send(PLAYED)
            Flag.objects.create(name="of the request")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO platform_plugin_aspects_trackingevent")
    assert Flag.objects.filter(name="of the request").exists()
    assert "run `manage.py lms migrate platform_plugin_aspects`" in caplog.text


@pytest.mark.django_db
def test_an_event_that_is_too_large_is_refused_before_the_database_may_refuse_it(
    on: None, caplog: pytest.LogCaptureFixture
) -> None:
    """MySQL closes the connection of the request that sends more than max_allowed_packet."""
    backend = tracking.OutboxBackend()
    backend.send({**PLAYED, "data": {"id": "a" * 999_000}})
    assert TrackingEvent.objects.count() == 1
    backend.send({**PLAYED, "data": {"id": "a" * 1_000_000}})
    assert TrackingEvent.objects.count() == 1
    assert "edx.video.played is not stored: it has 1,000,166 bytes as JSON; at most 1,000,000 are kept" in caplog.text


@pytest.fixture
def no_more_threads() -> Iterator[None]:
    """The process has as many threads as it may have."""
    begin = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    tracking.requester.__init__()  # type: ignore[misc]
    threading.Thread.start = refuse  # type: ignore[method-assign]
    yield
    threading.Thread.start = begin  # type: ignore[method-assign]
    tracking.requester.__init__()  # type: ignore[misc]


@pytest.mark.django_db(transaction=True)
def test_a_request_ends_well_where_no_thread_can_be_had(on: None, no_more_threads: None, caplog: Any) -> None:
    with transaction.atomic():
        tracking.OutboxBackend().send(PLAYED)
    assert TrackingEvent.objects.count() == 1
    assert "Delivery of tracking events is not requested (can't start new thread)" in caplog.text


# The second wish comes while the thread waits for the window to end, after a worker has begun to deliver.
END = """
import time
from pathlib import Path
from celery import current_app
from django.core.cache import cache
from platform_plugin_aspects.delivery.tracking import requester
folder = {folder!r}
current_app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={{"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}},
)
requester.wake()
while not list(Path(folder).glob("*.msg")):
    time.sleep(0.01)
cache.clear()
requester.wake()
"""


@pytest.mark.django_db
def test_a_process_that_ends_waits_for_its_last_request(tmp_path: Path) -> None:
    tokens = {"EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": 3600}
    with manage(tmp_path, "shell", "-c", END.format(folder=str(tmp_path)), tokens=tokens) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    messages = [json.loads(path.read_text()) for path in tmp_path.glob("*.msg")]
    assert [message["headers"]["task"] for message in messages] == ["platform_plugin_aspects.tasks.deliver"] * 2


def test_a_broker_that_does_not_answer_does_not_hold_up_the_end() -> None:
    requester = tracking._Requester()
    stuck = threading.Event()
    requester._thread = threading.Thread(target=stuck.wait)
    requester._thread.start()
    requester._wished.set()
    requester.finish(0.01)
    assert requester.is_woken
    stuck.set()
    requester._thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_has_ended_is_begun_again(on: None, broker: Broker) -> None:
    requester = tracking.requester
    requester.__init__()  # type: ignore[misc]
    ended = threading.Thread(target=int)
    ended.start()
    ended.join()
    requester._thread = ended
    requester._wished.set()
    with transaction.atomic():
        tracking.OutboxBackend().send(PLAYED)
    assert _wait_for(broker) == [("xapi",)]


def test_the_first_question_is_asked_by_each_thread() -> None:
    """A thread must not take the sink for off while another one asks for the first time."""
    asking, answered = threading.Event(), threading.Event()

    def ask() -> bool:
        if not asking.is_set():
            asking.set()
            answered.wait(20)
        return True

    switch = tracking._Switch(ask)
    first = threading.Thread(target=switch.is_on)
    first.start()
    asking.wait(20)
    assert switch.is_on()
    answered.set()
    first.join()


def test_a_question_without_an_answer_is_asked_again() -> None:
    answers: list[bool] = []

    def ask() -> bool:
        return answers.pop()

    switch = tracking._Switch(ask)
    assert not switch.is_on()
    answers.append(True)
    assert switch.is_on()
    assert switch.is_on()


@pytest.mark.django_db(transaction=True)
def test_no_thread_begins_while_the_sink_is_off(broker: Broker) -> None:
    tracking.requester.__init__()  # type: ignore[misc]
    with transaction.atomic():
        tracking.OutboxBackend().send(PLAYED)
    assert tracking.requester._thread is None
    assert broker.take() == []
