"""Delivery of learning events: each becomes its statements once for readers, whatever fails on the way."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox, pending, tracking
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.pending import EVENTS
from platform_plugin_aspects.models import Change, DeliverySlot, SinkState, TrackingEvent
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.broker import Broker
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.factories import make_external_id, make_overview, make_user

pytestmark = pytest.mark.django_db

COURSE = "course-v1:Org+Course+Run"
BEGIN = datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _on(settings: Any, clickhouse: ClickHouse) -> None:
    """The sink is on, its table is there, and the course of the events."""
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG,
        "xapi_database": clickhouse.connection.database,
    }
    clickhouse.command(StatementSink.table.create_statement(clickhouse.connection.database))
    make_overview(COURSE, display_name="Course")


@pytest.fixture
def learner() -> User:
    user = make_user()
    make_external_id(user)
    return user


def emit(user_id: Any, number: int = 1, first: int = 0, **changes: Any) -> None:
    """The platform emits so many enrollments, a second apart."""
    for second in range(first, first + number):
        tracking.OutboxBackend().send(
            {
                "name": "edx.course.enrollment.activated",
                "timestamp": BEGIN + timedelta(seconds=second),
                "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
                "context": {"user_id": user_id, "course_id": COURSE, "session": "0123456789abcdef0123456789abcdef"},
                **changes,
            }
        )


def stored(client: ClickHouse, final: bool = True) -> list[datetime]:
    """The moments of the statements, as readers see them."""
    table = client.qualified("xapi_events_all")
    found = client.select(f"SELECT emission_time FROM {table} {'FINAL' if final else ''} ORDER BY emission_time")
    return [moment.replace(tzinfo=UTC) for (moment,) in found]


def test_events_become_statements_and_are_deleted(learner: User, clickhouse: ClickHouse) -> None:
    emit(learner.pk, 3)
    result = deliver_changes("xapi")
    assert (result.status, result.changes, result.objects, result.more) == ("delivered", 3, 3, False)
    assert stored(clickhouse) == [BEGIN, BEGIN + timedelta(seconds=1), BEGIN + timedelta(seconds=2)]
    assert not TrackingEvent.objects.exists()
    state = SinkState.objects.get(sink="xapi")
    assert (state.objects_delivered, state.failures) == (3, 0)


def test_a_learners_external_id_is_made_once_and_kept(clickhouse: ClickHouse) -> None:
    user = make_user()
    emit(user.pk)
    deliver_changes("xapi")
    (external_id,) = ExternalId.objects.filter(user=user)
    ((event,),) = clickhouse.select(f"SELECT event FROM {clickhouse.qualified('xapi_events_all')}")
    assert str(external_id.external_user_id) in event


def test_a_batch_has_a_thousand_events(learner: User, monkeypatch: pytest.MonkeyPatch, clickhouse: ClickHouse) -> None:
    assert StatementSink.batch_size == 1_000
    monkeypatch.setattr(StatementSink, "batch_size", 2)
    emit(learner.pk, 5)
    result = deliver_changes("xapi", batches=2)
    assert (result.changes, result.more) == (4, True)
    assert TrackingEvent.objects.count() == 1
    assert deliver_changes("xapi").changes == 1
    assert len(stored(clickhouse)) == 5


def test_a_task_lets_others_have_the_worker_and_goes_on_later(
    learner: User, monkeypatch: pytest.MonkeyPatch, broker: Broker, clickhouse: ClickHouse
) -> None:
    monkeypatch.setattr(StatementSink, "batch_size", 1)
    monkeypatch.setattr(tasks, "BATCHES_IN_A_ROW", 2)
    emit(learner.pk, 5)
    tasks.deliver("xapi")
    assert TrackingEvent.objects.count() == 3
    (sent,) = broker.take()
    assert (sent.args, sent.wait <= 0) == (("xapi",), True)
    sent.run()
    broker.work()
    assert not TrackingEvent.objects.exists()
    assert len(stored(clickhouse)) == 5


def test_an_event_that_cannot_be_transformed_is_kept_with_its_reason(
    learner: User, clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    emit(learner.pk)
    emit(123456, 2, first=10)
    emit(learner.pk, first=1)
    before = timezone.now()
    with caplog.at_level(logging.ERROR, logger="platform_plugin_aspects"):
        result = deliver_changes("xapi")
    assert (result.objects, len(result.outcome.rejected), result.outcome.writes) == (2, 2, 1)
    assert len(stored(clickhouse)) == 2
    kept = list(TrackingEvent.objects.all())
    assert [(row.attempts, row.error) for row in kept] == [(1, "the platform has no account of its learner")] * 2
    assert all(row.retry_at >= before + pending.FIRST_OBJECT_WAIT / 2 for row in kept)
    first = kept[0].pk
    assert [record.getMessage() for record in caplog.records] == [
        f"2 events of xapi cannot be written (kept, attempt 1), the first is {first}: "
        "the platform has no account of its learner"
    ]
    # They wait, and hold up nothing.
    emit(learner.pk, first=2)
    assert deliver_changes("xapi").changes == 1
    assert [row.attempts for row in TrackingEvent.objects.all()] == [1, 1]


def test_events_that_failed_are_replayed_after_a_repair(clickhouse: ClickHouse) -> None:
    emit(7001)
    deliver_changes("xapi")
    make_external_id(make_user(pk=7001))
    assert outbox.retry_failed("xapi") == 1
    deliver_changes("xapi")
    assert stored(clickhouse) == [BEGIN]
    assert not TrackingEvent.objects.exists()


def test_waits_of_an_event_grow_with_each_attempt() -> None:
    emit(123456)
    waits = []
    for attempt in range(1, 5):
        deliver_changes("xapi")
        row = TrackingEvent.objects.get()
        assert row.attempts == attempt
        waits.append(row.retry_at - timezone.now())
        outbox.retry_failed()
    for number, wait in enumerate(waits):
        assert timedelta(minutes=0.45) * 2**number < wait <= timedelta(minutes=1) * 2**number


def test_an_event_can_be_discarded() -> None:
    emit(123456)
    deliver_changes("xapi")
    (row,) = TrackingEvent.objects.all()
    for unknown in ("", "x", "-1", "99999999999999999999999", "²"):
        assert outbox.discard("xapi", unknown) == 0
    assert outbox.discard("xapi", str(row.pk)) == 1
    assert not TrackingEvent.objects.exists()


def test_bytes_that_are_not_an_event_are_kept_with_the_reason(learner: User, clickhouse: ClickHouse) -> None:
    TrackingEvent.objects.create(name="edx.course.enrollment.activated", payload=b"torn")
    emit(learner.pk)
    deliver_changes("xapi")
    assert TrackingEvent.objects.get().error == "the stored event is damaged"
    assert stored(clickhouse) == [BEGIN]


@pytest.mark.parametrize("moment", [None, "yesterday"])
def test_an_event_without_a_moment_is_kept_with_the_reason(learner: User, clickhouse: ClickHouse, moment: Any) -> None:
    emit(learner.pk, timestamp=moment)
    deliver_changes("xapi")
    assert TrackingEvent.objects.get().error == "the event has no timestamp in ISO 8601"
    assert stored(clickhouse) == []


def test_an_event_without_a_statement_is_done(clickhouse: ClickHouse) -> None:
    emit(None, context={"course_id": COURSE}, data={"course_id": COURSE})
    assert deliver_changes("xapi").status == "delivered"
    assert not TrackingEvent.objects.exists()
    assert stored(clickhouse) == []


def test_everything_is_kept_while_clickhouse_is_away(
    learner: User, clickhouse_http: ClickHouseEndpoint, settings: Any, clickhouse: ClickHouse
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG,
        "xapi_database": clickhouse.connection.database,
    }
    emit(learner.pk, 3)
    clickhouse_http.stop()
    result = deliver_changes("xapi")
    assert (result.status, TrackingEvent.objects.count()) == ("failed", 3)
    state = SinkState.objects.get(sink="xapi")
    assert state.failures == 1
    assert outbox.request_pending() == []
    clickhouse_http.start()
    assert deliver_changes("xapi").status == "waiting"
    SinkState.objects.update(retry_at=timezone.now())
    assert deliver_changes("xapi").objects == 3
    state.refresh_from_db()
    assert (state.failures, state.retry_at) == (0, None)
    assert len(stored(clickhouse)) == 3


def test_a_worker_killed_after_the_insert_sends_the_same_ids_again(
    learner: User, monkeypatch: pytest.MonkeyPatch, clickhouse: ClickHouse
) -> None:
    emit(learner.pk, 3)
    insert = StatementSink.insert

    class Killed(BaseException):
        pass

    def die(self: StatementSink, statements: Any) -> None:
        insert(self, statements)
        raise Killed

    monkeypatch.setattr(StatementSink, "insert", die)
    with pytest.raises(Killed):
        deliver_changes("xapi")
    assert TrackingEvent.objects.count() == 3
    monkeypatch.setattr(StatementSink, "insert", insert)
    deliver_changes("xapi")
    assert len(stored(clickhouse, final=False)) == 6
    assert len(stored(clickhouse)) == 3


def test_the_sweep_requests_pending_events(broker: Broker) -> None:
    emit(123456)
    assert outbox.request_pending() == ["xapi"]
    deliver_changes("xapi")
    # It waits after its failure.
    assert outbox.request_pending() == []


def test_the_sweep_asks_nothing_about_events_that_are_off(settings: Any, django_assert_num_queries: Any) -> None:
    emit(123456)
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = False
    outbox.request_pending()
    with django_assert_num_queries(1):
        assert outbox.request_pending() == []


def test_changes_of_other_sinks_are_left_alone(learner: User, clickhouse: ClickHouse) -> None:
    outbox.record("user_profile", [1])
    emit(learner.pk)
    deliver_changes("xapi")
    assert Change.objects.count() == 1
    assert not DeliverySlot.objects.exists()
    assert "xapi" in sinks()


def test_a_worker_reads_large_events_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        TrackingEvent.objects.create(name="large", payload=b"x" * 400)
    monkeypatch.setattr(pending, "BYTES_AT_ONCE", 1_000)
    read = EVENTS.read(StatementSink, timezone.now(), claim=False)
    assert (len(read.ready), read.more) == (2, True)
    monkeypatch.setattr(pending, "BYTES_AT_ONCE", 100)
    read = EVENTS.read(StatementSink, timezone.now(), claim=False)
    assert (len(read.ready), read.more) == (1, True)
    monkeypatch.setattr(pending, "BYTES_AT_ONCE", 2_000)
    read = EVENTS.read(StatementSink, timezone.now(), claim=False)
    assert (len(read.ready), read.more) == (5, False)
