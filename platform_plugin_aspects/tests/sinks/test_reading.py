"""Reading column by column gives what Django gives row by row, and an insert keeps nothing."""

from __future__ import annotations

import gc
import uuid
import weakref
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import compress
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.db import connections, models
from django.db.models import BinaryField, IntegerField, TextField
from django.db.models.functions import Cast, Replace
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import compare
from platform_plugin_aspects.delivery.isolate import write_what_can_be
from platform_plugin_aspects.sinks import (
    CourseEnrollmentSink,
    CourseOverviewSink,
    ExternalIdSink,
    Selection,
    UserProfileSink,
)
from platform_plugin_aspects.sinks.column import NUMBER, UTF8, Column, Text, Value
from platform_plugin_aspects.sinks.conversion import LOOKED_AT, Encoded, convert_each
from platform_plugin_aspects.sinks.formats import iso_utc
from platform_plugin_aspects.sinks.reading import ROWS_AT_ONCE, read_columns
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories
from test_utils.properties import examples

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
COURSE_KEYS = ("course-v1:Org+Course+2026", "Org/Course/2026", "library-v1:Org+Zoë", "ccx-v1:Org+Course+2026+ccx@7")


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1])
def test_portions_come_together_in_order(number: int) -> None:
    factories.make_many_users(number)
    queryset = UserProfile.objects.order_by("pk")
    keys, names = read_columns(queryset, ("pk", "user__username"))
    assert list(zip(keys, names, strict=True)) == list(queryset.values_list("pk", "user__username"))


@pytest.mark.django_db
@pytest.mark.parametrize("sink", [UserProfileSink, CourseEnrollmentSink, ExternalIdSink], ids=lambda sink: sink.name)
def test_values_are_djangos(sink: Any) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    for created in (moment, moment.replace(microsecond=0), None):
        user = factories.make_user(profile={"profile_image_uploaded_at": created, "country": "BR"})
        factories.make_external_id(user)
        enrollment = factories.make_enrollment(user)
        CourseEnrollment.objects.filter(pk=enrollment.pk).update(created=created)
    queryset = sink().queryset().order_by("pk")
    expected = [tuple(row) for row in queryset.values_list(*sink.paths())]
    read = list(zip(*read_columns(queryset, sink.paths()), strict=True))
    assert read == expected
    assert [list(map(type, row)) for row in read] == [list(map(type, row)) for row in expected]


@pytest.mark.django_db
@hypothesis_settings(max_examples=examples(50))
@given(
    moment=st.none() | MOMENTS,
    year=st.none() | st.integers(0, 9999),
    course=st.sampled_from(COURSE_KEYS),
    active=st.booleans(),
    bio=st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
)
@example(moment=datetime(2026, 1, 1, 10, tzinfo=UTC), year=0, course=COURSE_KEYS[0], active=True, bio="")
def test_the_databases_own_values_become_what_djangos_do(
    moment: datetime | None, year: int | None, course: str, active: bool, bio: str | None
) -> None:
    profile = {"profile_image_uploaded_at": moment, "year_of_birth": year, "bio": bio, "country": None}
    user = factories.make_user(profile=profile)
    enrollment = factories.make_enrollment(user)
    # Not by saving: an enrollment's course is checked, and ``created`` set, on the way.
    CourseEnrollment.objects.filter(pk=enrollment.pk).update(
        created=moment, course_id=CourseKey.from_string(course), is_active=active
    )
    for sink, key in ((UserProfileSink(), user.profile.pk), (CourseEnrollmentSink(), enrollment.pk)):
        read = sink.read(Selection(keys=[key]))
        fields = sink.manager.filter(pk=key).values(*sink.paths()).get()
        columns = [column for column in sink.columns if column.source.cast is not None]
        assert columns
        for column in columns:
            path = column.sources[0]
            looked_at = column.source.cast is not UTF8 or column.name == sink.key_column
            is_number = column.source.cast is NUMBER
            assert list(map(type, read.as_read(path))) == [int if is_number else str if looked_at else bytes]
            assert list(map(type, read.columns[path])) == [int if is_number else str]
            values = column.values(read.as_read(path))
            if isinstance(values, Encoded):
                values = [value.decode() for value in values]
            assert values == column.values([fields[path]])


