"""Inserts of a backfill that hold more than was read at once."""

from __future__ import annotations

from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from django.db import connection

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.backfill.watcher import Watcher
from platform_plugin_aspects.delivery.compare import compare
from platform_plugin_aspects.sinks import BaseSink, Batch, ExternalIdSink, UserProfileSink
from platform_plugin_aspects.tests.conftest import rows
from platform_plugin_aspects.tests.watchers import Recorder
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.retirement import retire

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_on")]

TOO_LARGE = 2**31 + 5


class Profiles(UserProfileSink):
    """Two go with the first insert, and up to three later; each is read alone."""

    batch_size = 1
    insert_size = 3


class ExternalIds(ExternalIdSink):
    """As above."""

    batch_size = 1
    insert_size = 3


@pytest.fixture
def learners(clickhouse_http: ClickHouseEndpoint) -> list[Any]:
    """Eight learners."""
    users = factories.make_many_users(8)
    clickhouse_http.clear()
    return users


def written_by(sink: BaseSink, watcher: Watcher | None = None, **walk: Any) -> Summary:
    summary = Summary()
    backfill(sink, Walk(**walk), summary, watcher, patient=watcher is not None)
    return summary


def sizes(endpoint: ClickHouseEndpoint, clickhouse: ClickHouse, table: str) -> list[int]:
    """The number of rows of each INSERT, in their order; rows of one INSERT have the same dump_id."""
    database = clickhouse.qualified(table)
    found = clickhouse.select(f"SELECT count() FROM {database} GROUP BY time_last_dumped, dump_id ORDER BY min(id)")
    counts = [count for (count,) in found]
    sent = [request for request in endpoint.requests if "INSERT" in request.statement]
    assert len(sent) == len(counts)
    return counts


@pytest.mark.parametrize(
    ("walk", "expected"),
    [
        ({}, [2, 2, 3, 1]),
        ({"batch_size": 3}, [3, 3, 2]),
        ({"batch_size": 1}, [1] * 8),
        ({"batch_size": 100}, [8]),
        ({"limit": 6}, [2, 2, 2]),
        ({"limit": 1}, [1]),
        # A throttled backfill must be even: small inserts.
        ({"max_rate": 1000}, [1] * 8),
        ({"sleep_secs": 0.001}, [1] * 8),
    ],
)
def test_what_is_read_bit_by_bit_goes_with_one_insert(
    walk: dict[str, Any],
    expected: list[int],
    learners: list[Any],
    clickhouse: ClickHouse,
    clickhouse_http: ClickHouseEndpoint,
) -> None:
    summary = written_by(Profiles(), Recorder(), **walk)
    assert sizes(clickhouse_http, clickhouse, "user_profile") == expected
    keys = [user.profile.pk for user in learners][: sum(expected)]
    assert sorted(row["id"] for row in rows(clickhouse, "user_profile")) == keys
    assert (summary.objects, summary.last_key, dict(summary.rows)) == (len(keys), keys[-1], {"user_profile": len(keys)})


def test_what_cannot_be_packed_is_found_and_the_rest_is_written(learners: list[Any], clickhouse: ClickHouse) -> None:
    user = factories.make_user(profile=False)
    UserProfile.objects.create(id=TOO_LARGE, user=user)
    summary = written_by(Profiles())
    assert (summary.objects, summary.rejected, list(summary.errors)) == (8, 1, [str(TOO_LARGE)])
    assert len(rows(clickhouse, "user_profile")) == 8


def test_a_sink_that_raises_anything_costs_its_object_alone(learners: list[Any], clickhouse: ClickHouse) -> None:
    class Broken(Profiles):
        def prepared(self, batch: Batch, *args: Any) -> list[Any]:
            if learners[3].profile.pk in batch.keys:
                raise RuntimeError("a third party's sink")
            return super().prepared(batch, *args)

    summary = written_by(Broken())
    assert (summary.objects, list(summary.errors)) == (7, [str(learners[3].profile.pk)])
    assert len(rows(clickhouse, "user_profile")) == 7


