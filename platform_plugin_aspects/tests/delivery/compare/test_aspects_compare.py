"""Comparing source and ClickHouse: fingerprints alike on both sides, each kind of difference named and repaired."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.compare import Comparison, compare, repair
from platform_plugin_aspects.delivery.compare.fingerprint import ESCAPE, SEPARATOR, expression, fingerprints, total
from platform_plugin_aspects.delivery.isolate import write_and_clean_up
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import (
    Batch,
    CourseEnrollmentSink,
    CourseOverviewSink,
    ExternalIdSink,
    ModelBaseSink,
    ObjectTagSink,
    Selection,
    TagSink,
    TaxonomySink,
    UserProfileSink,
    XBlockSink,
)
from platform_plugin_aspects.sinks.column import Column, Uuid
from platform_plugin_aspects.tests.commands import ended, run
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.properties import examples

pytestmark = pytest.mark.django_db


def _eight(make: Callable[[], Any]) -> None:
    for _ in range(8):
        make()


def _object_tags() -> None:
    tag = factories.make_tag()
    for number in range(8):
        factories.make_object_tag(f"course-v1:A+B+{number}", tag)


#: Per sink, what makes eight objects of it, and a text column to alter.
SOURCES: dict[type[ModelBaseSink], tuple[Callable[[], None], str]] = {
    UserProfileSink: (lambda: _eight(factories.make_user), "name"),
    ExternalIdSink: (lambda: _eight(factories.make_external_id), "username"),
    CourseEnrollmentSink: (lambda: _eight(factories.make_enrollment), "created"),
    TaxonomySink: (lambda: _eight(factories.make_taxonomy), "name"),
    TagSink: (lambda: _eight(factories.make_tag), "value"),
    ObjectTagSink: (_object_tags, "_value"),
    CourseOverviewSink: (lambda: _eight(factories.make_course), "display_name"),
}
every_sink = pytest.mark.parametrize("sink_class", SOURCES, ids=[sink.name for sink in SOURCES])


def _fill(sink_class: type[ModelBaseSink]) -> ModelBaseSink:
    """Objects in the source, and all of them in ClickHouse."""
    SOURCES[sink_class][0]()
    Change.objects.all().delete()
    sink = sink_class()
    backfill(sink, Walk(force=True), Summary())
    return sink


def _replace(sink: ModelBaseSink, key: Any, column: str, value: str, time: str) -> None:
    """Insert the latest row of ``key`` again, with another value and time, as somebody might by hand."""
    client = sink.clickhouse
    type_ = next(each.type for each in sink.columns if each.name == sink.key_column)
    client.command(
        f"INSERT INTO {client.qualified(sink.table.name)} "
        f"SELECT * REPLACE ({value} AS `{column}`, {{time:String}} AS time_last_dumped) FROM "
        f"(SELECT * FROM {client.qualified(sink.table.name)} WHERE {sink.key_column} = {{key:{type_}}} "
        "ORDER BY time_last_dumped DESC LIMIT 1)",
        {"key": key, "time": time},
    )


@every_sink
def test_what_was_just_written_is_equal(sink_class: type[ModelBaseSink], clickhouse: ClickHouse) -> None:
    sink = _fill(sink_class)
    found = compare(sink, batch_size=3)
    assert found.equal
    assert (found.inspected, found.objects) == (0, sink.manager.count())
    # External ids are compared by buckets of the fingerprint: two of the eight may share one.
    assert found.ranges == found.objects // 3 + 1 or (sink_class is ExternalIdSink and found.ranges <= 8)


@every_sink
def test_rows_deleted_altered_and_added_by_hand_are_named_and_repaired(
    sink_class: type[ModelBaseSink], clickhouse: ClickHouse
) -> None:
    sink = _fill(sink_class)
    keys = [row[sink.key_column] for row in rows(clickhouse, sink.table.name, order=sink.key_column)][-8:]
    key_type = next(each.type for each in sink.columns if each.name == sink.key_column)
    stamp = rows(clickhouse, sink.table.name)[-1]["time_last_dumped"]
    later = stamp[:-6] + "1+00:00"
    clickhouse.delete(sink.table.name, sink.key_column, key_type, keys[:3])
    for key in keys[3:5]:
        _replace(sink, key, SOURCES[sink_class][1], "'altered'", later)
    added = {"UUID": "generateUUIDv4()", "Int32": "toInt32(999999)", "String": "'course-v1:No+Such+Course'"}[key_type]
    _replace(sink, keys[7], sink.key_column, added, stamp)

    found = compare(sink)
    assert sorted(found.missing) == sorted(keys[:3])
    assert sorted(found.stale) == sorted(keys[3:5])
    assert len(found.extra) == 1
    assert found.extra[0] not in keys

    outcome = repair(sink, found, prune=True)
    assert not outcome.rejected
    again = compare(sink)
    ranges = again.ranges
    assert again == Comparison(sink.name, objects=sink.manager.count(), ranges=ranges, compared=ranges)


def test_without_pruning_what_is_extra_stays(clickhouse: ClickHouse) -> None:
    sink = _fill(TaxonomySink)
    key = rows(clickhouse, "taxonomy")[-1]["id"]
    _replace(sink, key, "id", "toInt32(5000)", "2026")
    found = compare(sink)
    repair(sink, found)
    assert compare(sink).extra == [5000]


def test_a_course_differs_by_a_block(clickhouse: ClickHouse) -> None:
    sink = _fill(CourseOverviewSink)
    course_key, other = (row["course_key"] for row in rows(clickhouse, "course_overviews")[:2])
    blocks = clickhouse.qualified("course_blocks")
    clickhouse.command(
        f"ALTER TABLE {blocks} DELETE WHERE course_key = {{key:String}} AND order = 2 SETTINGS mutations_sync = 2",
        {"key": course_key},
    )
    assert list(compare(sink).stale) == [course_key]
    key = sink.parse_key(other)
    modulestore().edit_course(key, display_name="Published, and not dumped since")
    factories.publish_course(key, loudly=False)
    assert sorted(compare(sink).stale) == sorted([course_key, other])


def _courses_in(clickhouse: ClickHouse, table: str) -> set[str]:
    return {row["course_key"] for row in rows(clickhouse, table)}


def test_pruning_a_deleted_course_takes_its_blocks(all_on: None, clickhouse: ClickHouse) -> None:
    sink = _fill(CourseOverviewSink)
    gone, *others = sorted(_courses_in(clickhouse, "course_overviews"))
    modulestore().delete_course(sink.parse_key(gone), user_id=1)
    assert compare(sink).extra == [gone]
    code, output = compare_by_hand(object="course_overviews", repair=True, prune=True)
    assert "course_overviews: 0 written, 1 deleted" in output
    assert (code, output.splitlines()[-1]) == (0, "equal")
    assert _courses_in(clickhouse, "course_overviews") == set(others)
    assert _courses_in(clickhouse, "course_blocks") == set(others)


@pytest.mark.parametrize("in_range", [False, True])
def test_blocks_without_a_course_are_extra(in_range: bool, all_on: None, clickhouse: ClickHouse) -> None:
    sink = _fill(CourseOverviewSink)
    gone, *others = sorted(_courses_in(clickhouse, "course_overviews"))
    modulestore().delete_course(sink.parse_key(gone), user_id=1)
    clickhouse.delete("course_overviews", "course_key", "String", [gone])
    bounds = {"range": ["course-v1:A+A+A", others[2]]} if in_range else {}
    code, output = compare_by_hand(object="course_overviews", **bounds)
    assert code == 1
    assert f"course_overviews extra: {gone}" in output
    assert compare_by_hand(object="course_overviews", repair=True, prune=True, **bounds)[0] == 0
    assert _courses_in(clickhouse, "course_blocks") == set(others)


def test_a_course_of_which_only_the_blocks_arrived_is_missing(clickhouse: ClickHouse) -> None:
    sink = _fill(CourseOverviewSink)
    course_key = min(_courses_in(clickhouse, "course_overviews"))
    clickhouse.delete("course_overviews", "course_key", "String", [course_key])
    found = compare(sink)
    assert (list(found.missing), found.stale, found.extra) == ([course_key], {}, [])
    repair(sink, found)
    assert compare(sink).equal


def test_changes_that_are_still_to_be_delivered_are_no_difference(all_on: None, clickhouse: ClickHouse) -> None:
    sink = _fill(UserProfileSink)
    profile = sink.manager.order_by("pk").last()
    profile.name = "Renamed"
    profile.save()
    assert Change.objects.filter(sink="user_profile").count() == 1
    assert compare(sink).equal
    Change.objects.all().delete()
    assert list(compare(sink).stale) == [profile.pk]


@pytest.mark.parametrize("changed_again", [False, True])
def test_what_is_written_while_comparing_is_no_difference(changed_again: bool, clickhouse: ClickHouse) -> None:
    sink = _fill(UserProfileSink)
    profile = sink.manager.filter(pk=sink.manager.order_by("pk").first().pk)
    begun_before = take_stamp(sink.name)

    class Meanwhile(UserProfileSink):
        """After its first read the profile changes, and is written: the comparison holds an older state."""

        reads = 0

        def read(self, selection: Selection) -> Batch:
            batch = super().read(selection)
            Meanwhile.reads += 1
            if Meanwhile.reads == 1:
                profile.update(name="Renamed")
                now = sink.read(Selection(keys=[profile.get().pk]))
                write_and_clean_up(sink, now, take_stamp(sink.name) if changed_again else begun_before)
                if changed_again:
                    profile.update(name="Renamed again")
            return batch

    found = compare(Meanwhile())
    assert (found.inspected, found.equal) == (1, True)


def test_the_next_range_is_read_while_clickhouse_is_asked(clickhouse: ClickHouse) -> None:
    read_on = threading.Event()

    class Slow(UserProfileSink):
        """Nothing is asked of ClickHouse before the second range is read."""

        reads = 0

        @property
        def clickhouse(self) -> ClickHouse:
            assert read_on.wait(30)
            return super().clickhouse

        def read(self, selection: Selection) -> Batch:
            Slow.reads += 1
            if Slow.reads == 2:
                read_on.set()
            return super().read(selection)

    _fill(UserProfileSink)
    assert compare(Slow(), batch_size=2).equal


def test_a_range_of_keys(clickhouse: ClickHouse) -> None:
    sink = _fill(UserProfileSink)
    keys = list(sink.manager.order_by("pk").values_list("pk", flat=True))
    clickhouse.delete("user_profile", "id", "Int32", keys)
    assert list(compare(sink, after=keys[1], upto=keys[4]).missing) == keys[2:5]


def test_a_sample_looks_at_some_ranges_and_at_one_at_least(clickhouse: ClickHouse) -> None:
    sink = _fill(UserProfileSink)
    found = compare(sink, sample=1e-12, batch_size=2)
    assert (found.ranges, found.compared, found.objects, found.equal) == (5, 1, 2, True)
    clickhouse.delete("user_profile", "id", "Int32", list(sink.manager.values_list("pk", flat=True)))
    found = compare(sink, sample=1e-12, batch_size=2)
    assert len(found.missing) == 2


def test_no_content_leaves_clickhouse_when_all_is_equal(
    clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse
) -> None:
    sink = _fill(UserProfileSink)
    clickhouse_http.clear()
    assert compare(sink).equal
    selects = [each.statement for each in clickhouse_http.requests if "user_profile" in each.statement]
    assert len(selects) == 1
    assert selects[0].startswith("SELECT count(), sum(fingerprint)")


# Fingerprints

texts = st.text(st.characters(exclude_categories=["Cs"]))
texts |= st.text(st.sampled_from([SEPARATOR.decode(), ESCAPE.decode(), "0", "1"]))
COLUMNS = (
    Column("id", "Int32"),
    Column("name", "String"),
    Column("mode", "LowCardinality(String)"),
    Column("active", "Bool"),
    Column("key", "UUID"),
    Column("digits", "UUID", Uuid()),
    Column("other", "String"),
)
values = st.tuples(
    *(st.integers(-(2**31), 2**31 - 1), texts, texts, st.booleans(), st.uuids()),
    *(
        st.uuids().map(str) | st.uuids().map(lambda each: each.hex) | st.uuids().map(lambda each: str(each).upper()),
        texts,
    ),
)


@settings(max_examples=examples(25))
@given(data=st.lists(values, min_size=1, max_size=40))
def test_fingerprints_are_alike_on_both_sides(data: list[tuple[Any, ...]], clickhouse: ClickHouse) -> None:
    database = clickhouse.connection.database
    clickhouse.command(f"DROP TABLE IF EXISTS {database}.print SYNC")
    columns = ", ".join(f"`{column.name}` {column.type}" for column in COLUMNS)
    clickhouse.command(f"CREATE TABLE {database}.print (position Int32, {columns}) ENGINE = Memory")
    by_column = list(zip(*data, strict=True))
    clickhouse.insert(
        "print",
        [("position", "Int32"), *((column.name, column.wire_type) for column in COLUMNS)],
        [range(len(data)), *by_column],
    )
    there = clickhouse.select(f"SELECT {expression(COLUMNS)} FROM {database}.print ORDER BY position")
    here = fingerprints(COLUMNS, by_column)
    assert [row[0] for row in there] == list(here)
    assert clickhouse.select(f"SELECT sum({expression(COLUMNS)}) FROM {database}.print")[0][0] == total(here)


@settings(max_examples=examples(200))
@given(one=st.tuples(texts, texts), other=st.tuples(texts, texts))
def test_rows_that_differ_have_other_fingerprints(one: tuple[str, str], other: tuple[str, str]) -> None:
    columns = (COLUMNS[1], COLUMNS[-1])
    (first, second) = fingerprints(columns, list(zip(one, other, strict=True)))
    assert (first == second) == (one == other)


# The command


def compare_by_hand(**options: Any) -> tuple[int, str]:
    """The exit code of aspects_compare, and its output or else its message."""
    code, out, err = ended("aspects_compare", **options)
    return code, out or err


def test_the_command_says_equal_then_different_then_repairs(all_on: None, clickhouse: ClickHouse) -> None:
    sink = _fill(TaxonomySink)
    assert compare_by_hand(object="taxonomy")[0] == 0
    gone = rows(clickhouse, "taxonomy")[-1]["id"]
    clickhouse.delete("taxonomy", "id", "Int32", [gone])
    code, output = compare_by_hand(object="taxonomy")
    assert code == 1
    assert f"taxonomy missing: {gone}" in output
    code, output = compare_by_hand(object="taxonomy", json=True)
    assert code == 1
    (data,) = json.loads(output)
    assert data["missing"] == [str(gone)]
    assert data["equal"] is False
    code, output = compare_by_hand(object="taxonomy", repair=True)
    assert code == 0
    assert "taxonomy: 1 written, 0 deleted" in output
    assert compare(sink).equal


def test_the_command_compares_everything_that_is_on(all_on: None, clickhouse: ClickHouse) -> None:
    run("dump_data_to_clickhouse", object="all")
    code, output = compare_by_hand(object="all")
    assert code == 0
    for sink in SOURCES:
        assert sink.name in output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"object": "nonsense"}, "There is no object 'nonsense'"),
        (
            {"object": "xapi"},
            "load the platform's tracking logs with `python manage.py cms aspects_load_tracking_logs`",
        ),
        ({"object": "tag", "prune": True}, "--prune goes with --repair"),
        ({"object": "tag", "sample": 0.0}, "--sample 0.0"),
        ({"object": "tag", "batch_size": 0}, "--batch_size 0"),
        ({"object": "all", "range": ["1", "2"]}, "--range names keys"),
        ({"object": "tag", "range": ["a", "2"]}, "'a' is not a key of tag"),
        ({"object": "tag", "range": ["100", "50"]}, "--range 100 50: AFTER must be less than UPTO"),
        ({"object": "tag", "range": ["50", "50"]}, "--range 50 50: AFTER must be less than UPTO"),
        (
            {"object": "course_overviews", "range": ["course-v1:b+B+B", "course-v1:A+A+A"]},
            "--range course-v1:b+B+B course-v1:A+A+A: AFTER must be less than UPTO",
        ),
        ({"object": "tag", "url": "nonsense"}, "neither http"),
        ({"object": "tag", "url": ""}, "--url is empty: give a value, or leave the option out"),
        ({"object": "tag", "username": ""}, "--username is empty"),
        ({"object": "tag", "database": ""}, "--database is empty"),
        ({"object": "tag", "database": "nowhere"}, "aspects_create_tables"),
    ],
)
def test_what_cannot_be_compared_ends_with_exit_code_2(
    options: dict[str, Any], words: str, all_on: None, clickhouse: ClickHouse
) -> None:
    code, output = compare_by_hand(**options)
    assert code == 2
    assert words in output


def test_the_last_line_says_what_was_compared(all_on: None, clickhouse: ClickHouse) -> None:
    sink = _fill(TaxonomySink)
    keys = sorted(row["id"] for row in rows(clickhouse, "taxonomy"))
    assert compare_by_hand(object="taxonomy")[1].splitlines()[-1] == "equal"
    assert compare_by_hand(object="taxonomy", range=["0", "9"])[1].splitlines()[-1] == "equal in this range"
    code, output = compare_by_hand(object="taxonomy", sample=1e-12, batch_size=3)
    assert code == 0
    assert output.splitlines()[-1] == "equal in the 1 of 4 ranges that were compared"
    random.seed(2)
    code, output = compare_by_hand(object="taxonomy", sample=0.5, batch_size=3)
    assert code == 0
    assert output.splitlines()[1].split()[:5] == ["taxonomy", "3", "2", "of", "4"]
    assert output.splitlines()[-1] == "equal in the 2 of 4 ranges that were compared"

    clickhouse.delete("taxonomy", "id", "Int32", [keys[0]])
    advice = "different: write what is missing or stale with --repair"
    assert compare_by_hand(object="taxonomy")[1].splitlines()[-1] == advice
    _replace(sink, keys[1], "id", "toInt32(5000)", "2026")
    both = f"{advice}, and delete what is extra with --repair --prune"
    assert compare_by_hand(object="taxonomy")[1].splitlines()[-1] == both
    extra = "different: delete what is extra with --repair --prune"
    assert compare_by_hand(object="taxonomy", repair=True)[1].splitlines()[-1] == extra
    assert compare_by_hand(object="taxonomy", repair=True, prune=True)[1].splitlines()[-1] == "equal"


def test_what_cannot_be_repaired_is_not_sent_to_repair(all_on: None, clickhouse: ClickHouse) -> None:
    _fill(TaxonomySink)
    factories.make_taxonomy(id=2**31 + 5)
    Change.objects.all().delete()
    code, output = compare_by_hand(object="taxonomy", repair=True)
    assert code == 1
    assert f"\ntaxonomy {2**31 + 5} cannot be written: " in output
    assert output.splitlines()[-1] == "different: what is still missing or stale could not be written, or changed again"


def test_blocks_are_compared_with_their_courses_only() -> None:
    assert not XBlockSink.has_objects
