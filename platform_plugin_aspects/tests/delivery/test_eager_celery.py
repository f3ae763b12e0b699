"""Celery that runs each task at once, in its caller: there are no retries, and no task may call itself for ever."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest
from celery import current_app
from django.db import connection

from platform_plugin_aspects import tasks
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import BaseSink, Batch, Selection, Written
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    current_app.conf.task_always_eager = True
    yield
    current_app.conf.task_always_eager = False


class Restless(BaseSink):
    """A sink of others whose objects are saved again while they are read, so many times."""

    name = "restless"
    model = "user_preference"
    again: ClassVar[int] = 0
    written: ClassVar[list[list[str]]] = []

    def parse_key(self, text: str) -> str:
        return text

    def read(self, selection: Selection) -> Batch:
        if Restless.again:
            Restless.again -= 1
            outbox.record("restless", ["a"])
        return Batch(list(selection.keys or ()), {})

    def write(self, batch: Batch, stamp: Any) -> Written:
        Restless.written.append(list(batch.keys))
        return Written({"restless": len(batch)})


@pytest.fixture
def restless(settings: Any, clickhouse: ClickHouse) -> type[Restless]:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.Restless"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    Restless.again = 0
    Restless.written = []
    return Restless


def test_a_save_is_delivered_at_once(all_on: None, clickhouse: ClickHouse) -> None:
    profile = factories.make_user().profile
    assert set(latest(clickhouse, "user_profile")) == {profile.pk}
    assert not Change.objects.exists()


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="how SQLite locks")
def test_a_busy_sink_is_tried_once_and_its_changes_are_kept(
    all_on: None, clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (user,) = factories.make_many_users(1)
    Change.objects.create(sink="user_profile", object_id=str(user.profile.pk))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
    try:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            outbox.enqueue("user_profile", 0)
            other.execute("ROLLBACK")
    finally:
        connection.close()
    told = [record.getMessage() for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert len([text for text in told if text.startswith("Delivery of user_profile starts again")]) == 1
    assert told[-1] == (
        "Delivery of user_profile is not repeated, because Celery runs tasks in their caller: its changes are kept for "
        "the next delivery"
    )
    assert Change.objects.count() == 1
    assert outbox.request_pending() == ["user_profile"]
    assert not Change.objects.exists()
    assert set(latest(clickhouse, "user_profile")) == {user.profile.pk}


def test_while_clickhouse_is_away_a_save_tries_once(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    clickhouse_http.fail("503", times=None, match="INSERT")
    factories.make_user()
    inserts = [request for request in clickhouse_http.requests if request.statement.startswith("INSERT")]
    assert len(inserts) == 1
    assert SinkState.objects.get(sink="user_profile").failures == 1
    assert Change.objects.filter(sink="user_profile").count() == 1


@pytest.mark.parametrize("again", [1, 3])
def test_a_change_recorded_while_its_sink_is_delivered_is_delivered_next_by_the_same(
    restless: type[Restless], again: int
) -> None:
    restless.again = again
    outbox.record("restless", ["a"])
    assert restless.written == [["a"]] * (1 + again)
    assert not Change.objects.exists()


def test_a_sink_with_endless_changes_is_left_after_ten_rounds(restless: type[Restless]) -> None:
    restless.again = 10_000
    outbox.record("restless", ["a"])
    assert len(restless.written) == tasks.EAGER_ROUNDS
    assert Change.objects.count() == 1
    # It is not held back afterwards.
    restless.again = 0
    assert outbox.request_pending() == ["restless"]
    assert not Change.objects.exists()


def test_a_dump_of_an_earlier_version_is_not_retried_in_its_caller(
    all_on: None, clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    (user,) = factories.make_many_users(1)
    clickhouse_http.fail("503", times=None, match="INSERT")
    tasks.dump_data_to_clickhouse.delay(
        "platform_plugin_aspects.sinks", "UserProfileSink", user.profile.pk, {"timeout_secs": 5}
    )
    inserts = [request for request in clickhouse_http.requests if request.statement.startswith("INSERT")]
    assert len(inserts) == 1
    assert rows(clickhouse, "user_profile") == []
    (error,) = [record for record in caplog.records if record.name.startswith("platform_plugin_aspects")]
    assert error.levelno == logging.ERROR
    assert f"user_profile {user.profile.pk} is not written: ClickHouse cannot be reached" in error.getMessage()