@pytest.mark.parametrize("bad", [0, 3, 7])
def test_what_clickhouse_refuses_of_a_pack_is_found_and_the_rest_is_written(
    bad: int, learners: list[Any], clickhouse: ClickHouse
) -> None:
    ids = [factories.make_external_id(user) for user in learners]
    with connection.cursor() as cursor:
        sql = "UPDATE external_user_ids_externalid SET external_user_id = %s WHERE id = %s"
        cursor.execute(sql, ["secret, and no UUID", ids[bad].pk])
    summary = written_by(ExternalIds())
    assert (summary.objects, summary.rejected, list(summary.errors)) == (7, 1, [str(ids[bad].pk)])
    assert "secret" not in str(summary.errors)
    expected = sorted(str(each.external_user_id) for each in ids if each != ids[bad])
    assert sorted(str(row["external_user_id"]) for row in rows(clickhouse, "external_id")) == expected
    assert summary.last_key == ids[-1].pk


def test_a_clickhouse_that_is_away_gets_it_all_again(
    learners: list[Any], clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint
) -> None:
    clickhouse_http.fail("503", times=3, match="INSERT")
    watcher = Recorder()
    summary = written_by(Profiles(), watcher)
    assert (summary.objects, len(watcher.said)) == (8, 3)
    assert len(rows(clickhouse, "user_profile")) == 8


@pytest.mark.parametrize(("beats", "written"), [(1, 0), (3, 2), (6, 4)])
def test_what_was_read_when_it_is_stopped_is_left_for_the_next_time(
    beats: int, written: int, learners: list[Any], clickhouse: ClickHouse
) -> None:
    watcher = Recorder(stop_after_beats=beats)
    summary = written_by(Profiles(), watcher)
    # It was alive after each reading, and read no more.
    assert watcher.beats == beats
    keys = [None, *(user.profile.pk for user in learners)]
    assert (summary.stopped, summary.objects, summary.last_key) == (True, written, keys[written])
    written_by(Profiles(), after=summary.last_key)
    assert len(rows(clickhouse, "user_profile")) == 8


def test_learners_who_retire_meanwhile_are_taken_out_again(
    learners: list[Any], clickhouse: ClickHouse, settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["user_profile"]

    class Retiring(Profiles):
        def encode(self, batch: Batch, *args: Any) -> bytes | None:
            packed = super().encode(batch, *args)
            if learners[3].profile.pk in batch.keys:
                retire(learners[3])
            return packed

    written_by(Retiring())
    left = {row["user_id"] for row in rows(clickhouse, "user_profile")}
    assert left == {user.pk for user in learners} - {learners[3].pk}


def test_a_range_of_a_comparison_is_read_bit_by_bit_too(learners: list[Any], clickhouse: ClickHouse) -> None:
    written_by(Profiles())
    found = compare(Profiles(), batch_size=3)
    assert (found.equal, found.objects, found.ranges, found.inspected) == (True, 8, 3, 0)
    gone = learners[4].profile.pk
    clickhouse.delete("user_profile", "id", "Int32", [gone])
    found = compare(Profiles(), batch_size=3)
    assert (found.missing, found.stale, found.extra, found.inspected) == ({gone: gone}, {}, [], 1)


def test_a_sink_with_a_write_of_its_own_is_given_what_was_read(learners: list[Any], clickhouse: ClickHouse) -> None:
    class Own(Profiles):
        def write(self, batch: Batch, *args: Any, **kwargs: Any) -> Any:
            assert "name" in batch.columns
            written.append(len(batch))
            return super().write(batch, *args, **kwargs)

        def encode(self, *args: Any) -> None:
            return None

    written: list[int] = []
    assert written_by(Own()).objects == 8
    assert sum(written) == 8
