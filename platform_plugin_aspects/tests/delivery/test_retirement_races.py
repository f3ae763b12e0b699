"""A row that lands after its learner's retirement was delivered: whoever tries again takes it out.

A process is killed, or its clean-up fails, after the insert; the next attempt reads without the learner.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.compare import Comparison, repair
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import ExternalIdSink, ModelBaseSink, Selection, UserProfileSink
from platform_plugin_aspects.tasks import dump_data_to_clickhouse
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories, retirement
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_on")]

SINKS = pytest.mark.parametrize("sink_class", [UserProfileSink, ExternalIdSink])


def learner() -> User:
    user = factories.make_user()
    factories.make_external_id(user)
    return user


def key_of(user: User, sink: ModelBaseSink) -> Any:
    return sink.manager.get(user_id=user.pk).pk


def lands_late(user: User, sink: ModelBaseSink) -> None:
    """The insert of what was read before the retirement lands after it was delivered; its process is dead."""
    stamp = take_stamp(sink.name)
    batch = sink.read(Selection(keys=[key_of(user, sink)]))
    retirement.retire(user)
    assert deliver_changes("auth_user").status == "delivered"
    sink.write(batch, stamp)
    assert user.pk in users_in(sink)


def users_in(sink: ModelBaseSink) -> list[int]:
    return sorted(row["user_id"] for row in rows(sink.clickhouse, sink.name))


@SINKS
def test_the_next_delivery_deletes_rows_of_the_retired(clickhouse: ClickHouse, sink_class: type[ModelBaseSink]) -> None:
    leaving, staying = learner(), learner()
    sink = sink_class()
    lands_late(leaving, sink)
    # The killed delivery had not yet deleted the change.
    assert Change.objects.filter(sink=sink.name, object_id=key_of(leaving, sink)).exists()
    assert deliver_changes(sink.name).status == "delivered"
    assert users_in(sink) == [staying.pk]
    assert not Change.objects.filter(sink=sink.name).exists()


@SINKS
def test_a_clean_up_that_fails_is_repeated(
    clickhouse_http: ClickHouseEndpoint, sink_class: type[ModelBaseSink]
) -> None:
    leaving, staying = learner(), learner()
    sink = sink_class()
    lands_late(leaving, sink)
    for _ in range(2):
        clickhouse_http.fail("503", match="DELETE")
        assert deliver_changes(sink.name).status == "failed"
        assert Change.objects.filter(sink=sink.name, object_id=key_of(leaving, sink)).exists()
        SinkState.objects.filter(sink=sink.name).update(retry_at=datetime.now(UTC))
    assert deliver_changes(sink.name).status == "delivered"
    assert set(users_in(sink)) == {staying.pk}
    assert not Change.objects.filter(sink=sink.name).exists()


@SINKS
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 2, None])
def test_a_resumed_backfill_deletes_rows_of_the_retired(
    clickhouse: ClickHouse, sink_class: type[ModelBaseSink], place: int, batch_size: int | None
) -> None:
    """Wherever the learner is in the range: first, between others, or after the last that is read."""
    users = [learner() for _ in range(3)]
    leaving = users.pop(place)
    sink = sink_class()
    lands_late(leaving, sink)
    summary = Summary()
    backfill(sink_class(), Walk(batch_size=batch_size), summary)
    assert users_in(sink) == [user.pk for user in users]
    assert (summary.objects, summary.last_key) == (2, key_of(users[-1], sink))


def test_a_range_of_retired_learners_only_is_cleaned_up(clickhouse: ClickHouse) -> None:
    before, leaving, after = learner(), learner(), learner()
    sink = UserProfileSink()
    lands_late(leaving, sink)
    sink.write(sink.read(Selection()), take_stamp(sink.name))
    key = key_of(leaving, sink)
    backfill(UserProfileSink(), Walk(after=key - 1, upto=key), Summary())
    assert users_in(sink) == [before.pk, after.pk]


def test_a_clean_up_deletes_within_its_range_only(clickhouse: ClickHouse) -> None:
    leaving, others = learner(), [learner(), learner()]
    sink = UserProfileSink()
    lands_late(leaving, sink)
    backfill(UserProfileSink(), Walk(after=key_of(leaving, sink)), Summary())
    assert users_in(sink) == [leaving.pk, *(user.pk for user in others)]


def test_a_dry_run_deletes_nothing(clickhouse: ClickHouse) -> None:
    leaving = learner()
    lands_late(leaving, UserProfileSink())
    backfill(UserProfileSink(), Walk(dry_run=True), Summary())
    assert users_in(UserProfileSink()) == [leaving.pk]


def test_a_failed_clean_up_does_not_count_as_progress_of_the_backfill(clickhouse_http: ClickHouseEndpoint) -> None:
    leaving, staying = learner(), learner()
    sink = UserProfileSink()
    lands_late(leaving, sink)
    clickhouse_http.fail("exception", code=497, match="DELETE")
    summary = Summary()
    with pytest.raises(Misconfigured, match="the user lacks a grant"):
        backfill(UserProfileSink(), Walk(), summary)
    assert (summary.objects, summary.last_key) == (0, None)
    backfill(UserProfileSink(), Walk(), summary)
    assert set(users_in(sink)) == {staying.pk}


@SINKS
def test_a_repair_deletes_rows_of_the_retired(clickhouse: ClickHouse, sink_class: type[ModelBaseSink]) -> None:
    leaving, staying = learner(), learner()
    sink = sink_class()
    keys = {str(user.pk): key_of(user, sink) for user in (leaving, staying)}
    lands_late(leaving, sink)
    repair(sink_class(), Comparison(sink.name, missing=keys))
    assert users_in(sink) == [staying.pk]


def test_the_task_of_version_2_deletes_rows_of_the_retired(clickhouse: ClickHouse) -> None:
    leaving = learner()
    sink = UserProfileSink()
    lands_late(leaving, sink)
    key, overrides = key_of(leaving, sink), {"timeout_secs": 9}
    dump_data_to_clickhouse("platform_plugin_aspects.sinks", "UserProfileSink", key, overrides)
    assert users_in(sink) == []


@SINKS
def test_earlier_rows_stay_while_it_may_be_cancelled(clickhouse: ClickHouse, sink_class: type[ModelBaseSink]) -> None:
    user = learner()
    sink = sink_class()
    assert deliver_changes(sink.name).status == "delivered"
    retirement.request_retirement(user)
    outbox.record(sink.name, [key_of(user, sink)])
    assert deliver_changes(sink.name).status == "delivered"
    backfill(sink_class(), Walk(), Summary())
    assert users_in(sink) == [user.pk]


def test_a_retired_learner_without_rows_costs_no_delete(clickhouse_http: ClickHouseEndpoint) -> None:
    leaving, _staying = learner(), learner()
    retirement.retire(leaving)
    for _ in range(2):
        outbox.record("user_profile", [leaving.profile.pk])
        assert deliver_changes("user_profile").status == "delivered"
    backfill(UserProfileSink(), Walk(), Summary())
    assert not [request for request in clickhouse_http.requests if "DELETE" in request.statement]


@SINKS
@pytest.mark.parametrize("asked", [Selection(), Selection(since=datetime(2020, 1, 1, tzinfo=UTC))])
def test_a_clean_up_deletes_the_gone_and_the_retired_of_a_large_insert(
    clickhouse: ClickHouse, sink_class: type[ModelBaseSink], asked: Selection
) -> None:
    gone, leaving, long_gone, staying = (learner() for _ in range(4))
    sink = sink_class()
    batch = sink.read(Selection())
    sink.write(batch, take_stamp(sink.name))
    retirement.retire(long_gone)
    retirement.clean_up()
    without_long_gone = sink.read(Selection())
    sink.manager.filter(user_id=gone.pk).delete()
    retirement.retire(leaving)
    sink.clean_up(without_long_gone, take_stamp(sink.name), asked)
    assert users_in(sink) == [staying.pk]
