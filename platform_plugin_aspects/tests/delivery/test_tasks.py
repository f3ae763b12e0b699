"""The Celery tasks: names that other code calls, retries, and a broker that is gone."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from celery.signals import worker_ready
from celery.utils.timer2 import Schedule
from common.djangoapps.student.models import UserProfile
from django.core.cache import cache

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.tests.broker import DEAD_BROKER, Broker, celery_app, worker
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

SINKS = "platform_plugin_aspects.sinks"
PASSWORD = "a-secret-password-7f3a"
#: Overrides with which a dump does not go through the outbox, and that change nothing.
DIRECTLY = {"timeout_secs": 5}


@pytest.fixture
def elsewhere(clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint) -> Iterator[ClickHouse]:
    """The same tables in another database, for connection_overrides."""
    name = f"{clickhouse.connection.database}_2"
    clickhouse_http.engine.query(f"CREATE DATABASE {name}")
    connection = Connection.from_settings(
        {"url": clickhouse.connection.url, "username": "", "password": "", "database": name}
    )
    client = get_client(connection)
    create_missing(client, all_tables())
    yield client
    clickhouse_http.engine.query(f"DROP DATABASE {name} SYNC")


def overrides(client: ClickHouse) -> dict[str, str]:
    return {"database": client.connection.database}


# Names and arguments


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("deliver", ["sink"]),
        ("deliver_pending", []),
        ("dump_course_to_clickhouse", ["course_key_string", "connection_overrides"]),
        ("dump_data_to_clickhouse", ["sink_module", "sink_name", "object_id", "connection_overrides"]),
    ],
)
def test_tasks_are_registered_under_their_names_with_their_arguments(name: str, arguments: list[str]) -> None:
    task = current_app.tasks[f"platform_plugin_aspects.tasks.{name}"]
    assert task.name == getattr(tasks, name).name
    parameters = inspect.signature(task.run).parameters
    assert list(parameters) == arguments
    for each, parameter in parameters.items():
        assert (parameter.default is None) == (each == "connection_overrides")


@pytest.mark.parametrize("name", ["deliver", "dump_course_to_clickhouse", "dump_data_to_clickhouse"])
def test_a_killed_worker_gives_its_task_back(name: str) -> None:
    task = getattr(tasks, name)
    assert task.acks_late
    assert task.reject_on_worker_lost


# Deliveries


@pytest.mark.django_db
def test_a_delivery_of_an_unknown_sink_is_an_error_in_the_log_and_keeps_the_changes(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    Change.objects.create(sink="gone", object_id="1")
    tasks.deliver.apply_async(("gone",))
    assert len(broker.work()) == 1
    (error,) = [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert (error.levelno, error.exc_info) == (logging.ERROR, None)
    assert "Unknown sink 'gone'. Known sinks: taxonomy, tag," in caplog.text
    assert Change.objects.count() == 1


@pytest.mark.django_db
def test_a_delivery_of_a_sink_that_is_off_does_nothing(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    Change.objects.create(sink="user_profile", object_id="1")
    tasks.deliver.apply_async(("user_profile",))
    assert len(broker.work()) == 1
    assert [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")] == []
    assert Change.objects.count() == 1


@pytest.mark.django_db
def test_deliver_pending_requests_all_pending_sinks(all_on: None, clickhouse: ClickHouse, broker: Broker) -> None:
    profile, taxonomy = factories.make_user().profile, factories.make_taxonomy()
    tasks.deliver_pending.apply_async()
    assert [sent.args for sent in broker.work()] == [(), ("taxonomy",), ("user_profile",)]
    assert set(latest(clickhouse, "user_profile")) == {profile.pk}
    assert set(latest(clickhouse, "taxonomy")) == {taxonomy.pk}


# Dumps that others ask for


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("arguments", ["positional", "keywords", "overrides that override nothing"])
def test_a_dump_of_an_object_goes_through_the_outbox(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker, arguments: str
) -> None:
    (user,) = factories.make_many_users(1)
    if arguments == "keywords":
        kwargs = {"sink_module": SINKS, "sink_name": "UserProfileSink", "object_id": str(user.profile.pk)}
        tasks.dump_data_to_clickhouse.apply_async(kwargs=kwargs)
    else:
        extra = ({},) if arguments.startswith("overrides") else ()
        tasks.dump_data_to_clickhouse.delay(SINKS, "UserProfileSink", user.profile.pk, *extra)
    assert [sent.args for sent in broker.work()][1:] == [("user_profile",)]
    assert set(latest(clickhouse, "user_profile")) == {user.profile.pk}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("platform_plugin_aspects.sinks.user_profile_sink", "UserProfileSink"),
        ("platform_plugin_aspects.sinks", "UserProfileSink"),
    ],
)
def test_a_dump_with_overrides_goes_where_they_say(
    all_on: None, clickhouse: ClickHouse, elsewhere: ClickHouse, broker: Broker, module: str, name: str
) -> None:
    (user,) = factories.make_many_users(1)
    tasks.dump_data_to_clickhouse.delay(module, name, user.profile.pk, overrides(elsewhere))
    broker.work()
    assert set(latest(elsewhere, "user_profile")) == {user.profile.pk}
    assert rows(clickhouse, "user_profile") == []
    assert not Change.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("overridden", [True, False])
def test_a_dump_of_a_course_brings_its_blocks_and_its_custom_courses(
    all_on: None, clickhouse: ClickHouse, elsewhere: ClickHouse, broker: Broker, overridden: bool
) -> None:
    key = factories.make_course()
    ccx = factories.make_ccx(key)
    broker.take()
    Change.objects.all().delete()
    target, other = (elsewhere, clickhouse) if overridden else (clickhouse, elsewhere)
    tasks.dump_course_to_clickhouse.delay(str(key), overrides(elsewhere) if overridden else None)
    broker.work()
    assert set(latest(target, "course_overviews", "course_key")) == {str(key), str(ccx)}
    blocks = rows(target, "course_blocks")
    assert {row["course_key"] for row in blocks} == {str(key), str(ccx)}
    assert len(blocks) == 2 * 8
    assert rows(other, "course_overviews") == []


@pytest.mark.django_db(transaction=True)
def test_dumps_and_deliveries_of_a_sink_have_increasing_stamps(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    (user,) = factories.make_many_users(1)
    for city, directly in (("first", DIRECTLY), ("second", None), ("third", DIRECTLY), ("fourth", None)):
        UserProfile.objects.update(city=city)
        tasks.dump_data_to_clickhouse.delay(SINKS, "UserProfileSink", user.profile.pk, directly)
        broker.work()
        assert latest(clickhouse, "user_profile")[user.profile.pk]["city"] == city


@pytest.mark.django_db(transaction=True)
def test_a_dump_is_retried_while_clickhouse_is_away(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    (user,) = factories.make_many_users(1)
    clickhouse_http.fail("503", times=5, match="INSERT")
    tasks.dump_data_to_clickhouse.delay(SINKS, "UserProfileSink", user.profile.pk, DIRECTLY)
    for retries in range(5):
        (sent,) = broker.take()
        assert sent.message.headers["retries"] == retries
        if retries:
            # Growing and jittered; some of it has passed.
            assert 2.0**retries / 2 - 1 < sent.wait <= 2.0**retries
        sent.run()
        assert rows(clickhouse, "user_profile") == []
    (sent,) = broker.take()
    sent.run()
    assert set(latest(clickhouse, "user_profile")) == {user.profile.pk}
    assert broker.take() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("UserProfileSink", "x", DIRECTLY), "'x' is not a key of user_profile"),
        (("UserProfileSink", 1, {"password": PASSWORD}), "516"),
        (("UserProfileSink", 1, {"database": "event_sink_gone"}), "database is missing"),
        (("UserProfileSink", 1, {"url": "nowhere"}), "'nowhere' is neither"),
        (("TaxonomySink", 2**31, DIRECTLY), f"{2**31} cannot be written"),
    ],
)
def test_a_dump_that_can_never_be_made_is_one_error_in_the_log(
    all_on: None,
    clickhouse_http: ClickHouseEndpoint,
    broker: Broker,
    caplog: pytest.LogCaptureFixture,
    arguments: tuple[Any, ...],
    told: str,
) -> None:
    factories.make_many_users(1)
    factories.make_taxonomy(id=2**31)
    broker.take()
    profile = UserProfile.objects.get()
    name, object_id, *rest = arguments
    tasks.dump_data_to_clickhouse.delay(SINKS, name, profile.pk if object_id == 1 else object_id, *rest)
    assert len(broker.work()) == 1
    (error,) = [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert error.levelno == logging.ERROR
    assert told in error.getMessage()
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("name", ["Column", "Selection", "no_such_thing"])
def test_a_dump_through_a_class_that_is_not_a_sink_is_refused(name: str) -> None:
    with pytest.raises((ValueError, ImportError), match=name):
        tasks.dump_data_to_clickhouse(SINKS, name, 1)


# A broker that is gone


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_breaks_no_save_and_the_change_arrives_when_it_is_back(
    all_on: None,
    clickhouse_http: ClickHouseEndpoint,
    clickhouse: ClickHouse,
    broker: Broker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with celery_app(DEAD_BROKER):
        profile = factories.make_user().profile
        for _ in range(5):
            profile.city = "saved"
            profile.save()
    assert UserProfile.objects.get().city == "saved"
    # One per window.
    (warning,) = [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert warning.levelno == logging.WARNING
    assert "broker does not take the delivery of user_profile" in warning.getMessage()
    assert warning.exc_info is None
    assert Change.objects.count() == 6
    assert broker.take() == []

    # A worker finds the broker again; by then the window is long over.
    cache.clear()
    tasks.keep_asking(Consumer())
    broker.work()
    assert latest(clickhouse, "user_profile")[profile.pk]["city"] == "saved"
    assert not Change.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_goes_while_clickhouse_is_away_costs_no_change(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker
) -> None:
    profile = factories.make_user().profile
    (sent,) = broker.take()
    clickhouse_http.fail("503", match="INSERT")
    with celery_app(DEAD_BROKER):
        # It fails, and nobody takes its successor.
        tasks.deliver(*sent.args)
    assert Change.objects.count() == 1
    SinkState.objects.update(retry_at=None)
    assert outbox.request_pending() == ["user_profile"]
    broker.work()
    assert set(latest(clickhouse, "user_profile")) == {profile.pk}


# Looking regularly


class Consumer:
    """The part of a worker's consumer that a receiver of worker_ready may touch."""

    def __init__(self) -> None:
        self.timer = Schedule()


