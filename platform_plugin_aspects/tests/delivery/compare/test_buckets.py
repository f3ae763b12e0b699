"""Comparing by buckets of the fingerprint: no keys while all is equal, and every difference by its name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.compare import Comparison, compare, repair
from platform_plugin_aspects.delivery.compare.fingerprint import fingerprints
from platform_plugin_aspects.delivery.isolate import write_and_clean_up
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import Batch, ExternalIdSink, ModelBaseSink, Selection
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = pytest.mark.django_db


class NameSink(ModelBaseSink):
    """A third party's sink: a row per profile, by the learner's username."""

    name = "name"
    model = "user_profile"
    columns = (Column("username", "String", Value("user__username")), Column("title", "String", Value("name")))
    order_by = ("username", "time_last_dumped")
    key_column = "username"


#: Per sink, what makes an object of it, and a column to alter.
SOURCES: dict[type[ModelBaseSink], tuple[Callable[[], Any], str]] = {
    ExternalIdSink: (factories.make_external_id, "username"),
    NameSink: (factories.make_user, "title"),
}
both_sinks = pytest.mark.parametrize("sink_class", SOURCES, ids=[sink.name for sink in SOURCES])


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several parts, and so several queries, for the small tables of these tests."""
    monkeypatch.setattr("platform_plugin_aspects.delivery.compare.buckets.PART_SIZE", 7)