@pytest.mark.django_db
@pytest.mark.parametrize("to", [TextField(), BinaryField()], ids=["text", "bytes"])
@pytest.mark.parametrize(
    ("path", "expected"), [("tag__value", ["", "ключ"]), ("tag_id", ["", "7"]), ("twice", ["", "77"])]
)
def test_text_of_what_may_not_be_there(path: str, expected: list[str], to: Any) -> None:
    tag = factories.make_tag(value="ключ", id=7)
    factories.make_object_tag("block-1", taxonomy=tag.taxonomy, value="free text")
    factories.make_object_tag("block-2", tag)
    queryset = factories.ObjectTag.objects.annotate(
        twice=Replace(Cast("tag_id", TextField()), models.Value("7"), models.Value("77"))
    )
    (values,) = read_columns(queryset.order_by("object_id"), (path,), {path: to})
    assert values == (expected if isinstance(to, TextField) else [text.encode() for text in expected])
    assert isinstance(values, Encoded) == isinstance(to, BinaryField)


@pytest.mark.django_db
def test_text_of_what_is_made_of_a_field() -> None:
    for moment in (None, datetime(2026, 1, 2, tzinfo=UTC)):
        factories.make_user(profile={"profile_image_uploaded_at": moment})
    path = "profile_image_uploaded_at__year"
    queryset = UserProfile.objects.order_by("pk")
    assert read_columns(queryset, (path,), {path: TextField()}) == [["", "2026"]]
    assert read_columns(queryset, (path,), {path: IntegerField()}) == [[None, 2026]]


@pytest.mark.django_db
@pytest.mark.parametrize("to", [TextField(), BinaryField()], ids=["text", "bytes"])
def test_text_of_a_key(to: Any) -> None:
    overview = factories.make_overview()
    ((text,),) = read_columns(CourseOverview.objects.all(), ("id",), {"id": to})
    assert text in (str(overview.id), str(overview.id).encode())
    assert isinstance(text, bytes) == isinstance(to, BinaryField)


def test_what_is_encoded_is_not_looked_at() -> None:
    values = Encoded([b"a", b""])
    assert Column("name", "String").values(values) is values


@pytest.mark.django_db
def test_what_is_encoded_arrives_as_it_is(clickhouse: ClickHouse) -> None:
    text = "Zoë \x1e\x1f\\ 小龍 \N{GRINNING FACE}\n"
    user = factories.make_user(profile={"name": text, "bio": text, "city": ""})
    sink = UserProfileSink()
    batch = sink.read(Selection())
    assert batch.as_read("name") == [text.encode()]
    assert batch.columns["name"] == [text]
    sink.write(batch, datetime(2026, 1, 1, tzinfo=UTC))
    (row,) = rows(clickhouse, "user_profile")
    assert (row["name"], row["bio"], row["city"]) == (text, text, "")
    assert row["username"] == user.username
    assert compare.compare(sink).equal


@pytest.mark.django_db
def test_a_part_of_what_is_encoded_is_encoded() -> None:
    for name in ("Zoë", "", "小龍"):
        factories.make_user(profile={"name": name, "bio": None})
    sink = UserProfileSink()
    batch = sink.read(Selection())
    whole = sink.converted(batch)
    for keep in ([True, False, False], [False, False, True], [False, True, True]):
        expected = [list(compress(values, keep)) for values in whole]
        first, last = keep.index(True), 3 - keep[::-1].index(True)
        for part in (batch.only(keep), batch[first:last]):
            assert list(map(list, sink.converted(part))) == expected


@pytest.mark.django_db
def test_rows_beside_one_that_cannot_be_written_arrive_as_they_are(clickhouse: ClickHouse) -> None:
    for number in range(3):
        factories.make_user(profile={"id": number + 1, "name": f"Zoë {number}"})
    UserProfile.objects.filter(pk=2).update(id=2**31)
    sink = UserProfileSink()
    outcome = write_what_can_be(sink.read(Selection()), partial(sink.write, stamp=datetime(2026, 1, 1, tzinfo=UTC)))
    assert list(outcome.rejected) == [2**31]
    assert sorted(row["name"] for row in rows(clickhouse, "user_profile")) == ["Zoë 0", "Zoë 2"]