def _due(timer: Schedule) -> int:
    return len([entry for entry in timer.queue if not entry.entry.canceled])


@pytest.mark.django_db
def test_a_worker_sweeps_when_it_is_ready_and_has_one_timer(broker: Broker) -> None:
    consumer = Consumer()
    timer = consumer.timer
    for times in (1, 2, 3):
        worker_ready.send(sender=consumer)
        assert _due(timer) == 1
        assert [sent.task for sent in broker.take()] == ["platform_plugin_aspects.tasks.deliver_pending"], times
    timer.clear()
    worker_ready.send(sender=consumer)
    assert _due(timer) == 1
    consumer.aspects_timer()
    assert len(broker.take()) == 2


@pytest.mark.django_db
def test_the_sweep_can_be_turned_off(broker: Broker, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_SWEEP_SECS = 0
    consumer = Consumer()
    worker_ready.send(sender=consumer)
    assert _due(consumer.timer) == 0
    assert broker.take() == []


def test_a_sweep_without_a_broker_logs_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with celery_app(DEAD_BROKER):
        worker_ready.send(sender=Consumer())
    (warning,) = [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert warning.levelno == logging.WARNING
    assert "pending changes are kept" in warning.getMessage()


@pytest.mark.django_db(transaction=True)
def test_a_real_worker_finds_changes_without_a_request(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, broker: Broker, settings: Any
) -> None:
    """At its start, and again and again."""
    settings.EVENT_SINK_CLICKHOUSE_SWEEP_SECS = 0.1
    settings.EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS = 0
    factories.make_many_users(2)
    first, second = UserProfile.objects.order_by("pk").values_list("pk", flat=True)
    Change.objects.create(sink="user_profile", object_id=str(first))
    with worker() as running:
        running.until(lambda: not Change.objects.exists())
        Change.objects.create(sink="user_profile", object_id=str(second))
        running.until(lambda: not Change.objects.exists())
    assert set(latest(clickhouse, "user_profile")) == {first, second}
