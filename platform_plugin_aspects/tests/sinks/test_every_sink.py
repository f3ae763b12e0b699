"""The standard tests of every sink that writes: one case per sink, the same tests for all."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Rejected
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.sinks import (
    Batch,
    CourseEnrollmentSink,
    CourseOverviewSink,
    ExternalIdSink,
    ModelBaseSink,
    ObjectTagSink,
    Selection,
    StatementSink,
    TagSink,
    TaxonomySink,
    UserProfileSink,
    UserRetirementSink,
    XBlockSink,
)
from platform_plugin_aspects.sinks.registry import BUILT_IN
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.factories import utc
from test_utils.retirement import request_retirement

pytestmark = pytest.mark.django_db

STAMP = utc(2026, 3, 1, 12, 0, 0, 5)
LATER = STAMP + timedelta(seconds=1)
COURSE = "course-v1:Org+Course+2026"
FIRST_ID = "8d1b1b6e-6e0b-4b0c-9f0a-1c2d3e4f5a6b"


def columns(**names_by_type: str) -> dict[str, str]:
    """{column: type} of ``String="a b", Int32="c"``, in order; an underscore with a number tells two runs apart."""
    types = {"Low": "LowCardinality(String)"}
    return {
        name: types.get(run.split("_")[0], run.split("_")[0])
        for run, names in names_by_type.items()
        for name in names.split()
    }


@dataclass(frozen=True)
class Shape:
    """A table as shared/clickhouse.md says."""

    columns: dict[str, str]
    sorting_key: str
    primary_key: str = ""
    partition_key: str = ""


SHAPES = {
    "course_overviews": Shape(
        columns(
            String="org course_key display_name course_start course_end enrollment_start enrollment_end",
            Bool="self_paced",
            String_2="course_data_json created modified",
            UUID="dump_id",
            String_3="time_last_dumped",
        ),
        "org, course_key, modified, time_last_dumped",
    ),
    "course_blocks": Shape(
        columns(
            String="org course_key location display_name xblock_data_json",
            Int32="order",
            String_2="edited_on",
            UUID="dump_id",
            String_3="time_last_dumped",
        ),
        "org, course_key, location, edited_on, order",
        primary_key="org, course_key, location, edited_on",
    ),
    "user_profile": Shape(
        columns(
            Int32="id user_id",
            String="name username email meta courseware language location year_of_birth gender level_of_education "
            "mailing_address city country state goals bio profile_image_uploaded_at phone_number",
            UUID="dump_id",
            String_2="time_last_dumped",
        ),
        "id, time_last_dumped",
        partition_key="user_id % 100",
    ),
    "external_id": Shape(
        columns(
            UUID="external_user_id",
            String="external_id_type username",
            Int32="user_id",
            UUID_2="dump_id",
            String_2="time_last_dumped",
        ),
        "external_user_id, time_last_dumped",
        partition_key="user_id % 100",
    ),
    "course_enrollment": Shape(
        columns(
            Int32="id",
            String="course_key created",
            Bool="is_active",
            Low="mode",
            String_2="username",
            Int32_2="user_id",
            UUID="dump_id",
            String_3="time_last_dumped",
        ),
        "course_key, user_id, time_last_dumped",
    ),
    "tag": Shape(
        columns(
            Int32="id taxonomy parent",
            String="value external_id lineage",
            UUID="dump_id",
            String_2="time_last_dumped",
        ),
        "id, time_last_dumped",
    ),
    "taxonomy": Shape(
        columns(Int32="id", String="name", UUID="dump_id", String_2="time_last_dumped"), "id, time_last_dumped"
    ),
    "object_tag": Shape(
        columns(
            Int32="id",
            String="object_id",
            Int32_2="taxonomy tag",
            String_2="_value _export_id lineage",
            UUID="dump_id",
            String_3="time_last_dumped",
        ),
        "id, time_last_dumped",
    ),
    "load_test_runs": Shape(
        columns(String="run_id", DateTime="timestamp", String_2="event_type extra"), "run_id, timestamp"
    ),
    "load_test_stats": Shape(columns(String="run_id", DateTime="timestamp", String_2="stats"), "run_id, timestamp"),
}


@dataclass(frozen=True)
class Case:
    """How to make one object of a sink with every column set and one with what may be null left null, what its rows
    are then, and how to change and delete it."""

    sink: type[ModelBaseSink]
    make: Callable[[], models.Model]
    golden: dict[str, Any]
    make_empty: Callable[[], models.Model]
    empty: dict[str, Any]
    change: dict[str, Any]
    changed: dict[str, Any]
    key_text: str
    bad_keys: tuple[str, ...] = ("one", "", "1.5")
    key: str = field(default="id")


def _learner(**columns: Any) -> User:
    return factories.make_user("läufer", id=71, email="l@example.invalid", profile=False, **columns)


def _profile() -> UserProfile:
    return factories.make_profile(
        _learner(),
        id=81,
        name="Zoë «the fast»",
        meta='{"session_id": "k3y", "old_names": []}',
        language="de",
        location="Köln",
        year_of_birth=1984,
        gender="f",
        level_of_education="hs",
        mailing_address="Street 1\n50667 Köln",
        city="Köln",
        country="DE",
        state="NW",
        goals="learn",
        bio="one\ttwo",
        profile_image_uploaded_at=utc(2026, 1, 1, 10, 0, 0, 123456),
        phone_number="+49 221 0",
    )


def _course() -> CourseOverview:
    factories.make_overview(
        COURSE,
        display_name="Köchin & Koch",
        start=utc(2026, 1, 1, 10),
        end=utc(2026, 6, 1, 10, 0, 0, 5),
        enrollment_start=utc(2025, 12, 1),
        enrollment_end=utc(2026, 5, 1, 0, 0, 0, 500000),
        advertised_start="soon",
        announcement=utc(2025, 11, 1),
        lowest_passing_grade="0.55",
        invitation_only=True,
        max_student_enrollments_allowed=30,
        effort="2 h",
        self_paced=True,
        enable_proctored_exams=True,
        entrance_exam_enabled=True,
        external_id="x-1",
        language="de",
    )
    return _without_clock(COURSE)


def _without_clock(course_key: str) -> CourseOverview:
    CourseOverview.objects.filter(pk=course_key).update(created=utc(2025, 1, 1), modified=utc(2025, 1, 2, 3, 4, 5, 6))
    return CourseOverview.objects.get(pk=course_key)


def _empty_course() -> CourseOverview:
    factories.make_overview(COURSE, org="", lowest_passing_grade=None)
    return _without_clock(COURSE)


def _tag(**columns: Any) -> Any:
    taxonomy = factories.make_taxonomy("Skills", id=5)
    parent = factories.make_tag(taxonomy, "Körper", id=30)
    return factories.make_tag(taxonomy, 'Mut "x"', parent=parent, id=31, external_id="ext-31")


def _root_tag() -> Any:
    return factories.make_tag(factories.make_taxonomy("Skills", id=5), "alone", id=31)


def _object_tag() -> Any:
    tag = _tag()
    found = factories.make_object_tag(COURSE, tag)
    type(found).objects.filter(pk=found.pk).update(id=41, _export_id="skills")
    return type(found).objects.get(pk=41)


def _free_text() -> Any:
    taxonomy = factories.make_taxonomy("Free", id=6, free_text=True)
    found = factories.make_object_tag(COURSE, taxonomy=taxonomy, value="frei")
    type(found).objects.filter(pk=found.pk).update(id=41, taxonomy=None, _export_id="gone")
    return type(found).objects.get(pk=41)


def _enrollment(**columns: Any) -> CourseEnrollment:
    enrollment = factories.make_enrollment(_learner(), CourseKey.from_string(COURSE), mode="verified", is_active=False)
    CourseEnrollment.objects.filter(pk=enrollment.pk).update(id=91, created=columns.get("created"))
    return CourseEnrollment.objects.get(pk=91)


NO_DATA = {
    **dict.fromkeys(("advertised_start", "announcement", "lowest_passing_grade")),
    "invitation_only": False,
    **dict.fromkeys(("max_student_enrollments_allowed", "effort")),
    "enable_proctored_exams": False,
    "entrance_exam_enabled": False,
    **dict.fromkeys(("external_id", "language")),
    "tags": [],
}
CASES = {
    case.sink.name: case
    for case in (
        Case(
            UserProfileSink,
            _profile,
            {
                "id": 81,
                "user_id": 71,
                "name": "Zoë «the fast»",
                "username": "läufer",
                "email": "l@example.invalid",
                "meta": '{"old_names": []}',
                "courseware": "course.xml",
                "language": "de",
                "location": "Köln",
                "year_of_birth": "1984",
                "gender": "f",
                "level_of_education": "hs",
                "mailing_address": "Street 1\n50667 Köln",
                "city": "Köln",
                "country": "DE",
                "state": "NW",
                "goals": "learn",
                "bio": "one\ttwo",
                "profile_image_uploaded_at": "2026-01-01T10:00:00.123456Z",
                "phone_number": "+49 221 0",
            },
            lambda: factories.make_profile(_learner(), id=81, name=""),
            {
                "id": 81,
                "user_id": 71,
                "username": "läufer",
                "email": "l@example.invalid",
                "courseware": "course.xml",
                **dict.fromkeys(("name", "meta", "language", "location", "year_of_birth", "gender"), ""),
                **dict.fromkeys(("level_of_education", "mailing_address", "city", "country", "state"), ""),
                **dict.fromkeys(("goals", "bio", "profile_image_uploaded_at", "phone_number"), ""),
            },
            {"bio": "NULL"},
            {"bio": "NULL"},
            "81",
        ),
        Case(
            ExternalIdSink,
            lambda: factories.make_external_id(_learner(), "lti", external_user_id=uuid.UUID(FIRST_ID)),
            {
                "external_user_id": FIRST_ID,
                "external_id_type": "lti",
                "username": "läufer",
                "user_id": 71,
            },
            lambda: factories.make_external_id(_learner(), "xapi", external_user_id=uuid.UUID(int=0)),
            {
                "external_user_id": str(uuid.UUID(int=0)),
                "external_id_type": "xapi",
                "username": "läufer",
                "user_id": 71,
            },
            {"external_id_type": "caliper"},
            {"external_id_type": "caliper"},
            "1",
            key="external_user_id",
        ),
        Case(
            CourseEnrollmentSink,
            lambda: _enrollment(created=utc(2026, 2, 3, 4, 5, 6)),
            {
                "id": 91,
                "course_key": COURSE,
                "created": "2026-02-03T04:05:06Z",
                "is_active": False,
                "mode": "verified",
                "username": "läufer",
                "user_id": 71,
            },
            _enrollment,
            {
                "id": 91,
                "course_key": COURSE,
                "created": "",
                "is_active": False,
                "mode": "verified",
                "username": "läufer",
                "user_id": 71,
            },
            {"is_active": True, "mode": "no-id-professional"},
            {"is_active": True, "mode": "no-id-professional"},
            "91",
        ),
        Case(
            TaxonomySink,
            lambda: factories.make_taxonomy("Skills & «more»", id=5),
            {"id": 5, "name": "Skills & «more»"},
            lambda: factories.make_taxonomy("\\N", id=5),
            {"id": 5, "name": "\\N"},
            {"name": "NULL"},
            {"name": "NULL"},
            "5",
        ),
        Case(
            TagSink,
            _tag,
            {
                "id": 31,
                "taxonomy": 5,
                "parent": 30,
                "value": 'Mut "x"',
                "external_id": "ext-31",
                "lineage": '["K\\u00f6rper", "Mut \\"x\\""]',
            },
            _root_tag,
            {"id": 31, "taxonomy": 5, "parent": 0, "value": "alone", "external_id": "", "lineage": '["alone"]'},
            {"value": "new", "parent": None},
            {"value": "new", "parent": 0, "lineage": '["new"]'},
            "31",
        ),
        Case(
            ObjectTagSink,
            _object_tag,
            {
                "id": 41,
                "object_id": COURSE,
                "taxonomy": 5,
                "tag": 31,
                "_value": 'Mut "x"',
                "_export_id": "skills",
                "lineage": '["K\\u00f6rper", "Mut \\"x\\""]',
            },
            _free_text,
            {
                "id": 41,
                "object_id": COURSE,
                "taxonomy": 0,
                "tag": 0,
                "_value": "frei",
                "_export_id": "gone",
                "lineage": '["frei"]',
            },
            {"tag": None, "_value": "kept"},
            {"tag": 0, "_value": "kept", "lineage": '["kept"]'},
            "41",
        ),
        Case(
            CourseOverviewSink,
            _course,
            {
                "org": "Org",
                "course_key": COURSE,
                "display_name": "Köchin & Koch",
                "course_start": "2026-01-01 10:00:00+00:00",
                "course_end": "2026-06-01 10:00:00.000005+00:00",
                "enrollment_start": "2025-12-01T00:00:00Z",
                "enrollment_end": "2026-05-01T00:00:00.500000Z",
                "self_paced": True,
                "course_data_json": json.dumps(
                    {
                        "advertised_start": "soon",
                        "announcement": "2025-11-01T00:00:00+00:00",
                        "lowest_passing_grade": 0.55,
                        "invitation_only": True,
                        "max_student_enrollments_allowed": 30,
                        "effort": "2 h",
                        "enable_proctored_exams": True,
                        "entrance_exam_enabled": True,
                        "external_id": "x-1",
                        "language": "de",
                        "tags": [],
                    }
                ),
                "created": "2025-01-01T00:00:00Z",
                "modified": "2025-01-02T03:04:05.000006Z",
            },
            _empty_course,
            {
                **dict.fromkeys(("org", "display_name", "course_start", "course_end"), ""),
                **dict.fromkeys(("enrollment_start", "enrollment_end"), ""),
                "course_key": COURSE,
                "self_paced": False,
                "course_data_json": json.dumps(NO_DATA),
                "created": "2025-01-01T00:00:00Z",
                "modified": "2025-01-02T03:04:05.000006Z",
            },
            {"display_name": "another", "modified": utc(2026, 1, 1)},
            {"display_name": "another", "modified": "2026-01-01T00:00:00Z"},
            COURSE,
            bad_keys=("", "71", "block-v1:Org+Course+2026+type@html+block@a"),
            key="course_key",
        ),
    )
}
each_sink = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_table = pytest.mark.parametrize("table", all_tables(), ids=lambda table: table.name)


def write(case: Case, *keys: Any, stamp: Any = STAMP) -> Any:
    sink = case.sink()
    return sink.write(sink.read(Selection(keys=keys)), stamp)


def changed_batch(sink: ModelBaseSink, key: Any, source: str, value: Any) -> Batch:
    """The object ``key`` as read, but for the value of one source."""
    batch = sink.read(Selection(keys=[key]))
    return Batch(batch.keys, {**batch.columns, **{path: [[]] for path in sink.computed}, source: [value]})


def test_every_sink_has_a_case() -> None:
    assert set(CASES) == {sink.name for sink in BUILT_IN} - {UserRetirementSink.name, StatementSink.name}


# Tables


def test_every_table_has_its_shape() -> None:
    assert {table.name for table in all_tables()} == set(SHAPES)


@each_table
def test_columns_order_and_types(table: Table, clickhouse: ClickHouse) -> None:
    expected = list(SHAPES[table.name].columns.items())
    assert [(column.name, column.type) for column in table.columns] == expected
    assert clickhouse.columns()[table.name] == expected


@each_table
def test_keys_partition_and_engine(table: Table, clickhouse: ClickHouse) -> None:
    shape = SHAPES[table.name]
    ((engine_full, *found),) = clickhouse.select(
        "SELECT engine_full, engine, sorting_key, primary_key, partition_key FROM system.tables "
        "WHERE database = {database:String} AND name = {name:String}",
        {"database": clickhouse.connection.database, "name": table.name},
    )
    expected_key = shape.primary_key or shape.sorting_key
    assert found == ["ReplacingMergeTree", shape.sorting_key, expected_key, shape.partition_key]
    # Without a version column: a table is a log of states.
    assert engine_full.startswith("ReplacingMergeTree ")


@each_table
def test_ddl_on_a_cluster(table: Table) -> None:
    plain = table.create_statement("event_sink")
    assert plain.startswith(f"CREATE TABLE IF NOT EXISTS `event_sink`.`{table.name}`\n")
    assert "CLUSTER" not in plain
    assert "Replicated" not in plain
    on_cluster = table.create_statement("event_sink", "one`two")
    assert f"`event_sink`.`{table.name}` ON CLUSTER `one\\`two`\n" in on_cluster
    assert "\nENGINE = ReplicatedReplacingMergeTree\n" in on_cluster
    assert on_cluster.replace(" ON CLUSTER `one\\`two`", "").replace("ReplicatedReplacing", "Replacing") == plain


# Rows


@each_sink
def test_golden_row(case: Case, clickhouse: ClickHouse) -> None:
    written = write(case, case.make().pk)
    assert written.rows[case.sink.name] == 1
    (row,) = rows(clickhouse, case.sink.name)
    assert uuid.UUID(row.pop("dump_id")).version == 4
    assert row.pop("time_last_dumped") == "2026-03-01 12:00:00.000005+00:00"
    assert row == case.golden
    assert list(row) == list(SHAPES[case.sink.name].columns)[:-2]


@each_sink
def test_nulls_and_defaults(case: Case, clickhouse: ClickHouse) -> None:
    write(case, case.make_empty().pk)
    (row,) = rows(clickhouse, case.sink.name)
    assert {name: value for name, value in row.items() if name in case.empty} == case.empty


@each_sink
def test_round_trip_over_http_as_the_restricted_user(case: Case, clickhouse_http: ClickHouseEndpoint) -> None:
    write(case, case.make().pk)
    sink = case.sink()
    row = latest(sink.clickhouse, case.sink.name, case.key)[case.golden[case.key]]
    assert {name: row[name] for name in case.golden} == case.golden


@each_sink
def test_a_later_write_wins(case: Case, clickhouse: ClickHouse) -> None:
    instance = case.make()
    write(case, instance.pk)
    change = dict(case.change)
    if "external_id_type" in change:
        change["external_id_type"] = factories.make_external_id_type(change["external_id_type"])
    type(instance)._default_manager.filter(pk=instance.pk).update(**change)
    write(case, instance.pk, stamp=LATER)
    row = latest(clickhouse, case.sink.name, case.key)[case.golden[case.key]]
    assert {name: row[name] for name in case.golden} == case.golden | case.changed
    assert len({row["dump_id"] for row in rows(clickhouse, case.sink.name)}) == 2


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case.sink is not ExternalIdSink], ids=lambda case: case.sink.name
)
def test_delete_takes_all_states_of_the_object_and_nothing_else(case: Case, clickhouse: ClickHouse) -> None:
    instance = case.make()
    write(case, instance.pk)
    write(case, instance.pk, stamp=LATER)
    # Another object's row: the same with another key.
    sink = case.sink()
    source = next(column.sources[0] for column in sink.columns if column.name == case.key)
    other = COURSE + "2" if case.sink is CourseOverviewSink else 7
    sink.insert(changed_batch(sink, instance.pk, source, other), LATER, uuid.uuid4())
    assert len(rows(clickhouse, case.sink.name)) == 3
    sink.delete([instance.pk])
    assert [row[case.key] for row in rows(clickhouse, case.sink.name)] == [other]


@each_sink
def test_all_but_courses_leave_when_their_object_is_deleted(case: Case) -> None:
    assert case.sink.deletes == (case.sink is not CourseOverviewSink)


@each_sink
def test_an_empty_batch_writes_nothing(case: Case, clickhouse_http: ClickHouseEndpoint) -> None:
    written = write(case)
    assert (written.rows, written.warnings) == ({}, [])
    assert clickhouse_http.requests == []


@each_sink
def test_keys_from_text(case: Case) -> None:
    key = case.sink().parse_key(case.key_text)
    assert str(key) == case.key_text
    for text in case.bad_keys:
        with pytest.raises(ValueError, match=f"not a key of {case.sink.name}"):
            case.sink().parse_key(text)


def test_one_dump_id_and_time_for_a_whole_write(clickhouse_http: ClickHouseEndpoint) -> None:
    users = factories.make_many_users(230)
    sink = UserProfileSink()
    written = sink.write(sink.read(Selection()), STAMP)
    assert written.rows == {"user_profile": 230}
    found = rows(sink.clickhouse, "user_profile")
    assert {row["user_id"] for row in found} == {user.pk for user in users}
    assert len({(row["dump_id"], row["time_last_dumped"]) for row in found}) == 1
    assert sum("INSERT" in request.statement for request in clickhouse_http.requests) == 1


@each_sink
def test_selections(case: Case) -> None:
    key = case.make().pk
    sink = case.sink()
    assert key in sink.read(Selection()).keys
    assert list(sink.read(Selection(keys=[key])).keys) == [key]
    assert key not in sink.read(Selection(skip=[key])).keys
    assert len(sink.read(Selection(keys=[key], after=key))) == 0
    assert len(sink.read(Selection(keys=[]))) == 0
    assert len(sink.read(Selection(limit=1))) == 1


def test_objects_are_read_in_the_order_of_their_keys() -> None:
    profiles = sorted(user.profile.pk for user in factories.make_many_users(30))
    sink = UserProfileSink()
    assert list(sink.read(Selection(keys=profiles[::-1])).keys) == profiles
    assert list(sink.read(Selection(after=profiles[9], skip=[profiles[12]], limit=5)).keys) == [
        profiles[i] for i in (10, 11, 13, 14, 15)
    ]


@each_sink
def test_reading_is_one_query_and_makes_no_instances(case: Case) -> None:
    instance = case.make()
    made: list[Any] = []
    models.signals.post_init.connect(lambda sender, **_: made.append(sender), weak=False, dispatch_uid="test_sinks")
    try:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            case.sink().read(Selection(keys=[instance.pk]))
    finally:
        models.signals.post_init.disconnect(dispatch_uid="test_sinks")
    assert len(captured) == 1
    assert made == []


@each_sink
def test_a_value_that_cannot_be_converted_is_rejected_without_naming_it(case: Case, clickhouse: ClickHouse) -> None:
    key = case.make().pk
    sink = case.sink()
    source = next((c.sources[0] for c in sink.columns if c.type in ("Int32", "UUID")), "modified")
    batch = changed_batch(sink, key, source, "secret")
    with pytest.raises(Rejected) as caught:
        sink.insert(batch, STAMP, uuid.uuid4())
    assert "secret" not in f"{caught.value!r} {caught.value} {caught.value.__cause__}"
    assert rows(clickhouse, case.sink.name) == []


# Personal data


def test_personal_columns_are_in_the_tables_that_are_erased(settings: Any) -> None:
    personal = {sink.name for sink in BUILT_IN if any(c.personal for t in sink.tables for c in t.columns)}
    # An enrollment's username is kept, as the platform keeps the enrollment.
    assert personal - {"course_enrollment"} == set(settings.EVENT_SINK_CLICKHOUSE_PII_MODELS)


@pytest.mark.parametrize("name", ["user_profile", "external_id"])
def test_learners_in_retirement_are_not_written(name: str, clickhouse: ClickHouse) -> None:
    case = CASES[name]
    instance = case.make()
    factories.make_profile(instance.user) if name == "external_id" else None
    request_retirement(instance.user)
    assert write(case, instance.pk).rows == {}
    assert rows(clickhouse, name) == []


def test_enrollments_of_learners_in_retirement_are_written_as_long_as_they_are_no_personal_data(
    clickhouse: ClickHouse, settings: Any
) -> None:
    enrollment = CASES["course_enrollment"].make()
    factories.make_profile(enrollment.user)
    request_retirement(enrollment.user)
    write(CASES["course_enrollment"], enrollment.pk)
    assert len(rows(clickhouse, "course_enrollment")) == 1
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["course_enrollment"]
    assert write(CASES["course_enrollment"], enrollment.pk, stamp=LATER).rows == {}


def test_block_rows_are_read_by_course(clickhouse: ClickHouse) -> None:
    course_key = factories.make_course()
    batch = XBlockSink().read(Selection(keys=[course_key]))
    assert batch.keys[0] == str(course_key.make_usage_key("course", "course"))
    assert list(batch.columns["order"]) == list(range(1, len(batch) + 1))
    assert len(XBlockSink().read(Selection())) == 0