@pytest.mark.django_db
def test_what_is_converted_elsewhere_is_not_encoded() -> None:
    class Sink(UserProfileSink):
        columns = (
            Column("id", "Int32"),
            Column("user_id", "Int32"),
            Column("name", "String", Text()),
            Column("initial", "String", Text("name", lambda name: name[:1])),
            Column("both", "String", Value(("city", "country"), "{}/{}".format)),
            Column("city", "String", Text()),
        )

    factories.make_user(profile={"name": "Zoë", "city": "Köln", "country": "DE"})
    sink = Sink()
    converted = sink.converted(sink.read(Selection()))
    assert [list(values) for values in converted[2:]] == [["Zoë"], ["Z"], ["Köln/DE"], ["Köln"]]


@pytest.mark.django_db
@pytest.mark.parametrize("casts", [{}, {"profile_image_uploaded_at": TextField()}])
def test_moments_keep_the_time_zone_of_the_database(
    casts: dict[str, TextField[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connections["default"]
    factories.make_user(profile={"profile_image_uploaded_at": datetime(2026, 1, 2, tzinfo=UTC)})
    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", "Asia/Tokyo")
    for name in ("timezone", "timezone_name"):
        connection.__dict__.pop(name, None)
    try:
        path = "profile_image_uploaded_at"
        ((moment,),) = read_columns(UserProfile.objects.all(), (path,), casts)
        assert (moment, moment.utcoffset()) == (
            UserProfile.objects.values_list(path, flat=True).get(),
            timedelta(hours=9),
        )
    finally:
        for name in ("timezone", "timezone_name"):
            connection.__dict__.pop(name, None)


@pytest.mark.django_db
def test_a_key_is_no_text_though_its_column_is() -> None:
    overview = factories.make_overview()

    class Sink(CourseOverviewSink):
        columns = (Column("course_key", "String", Text("id")),)

    assert Sink().read(Selection()).keys == [overview.id]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", ""], ["a", ""]),
        (["a", None], ["a", ""]),
        ([1, True, 1.0, None], ["1", "True", "1.0", ""]),
        ([[1], "a"], ["[1]", "a"]),
        ([b"a", b""], [b"a", b""]),
        ([b"a", None], [b"a", b""]),
        ([], []),
    ],
)
def test_texts_are_written_one_by_one(values: list[Any], expected: list[Any]) -> None:
    assert list(Column("name", "String").values(values)) == expected


class Counted:
    """A value that counts how often values are hashed and converted."""

    hashed = converted = 0

    def __hash__(self) -> int:
        Counted.hashed += 1
        return id(self)

    def convert(self) -> int:
        Counted.converted += 1
        return id(self)


@pytest.mark.parametrize("distinct", [3, 2 * LOOKED_AT])
def test_values_that_repeat_are_converted_once_and_others_not_even_hashed(distinct: int) -> None:
    Counted.hashed = Counted.converted = 0
    some = [Counted() for _ in range(distinct)]
    values = (some * LOOKED_AT)[: 2 * LOOKED_AT]
    assert convert_each(values, Counted.convert) == list(map(id, values))
    assert Counted.converted == distinct
    if distinct > LOOKED_AT:
        assert Counted.hashed == LOOKED_AT


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 1, 1, 10), "2026-01-01T10:00:00Z"),
        (datetime(2026, 1, 1, 10, 0, 0, 5, tzinfo=UTC), "2026-01-01T10:00:00.000005Z"),
        (datetime.fromisoformat("2026-01-01T10:00:00+02:00"), "2026-01-01T08:00:00Z"),
    ],
)
def test_moments_are_utc_with_a_z(moment: datetime, expected: str) -> None:
    assert iso_utc(moment) == expected


def test_an_insert_keeps_nothing_in_memory(clickhouse: ClickHouse) -> None:
    value = uuid.uuid4()
    alive = weakref.ref(value)
    gc.disable()
    try:
        columns = [("external_user_id", "UUID"), ("user_id", "Int32"), ("dump_id", "UUID")]
        clickhouse.insert("external_id", columns, [[value], [1], [value]])
        del value
        assert alive() is None
    finally:
        gc.enable()
