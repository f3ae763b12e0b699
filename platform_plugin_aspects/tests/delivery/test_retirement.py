"""Retirement deletes a learner's rows from ClickHouse, and verifies that they are gone."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import (
    CourseEnrollmentSink,
    ExternalIdSink,
    ModelBaseSink,
    Selection,
    UserProfileSink,
    UserRetirementSink,
)
from platform_plugin_aspects.tests.conftest import rows
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.factories import make_enrollment, make_external_id, make_user, utc
from test_utils.retirement import retire

pytestmark = pytest.mark.django_db

WRITERS: tuple[type[ModelBaseSink], ...] = (UserProfileSink, ExternalIdSink, CourseEnrollmentSink)


def learner() -> User:
    """A learner with a row in each table that names learners, written twice."""
    user = make_user()
    make_external_id(user)
    make_enrollment(user)
    for sink in (sink_class() for sink_class in WRITERS):
        own = [key for key in sink.read(Selection()).keys if sink.manager.get(pk=key).user_id == user.pk]
        for day in (1, 2):
            sink.write(sink.read(Selection(keys=own)), utc(2026, 1, day))
    return user


def retire_in_clickhouse(*user_ids: int) -> None:
    sink = UserRetirementSink()
    sink.write(sink.read(Selection(keys=user_ids)), utc(2026, 2, 1))


def users_in(client: ClickHouse, table: str) -> set[int]:
    return {row["user_id"] for row in rows(client, table)}


def test_rows_leave_every_table_of_personal_data_and_no_other(clickhouse_http: ClickHouseEndpoint) -> None:
    staying, leaving = learner(), learner()
    client = UserProfileSink().clickhouse
    retire_in_clickhouse(leaving.pk)
    assert users_in(client, "user_profile") == users_in(client, "external_id") == {staying.pk}
    assert users_in(client, "course_enrollment") == {staying.pk, leaving.pk}


def test_several_learners_take_one_delete_per_table(clickhouse_http: ClickHouseEndpoint) -> None:
    ids = [learner().pk for _ in range(3)]
    clickhouse_http.clear()
    retire_in_clickhouse(*ids)
    deletes = [request.statement for request in clickhouse_http.requests if "DELETE" in request.statement]
    assert len(deletes) == 2
    assert all("mutations_sync = 2" in statement for statement in deletes)


def test_names_that_are_no_table_with_a_user_are_skipped_with_an_info_line(
    clickhouse: ClickHouse, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    user = learner()
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["auth_user", "course_overviews", "user_profile"]
    with caplog.at_level(logging.INFO, logger="platform_plugin_aspects"):
        retire_in_clickhouse(user.pk)
    said = [(record.levelname, record.args) for record in caplog.records if "Retirement" in record.getMessage()]
    assert said == [("INFO", ("auth_user",)), ("INFO", ("course_overviews",))]
    assert users_in(clickhouse, "user_profile") == set()
    assert users_in(clickhouse, "external_id") == {user.pk}


def test_tables_of_operators_with_other_types_of_user_ids(clickhouse: ClickHouse, settings: Any) -> None:
    table = clickhouse.qualified("notes")
    clickhouse.command(f"CREATE TABLE {table} (user_id UInt64, note String) ENGINE = MergeTree ORDER BY user_id")
    clickhouse.command(f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')")
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["notes"]
    retire_in_clickhouse(1)
    assert clickhouse.select(f"SELECT user_id FROM {table}") == [(2,)]


def test_a_retirement_fails_while_rows_are_left(clickhouse_http: ClickHouseEndpoint) -> None:
    user = learner()
    client = UserProfileSink().clickhouse

    def write_between_delete_and_count() -> None:
        pause = Event()
        while not any("DELETE" in request.statement for request in clickhouse_http.requests):
            pause.wait(0.01)
        database = client.connection.database
        clickhouse_http.engine.query(f"INSERT INTO {database}.user_profile (id, user_id) VALUES (1, {user.pk})")
        clickhouse_http.heal()

    # The count of what is left waits until the other has written.
    clickhouse_http.fail("slow", match="SELECT count", seconds=4)
    clickhouse_http.clear()
    other = Thread(target=write_between_delete_and_count)
    other.start()
    with pytest.raises(Unavailable, match="1 rows of retired learners are still in user_profile"):
        retire_in_clickhouse(user.pk)
    other.join()
    retire_in_clickhouse(user.pk)
    assert users_in(client, "user_profile") == set()


def test_a_retirement_fails_if_the_answer_is_lost(clickhouse_http: ClickHouseEndpoint, all_on: None) -> None:
    user = learner()
    Change.objects.all().delete()
    clickhouse_http.fail("reset_after_execute", times=None, match="DELETE")
    outbox.record("auth_user", [user.pk])
    assert deliver_changes("auth_user").status == "failed"
    assert Change.objects.filter(sink="auth_user").count() == 1
    clickhouse_http.heal()
    SinkState.objects.update(retry_at=None)
    assert deliver_changes("auth_user").status == "delivered"
    assert users_in(UserProfileSink().clickhouse, "user_profile") == set()


def test_users_who_are_gone_and_users_without_rows_are_no_error(clickhouse: ClickHouse) -> None:
    retire_in_clickhouse(10**9)
    sink = UserRetirementSink()
    assert list(sink.read(Selection(keys=[3, 1, 2])).keys) == [1, 2, 3]
    assert sink.parse_key("12") == 12
    with pytest.raises(ValueError, match="x"):
        sink.parse_key("x")


def test_the_backfill_does_not_offer_the_retirement_sink() -> None:
    assert not UserRetirementSink.has_objects
    assert UserRetirementSink.tables == ()


def test_a_whole_retirement_leaves_nothing_and_counts_as_delivered(clickhouse: ClickHouse, all_on: None) -> None:
    staying, leaving = learner(), learner()
    Change.objects.all().delete()
    retire(leaving)
    for sink in ("auth_user", "user_profile", "external_id"):
        assert deliver_changes(sink).status == "delivered"
    assert not Change.objects.filter(sink="auth_user").exists()
    for table in ("user_profile", "external_id"):
        assert users_in(clickhouse, table) == {staying.pk}


def test_a_missing_table_of_personal_data_is_skipped(clickhouse: ClickHouse, all_on: None) -> None:
    user = learner()
    Change.objects.all().delete()
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('external_id')}")
    outbox.record("auth_user", [user.pk])
    assert deliver_changes("auth_user").status == "delivered"
    assert users_in(clickhouse, "user_profile") == set()
    assert SinkState.objects.get(sink="auth_user").failures == 0
