"""The formats of values, by themselves and through the engine, byte for byte."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from common.djangoapps.student.models import UserProfile
from django_countries.fields import Country
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.sinks import ObjectTagSink, Selection, TagSink, TaxonomySink, UserProfileSink, formats
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.sinks.formats import ZERO_DATES, all_iso_utc, iso_utc, json_text, or_zero, stamp_text
from platform_plugin_aspects.sinks.tag_sink import lineage
from platform_plugin_aspects.tests.conftest import rows
from test_utils.factories import make_many_users, make_taxonomy, utc
from test_utils.properties import examples

# The engine and the database are per test, not per example: examples clean up after themselves.
through_the_engine = hypothesis_settings(max_examples=examples(8))

AWKWARD = [
    "",
    " ",
    "NULL",
    "\\N",
    "\\",
    "\\\\n",
    'it\'s "quoted" `thrice`',
    "tab\there",
    "line\nfeed\r\nand return\r",
    "a\x00b",
    "\x01\x1b[31m\x7f",
    "Zoë 张伟 עברית العربية हिन्दी",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u0301 is not \u00e9",
    "\u200f\u202eright to left\u202c\ufeff",
    "x" * 255,
    "ü" * 3000,
    "(1, 'two'); DROP TABLE user_profile --",
    "{name:String} %s %(x)s {0}",
    "nan",
    "0",
    "1970-01-01",
]
TEXTS = st.lists(st.text(max_size=300), min_size=1, max_size=40)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES)
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00")
TEXT_COLUMNS = ("name", "courseware", "language", "location", "mailing_address", "city", "goals", "bio", "phone_number")


@pytest.mark.django_db
@through_the_engine
@given(texts=TEXTS)
@example(texts=AWKWARD)
def test_text_lands_byte_for_byte(clickhouse: ClickHouse, texts: list[str]) -> None:
    users = make_many_users(len(texts))
    for user, text in zip(users, texts, strict=True):
        UserProfile.objects.filter(user=user).update(**dict.fromkeys(TEXT_COLUMNS, text))
    sink = UserProfileSink()
    batch = sink.read(Selection(keys=[user.profile.pk for user in users]))
    sink.write(batch, utc(2026, 1, 1))
    expected = {user.pk: text for user, text in zip(users, texts, strict=True)}
    columns = ", ".join(f"hex({name})" for name in TEXT_COLUMNS)
    for user_id, *found in clickhouse.select(f"SELECT user_id, {columns} FROM {clickhouse.qualified('user_profile')}"):
        assert {bytes.fromhex(text) for text in found} == {expected.pop(user_id).encode()}
    assert expected == {}
    UserProfile.objects.all().delete()
    clickhouse.command(f"TRUNCATE TABLE {clickhouse.qualified('user_profile')}")


@pytest.mark.django_db
@through_the_engine
@given(names=TEXTS)
@example(names=AWKWARD)
def test_names_in_other_sinks_land_byte_for_byte(clickhouse: ClickHouse, names: list[str]) -> None:
    keys = {make_taxonomy(name).pk: name for name in names if name}
    sink = TaxonomySink()
    sink.write(sink.read(Selection(keys=list(keys))), utc(2026, 1, 1))
    assert {row["id"]: row["name"] for row in rows(clickhouse, "taxonomy")} == keys
    clickhouse.command(f"TRUNCATE TABLE {clickhouse.qualified('taxonomy')}")


@pytest.mark.django_db
@through_the_engine
@given(moments=st.lists(st.none() | MOMENTS, min_size=1, max_size=20))
@example(moments=[utc(2026, 1, 1, 10), utc(2026, 1, 1, 10, 0, 0, 1), utc(2026, 1, 1, 10, 0, 0, 123000), None])
def test_moments_land_as_iso_8601_in_utc(clickhouse: ClickHouse, moments: list[datetime | None]) -> None:
    users = make_many_users(len(moments))
    for user, moment in zip(users, moments, strict=True):
        UserProfile.objects.filter(user=user).update(profile_image_uploaded_at=moment)
    sink = UserProfileSink()
    sink.write(sink.read(Selection(keys=[user.profile.pk for user in users])), utc(2026, 1, 1))
    found = {row["user_id"]: row["profile_image_uploaded_at"] for row in rows(clickhouse, "user_profile")}
    for user, moment in zip(users, moments, strict=True):
        text = found[user.pk]
        assert text == "" if moment is None else datetime.fromisoformat(text) == moment and ISO.fullmatch(text)
    UserProfile.objects.all().delete()
    clickhouse.command(f"TRUNCATE TABLE {clickhouse.qualified('user_profile')}")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (None, ""),
        (utc(2026, 1, 1, 10, 0, 0, 123456), "2026-01-01T10:00:00.123456Z"),
        (utc(2026, 1, 1, 10), "2026-01-01T10:00:00Z"),
        (utc(2026, 1, 1, 10, 0, 0, 100000), "2026-01-01T10:00:00.100000Z"),
        (datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2025-12-31T20:00:00Z"),
        (datetime(2026, 1, 1, 10), "2026-01-01T10:00:00Z"),
    ],
)
def test_iso_utc(moment: datetime | None, expected: str) -> None:
    assert iso_utc(moment) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (utc(2026, 1, 1, 10), "2026-01-01 10:00:00.000000+00:00"),
        (utc(2026, 1, 1, 10, 0, 0, 1), "2026-01-01 10:00:00.000001+00:00"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=-2))), "2026-01-01 03:00:00.000000+00:00"),
        (datetime(2026, 1, 1, 1), "2026-01-01 01:00:00.000000+00:00"),
    ],
)
def test_stamp_text(moment: datetime, expected: str) -> None:
    assert stamp_text(moment) == expected


@given(first=MOMENTS, second=MOMENTS)
def test_stamps_compare_as_text_as_they_do_in_time(first: datetime, second: datetime) -> None:
    texts = stamp_text(first), stamp_text(second)
    assert all(STAMP.fullmatch(text) for text in texts)
    assert (texts[0] < texts[1], texts[0] == texts[1]) == (first < second, first == second)


@given(moment=MOMENTS)
def test_iso_utc_says_the_same_moment(moment: datetime) -> None:
    text = iso_utc(moment)
    assert ISO.fullmatch(text)
    assert datetime.fromisoformat(text) == moment
    assert ("." in text) == bool(moment.microsecond)


@given(moment=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), digits=st.booleans())
@example(moment=datetime(2026, 1, 1, 10), digits=True)
@example(moment=datetime(2026, 1, 1, 10), digits=False)
def test_iso_utc_of_a_databases_text_is_that_of_the_moment(moment: datetime, digits: bool) -> None:
    # MySQL's CAST always gives six digits, SQLite's those that Django wrote.
    text = moment.isoformat(sep=" ", timespec="microseconds" if digits else "auto")
    assert iso_utc(text) == iso_utc(moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # MySQL's zero date, of DATETIME and of DATETIME(6): Django reads null.
        ("0000-00-00 00:00:00", ""),
        ("0000-00-00 00:00:00.000000", ""),
        # SQLite keeps what it was given.
        ("2026-01-01T10:00:00", "2026-01-01T10:00:00Z"),
        ("2026-01-01 10:00:00.100", "2026-01-01T10:00:00.100000Z"),
        ("2026-01-01 10:00:00+02:00", "2026-01-01T08:00:00Z"),
    ],
)
def test_iso_utc_of_other_texts(text: str, expected: str) -> None:
    assert iso_utc(text) == expected


def test_iso_utc_of_no_moment() -> None:
    with pytest.raises(ValueError, match="secret"):
        iso_utc("secret")


NAIVE = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
WITH_FRACTION = NAIVE.map(lambda moment: moment.isoformat(sep=" ", timespec="microseconds"))
WITHOUT_FRACTION = NAIVE.map(lambda moment: moment.isoformat(sep=" ", timespec="seconds"))


@given(
    moments=st.lists(WITH_FRACTION | st.just(""))
    | st.lists(st.none() | MOMENTS | WITH_FRACTION | WITHOUT_FRACTION | st.sampled_from(sorted(ZERO_DATES)))
    # Whatever has as many characters as a moment.
    | st.lists(WITH_FRACTION | st.text("0 .TZ\n", min_size=26, max_size=26))
)
@example(moments=["2026-01-01 10:00:00.123456", "2026-01-01 10:00:00.000000"])
@example(moments=["2026-01-01 10:00:00.000000", "2026-01-01 10:00:00.123456"])
@example(moments=["2026-01-01 10:00:00.123456", "0000-00-00 00:00:00.000000"])
@example(moments=["2026-01-01 10:00:00.123456", "2026-01-01 10:00:00.12345\n"])
@example(moments=["2026-01-01 10:00:00", "2026-01-01 10:00:01"])
def test_moments_converted_at_once_are_those_converted_one_by_one(moments: list[Any]) -> None:
    assert all_iso_utc(moments) == list(map(iso_utc, moments))


def test_texts_with_a_fraction_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(formats, "iso_utc")
    texts = ["", "2026-01-01 10:00:00.123456", "", "", "2026-01-01 10:00:00.123456", "1999-12-31 23:59:59.000001", ""]
    assert all_iso_utc(texts) == [
        "",
        "2026-01-01T10:00:00.123456Z",
        "",
        "",
        "2026-01-01T10:00:00.123456Z",
        "1999-12-31T23:59:59.000001Z",
        "",
    ]


def test_one_of_many_that_is_no_moment() -> None:
    with pytest.raises(ValueError, match="secret"):
        all_iso_utc(["2026-01-01 10:00:00.123456", "secret"])


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (Column("country", "String"), [Country("DE"), Country(None), None], ["DE", "", ""]),
        (Column("year", "String"), [1984, None, 0], ["1984", "", "0"]),
        (
            Column("start", "String"),
            [utc(2026, 1, 1, 10), utc(2026, 1, 1, 10, 0, 0, 5)],
            ["2026-01-01 10:00:00+00:00", "2026-01-01 10:00:00.000005+00:00"],
        ),
        (Column("id", "Int32"), [1, 2], [1, 2]),
        (Column("parent", "Int32", Value(convert=or_zero)), [None, 0, 3], [0, 0, 3]),
    ],
)
def test_values_of_a_column(column: Column, values: list[Any], expected: list[Any]) -> None:
    assert list(column.values(values)) == expected


def test_a_column_of_several_fields_converts_them_together() -> None:
    column = Column("both", "String", Value(("a", "b"), lambda a, b: f"{a}/{b}"))
    assert column.sources == ("a", "b")
    assert list(column.values([1, 2], [3, 4])) == ["1/3", "2/4"]


@given(values=st.lists(st.text(), min_size=1, max_size=7))
def test_lineage_reads_from_the_root_down(values: list[str]) -> None:
    from_the_tag_up = [*reversed(values), *[None] * (7 - len(values))]
    assert json.loads(lineage(*from_the_tag_up)) == values


def test_lists_are_json() -> None:
    assert json_text([3, 1, 2]) == "[3, 1, 2]"
    assert json_text([]) == "[]"


@pytest.mark.parametrize("sink", [TagSink, ObjectTagSink])
def test_lineage_goes_as_deep_as_tags_do(sink: type[TagSink]) -> None:
    column = next(column for column in sink.columns if column.name == "lineage")
    assert max(path.count("parent__") for path in column.sources) == 6