def limit(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    """Set constants of the buckets."""
    for name, value in limits.items():
        monkeypatch.setattr(f"platform_plugin_aspects.delivery.compare.buckets.{name}", value)


def filled(
    clickhouse: ClickHouse, sink_class: type[ModelBaseSink], number: int = 30
) -> tuple[ModelBaseSink, list[Any]]:
    """So many objects, all of them in ClickHouse; the sink, and ClickHouse's keys."""
    for _ in range(number):
        SOURCES[sink_class][0]()
    create_missing(clickhouse, sink_class.tables)
    return written(clickhouse, sink_class())


def written(clickhouse: ClickHouse, sink: ModelBaseSink) -> tuple[ModelBaseSink, list[Any]]:
    """The sink, and ClickHouse's keys, after a backfill."""
    Change.objects.all().delete()
    backfill(sink, Walk(force=True), Summary())
    return sink, [row[sink.key_column] for row in rows(clickhouse, sink.table.name, order=sink.key_column)]


def alter(sink: ModelBaseSink, key: Any, column: str, value: str) -> None:
    """Insert the row of ``key`` into ClickHouse again, a little later and with another value, as one might by hand."""
    table = sink.clickhouse.qualified(sink.table.name)
    sink.clickhouse.command(
        f"INSERT INTO {table} SELECT * REPLACE ({{value:String}} AS `{column}`, "
        f"replaceOne(time_last_dumped, '+', '1+') AS time_last_dumped) "
        f"FROM (SELECT * FROM {table} WHERE toString({sink.key_column}) = {{key:String}})",
        {"key": key, "value": value},
    )


def drop(sink: ModelBaseSink, keys: Sequence[Any]) -> None:
    """Delete the rows of these keys from ClickHouse."""
    sink.clickhouse.delete(sink.table.name, sink.key_column, sink.key().type, keys)


@both_sinks
def test_what_is_equal_is_compared_without_a_key(
    sink_class: type[ModelBaseSink], clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    sink, keys = filled(clickhouse, sink_class)
    clickhouse_http.clear()
    found = compare(sink, batch_size=8)
    assert found.equal
    assert (found.objects, found.inspected) == (30, 0)
    assert 1 < found.ranges <= 30
    asked = [each for each in clickhouse_http.requests if f"`{sink.table.name}`" in each.statement]
    assert [each.statement.split(" FROM ")[0] for each in asked] == [
        "SELECT count()",
        *["SELECT fingerprint % 16384 AS bucket, count(), sum(fingerprint)"] * 5,
    ]
    assert not any(each.params for each in asked)
    assert not [key for key in keys for each in asked if key in each.statement]


class QueryWordsSink(ModelBaseSink):
    """A third party's sink whose columns are named as the parts of the comparison's queries."""

    name = "query_words"
    model = "user_profile"
    columns = (
        Column("id", "Int32"),
        Column("key", "String", Value("name")),
        Column("fingerprint", "String", Value("country")),
        Column("time", "String", Value("gender")),
        Column("slice", "String", Value("city")),
    )


def test_columns_may_be_named_as_the_parts_of_the_query(clickhouse: ClickHouse) -> None:
    profile = factories.make_user().profile
    create_missing(clickhouse, QueryWordsSink.tables)
    sink, _keys = written(clickhouse, QueryWordsSink())
    assert compare(sink).equal
    alter(sink, str(profile.pk), "time", "later")
    assert list(compare(sink).stale) == [profile.pk]
    assert list(compare(sink, after=0).stale) == [profile.pk]


@both_sinks
def test_each_row_is_in_one_part(sink_class: type[ModelBaseSink], clickhouse: ClickHouse) -> None:
    sink, _keys = filled(clickhouse, sink_class, number=8)
    backfill(sink, Walk(force=True), Summary())
    assert len(rows(clickhouse, sink.table.name)) == 16
    found = compare(sink)
    assert (found.equal, found.inspected, found.objects) == (True, 0, 8)


@pytest.mark.parametrize("limits", [{}, {"BUCKETS": 1}, {"MOST_INSPECTED": 0}], ids=["buckets", "one bucket", "ranges"])
@both_sinks
def test_exactly_what_was_deleted_altered_and_added_by_hand_is_named_and_repaired(
    sink_class: type[ModelBaseSink], limits: dict[str, int], clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, **limits)
    sink, keys = filled(clickhouse, sink_class)
    added = str(UUID(int=7))
    drop(sink, keys[:3])
    for key in keys[3:5]:
        alter(sink, key, SOURCES[sink_class][1], "altered")
    alter(sink, keys[5], sink.key_column, added)

    found = compare(sink)
    assert sorted(found.missing) == sorted(keys[:3])
    assert sorted(found.stale) == sorted(keys[3:5])
    assert found.extra == [added]
    assert found.objects == 30
    assert 1 <= found.inspected <= found.ranges

    assert not repair(sink, found, prune=True).rejected
    again = compare(sink)
    assert (again.equal, again.inspected, again.objects) == (True, 0, 30)


def test_an_altered_row_alone_differs(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, BUCKETS=1)
    sink, keys = filled(clickhouse, ExternalIdSink, number=8)
    alter(sink, keys[0], "username", "altered")
    found = compare(sink)
    assert (list(found.stale), found.missing, found.extra) == ([keys[0]], {}, [])
    assert (found.ranges, found.inspected) == (1, 1)


def test_few_rows_leave_clickhouse_where_few_differ(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    sink, keys = filled(clickhouse, ExternalIdSink)
    alter(sink, keys[0], "username", "altered")
    clickhouse_http.clear()
    assert list(compare(sink).stale) == [keys[0]]
    sent = [key for key in keys for each in clickhouse_http.requests if key in str(each.params)]
    assert sent == [keys[0]]


@pytest.mark.parametrize("most", [8, 7])
@pytest.mark.parametrize("side", ["source", "ClickHouse"])
def test_where_too_much_differs_ranges_are_compared(
    side: str, most: int, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, MOST_INSPECTED=most)
    sink, keys = filled(clickhouse, ExternalIdSink, number=8)
    if side == "source":
        sink.manager.all().delete()
        Change.objects.all().delete()
    else:
        drop(sink, keys)
    found = compare(sink, batch_size=4)
    assert sorted(found.missing if side == "ClickHouse" else found.extra) == sorted(keys)
    assert len(found.missing) + len(found.stale) + len(found.extra) == 8
    assert found.objects == sink.manager.count()
    by_buckets = found.ranges == found.inspected
    assert by_buckets == (most == 8)


def test_a_part_of_the_keys_is_compared_by_ranges(clickhouse: ClickHouse) -> None:
    sink, keys = filled(clickhouse, ExternalIdSink, number=8)
    drop(sink, keys)
    upto = sink.manager.order_by("pk").values_list("pk", flat=True)[2]
    found = compare(sink, upto=upto)
    assert (found.ranges, len(found.missing)) == (1, 3)
    found = compare(sink, sample=1e-12)
    assert (found.compared, len(found.missing)) == (1, 8)


def test_nothing_on_either_side_is_equal(clickhouse: ClickHouse) -> None:
    assert compare(ExternalIdSink()) == Comparison("external_id")


def test_clickhouse_that_fails_is_said_to(clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse) -> None:
    sink, _keys = filled(clickhouse, ExternalIdSink)
    clickhouse_http.fail("503", match="sum(fingerprint)")
    with pytest.raises(Unavailable):
        compare(sink)


class Changing(ExternalIdSink):
    """Something happens before the source is read for the second time."""

    before_second_read: Callable[[], None]
    reads = 0

    def read(self, selection: Selection) -> Batch:
        self.reads += 1
        if self.reads == 2:
            self.before_second_read()
        return super().read(selection)


def bucket_of(pk: int) -> int:
    """The bucket of an external id, of four."""
    sink = ExternalIdSink()
    (number,) = fingerprints(sink.columns, sink.converted(sink.read(Selection(keys=[pk]))))
    return number % 4


def rename(external_id: Any, wanted: Callable[[int], bool]) -> None:
    """Rename the learner, without a signal, until the row is in a bucket that is wanted."""
    learner = User.objects.filter(pk=external_id.user_id)
    for number in range(1000):
        learner.update(username=f"renamed {external_id.pk} {number}")
        if wanted(bucket_of(external_id.pk)):
            return
    raise AssertionError("no name is in the bucket")


@pytest.mark.parametrize("looks", ["missing", "extra"])
def test_what_only_looks_missing_or_extra_is_stale(
    looks: str, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, BUCKETS=4)
    moved, gone = factories.make_external_id(), factories.make_external_id()
    inspected = bucket_of(gone.pk)

    def is_inspected(bucket: int) -> bool:
        return bucket == inspected

    def is_not_inspected(bucket: int) -> bool:
        return bucket != inspected

    # Only the bucket of the deleted row is inspected. The other row is equal at first. Then it moves into that bucket,
    # where ClickHouse does not have it, or out of it, where ClickHouse still has it.
    rename(moved, is_not_inspected if looks == "missing" else is_inspected)
    sink, _keys = written(clickhouse, Changing())
    drop(sink, [str(gone.external_user_id)])
    sink.reads = 0
    sink.before_second_read = lambda: rename(moved, is_inspected if looks == "missing" else is_not_inspected)

    found = compare(sink)
    assert (found.inspected, sink.reads > 2) == (1, True)
    assert found.stale == {str(moved.external_user_id): moved.pk}
    assert found.missing == {str(gone.external_user_id): gone.pk}
    assert found.extra == []
    repair(sink, found, prune=True)
    assert compare(sink).equal
    there = latest(clickhouse, "external_id", key="external_user_id")
    assert there[str(moved.external_user_id)]["username"].startswith("renamed")


def test_what_is_gone_by_then_is_extra(clickhouse: ClickHouse) -> None:
    sink, keys = filled(clickhouse, ExternalIdSink, number=8)
    alter(sink, keys[0], "username", "altered")

    class Deleting(ExternalIdSink):
        """The altered one is gone from the source before it is looked at again."""

        reads = 0

        def read(self, selection: Selection) -> Batch:
            if selection.keys is not None:
                sink.manager.filter(external_user_id=keys[0]).delete()
                Change.objects.all().delete()
            return super().read(selection)

    found = compare(Deleting())
    assert (found.extra, found.stale) == ([keys[0]], {})


@pytest.mark.parametrize("changed_again", [False, True])
def test_what_is_written_while_comparing_is_no_difference(changed_again: bool, clickhouse: ClickHouse) -> None:
    """And the source is read while ClickHouse is asked: it answers nothing before the change is written."""
    sink, keys = filled(clickhouse, ExternalIdSink, number=8)
    external_id = sink.manager.get(external_user_id=keys[0])
    learner = User.objects.filter(pk=external_id.user_id)
    has_changed = threading.Event()

    class Meanwhile(ExternalIdSink):
        """After its first read an id changes, and is written: the comparison holds an older state."""

        reads = 0

        @property
        def clickhouse(self) -> ClickHouse:
            if threading.current_thread() is not threading.main_thread():
                assert has_changed.wait(30)
            return super().clickhouse

        def read(self, selection: Selection) -> Batch:
            batch = super().read(selection)
            Meanwhile.reads += 1
            if Meanwhile.reads == 1:
                learner.update(username="renamed")
                write_and_clean_up(sink, sink.read(Selection(keys=[external_id.pk])), take_stamp(sink.name))
                if changed_again:
                    learner.update(username="renamed again")
                has_changed.set()
            return batch

    found = compare(Meanwhile())
    assert 1 <= found.inspected <= 2
    assert found.equal


def test_changes_that_are_still_to_be_delivered_are_no_difference(clickhouse: ClickHouse) -> None:
    sink, keys = filled(clickhouse, ExternalIdSink, number=8)
    external_id = sink.manager.get(external_user_id=keys[0])
    User.objects.filter(pk=external_id.user_id).update(username="renamed")
    outbox.record(sink.name, [external_id.pk])
    assert compare(sink).equal
    Change.objects.all().delete()
    assert list(compare(sink).stale) == [keys[0]]
