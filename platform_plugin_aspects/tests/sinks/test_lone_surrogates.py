"""Halves of surrogate pairs: no text that ClickHouse can hold has them, and nothing is kept out because of one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import example, given
from hypothesis import strategies as st
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.text import has_encoded_halves, whole, whole_bytes, whole_json
from platform_plugin_aspects.delivery import compare
from platform_plugin_aspects.sinks import (
    BaseSink,
    CourseEnrollmentSink,
    CourseOverviewSink,
    ExternalIdSink,
    ModelBaseSink,
    ObjectTagSink,
    Selection,
    TagSink,
    TaxonomySink,
    UserProfileSink,
)
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.sinks.conversion import Encoded
from platform_plugin_aspects.sinks.registry import BUILT_IN
from platform_plugin_aspects.sinks.user_profile_sink import without_session
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories

STAMP = datetime(2026, 3, 1, tzinfo=UTC)
#: Text with anything, and with halves more often than by chance.
TEXTS = st.text(st.characters() | st.characters(categories=["Cs"]) | st.sampled_from('\\"u\ud83d\ude00'))
#: UTF-8 as it would be if it had halves, as MariaDB keeps and gives it back: "a", a half, "b".
STORED = "CAST(X'61EDA0BD62' AS TEXT)"
ARRIVES = "a\ufffdb"

AWKWARD = pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Zoë 小龍 😀", "Zoë 小龍 😀"),
        ("\ud83d", "\ufffd"),
        ("a\ud83db", "a\ufffdb"),
        ("c\ude00d", "c\ufffdd"),
        ("\ud83d\ude00", "😀"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00\ude00", "\ufffd😀\ufffd"),
        ("\udcff.", "\ufffd."),
        ("한국어 \ud55c", "한국어 \ud55c"),
    ],
)


@AWKWARD
def test_halves_are_replaced_one_by_one(text: str, expected: str) -> None:
    assert whole(text) == expected
    encoded = text.encode("utf-8", "surrogatepass")
    assert whole_bytes(encoded).decode() == expected
    assert has_encoded_halves(encoded) == (text != expected)
    assert json.loads(whole_json(json.dumps(text))) == expected


@given(text=TEXTS)
@example(text="\\ud83d")
@example(text="\\\ud83d")
@example(text='"\ud83d\\ude00')
def test_in_text_bytes_and_json_alike(text: str) -> None:
    """As UTF-16, which is made of halves, would be read by anyone."""
    expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert whole(text) == expected
    assert whole_bytes(text.encode("utf-8", "surrogatepass")).decode() == expected
    assert json.loads(whole_json(json.dumps(text))) == expected
    assert json.loads(whole_json(json.dumps(text, ensure_ascii=False))) in (text, expected)


@given(text=st.text())
def test_text_without_halves_stays_as_it_is(text: str) -> None:
    assert whole(text) is text
    assert whole_bytes(text.encode()) == text.encode()
    assert whole_json(json.dumps(text)) == json.dumps(text)


@pytest.mark.parametrize(
    "json_text",
    [
        r'{"a": "\ud83D"}',
        r'{"a": "\uD83d"}',
        r'{"a": "\uDE00"}',
    ],
)
def test_escapes_in_any_case(json_text: str) -> None:
    assert whole_json(json_text) == r'{"a": "\ufffd"}'


def test_columns_without_halves_are_not_copied() -> None:
    column = Column("name", "String")
    for values in (["a", "ö", "한"], Encoded([b"a", "한".encode()])):
        assert column.values(values) is values


def test_halves_in_some_values_of_a_column() -> None:
    column = Column("name", "LowCardinality(String)", Value(convert=str))
    assert list(column.values(["a\ud83d", "\ude00b", "c"])) == ["a\ufffd", "\ufffdb", "c"]
    assert list(Column("name", "String").values(["a\ud83d", None, 7])) == ["a\ufffd", "", "7"]
    encoded = Column("name", "String").values(Encoded([b"\xed\xa0\xbd", b"\xed\xb8\x80", b"c"]))
    assert isinstance(encoded, Encoded)
    assert encoded == ["\ufffd".encode(), "\ufffd".encode(), b"c"]
    assert Column("names", "Array(String)").values([["a"], ["b"]]) == [["a"], ["b"]]


# Courses and blocks


@pytest.fixture
def course(empty_store: None) -> Any:
    leaves = ["Half \ud83d", "Zoë 😀", "\ude00"]
    key = factories.make_course_key()
    children = [
        {"type": "html", "id": f"h{number}", "fields": {"display_name": name}} for number, name in enumerate(leaves)
    ]
    modulestore().create_course(key, {"type": "course", "id": "course", "children": children})
    factories.publish_course(key, loudly=False)
    return key


@pytest.mark.django_db
def test_a_block_with_half_a_character_does_not_keep_its_course_out(course: Any, clickhouse: ClickHouse) -> None:
    sink = CourseOverviewSink()
    assert sink.write(sink.read(Selection()), STAMP).rows == {"course_overviews": 1, "course_blocks": 4}
    names = {row["location"][-2:]: row["display_name"] for row in rows(clickhouse, "course_blocks")}
    assert (names["h0"], names["h1"], names["h2"]) == ("Half \ufffd", "Zoë 😀", "\ufffd")
    assert compare.compare(sink).equal


@pytest.mark.django_db
def test_what_a_third_partys_block_raises_can_be_shown(
    course: Any, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises(self: Any) -> Any:
        raise RuntimeError("half \ud83d")

    monkeypatch.setattr("xmodule.modulestore.blocks.Block.get_children", raises)
    sink = CourseOverviewSink()
    (warning,) = sink.write(sink.read(Selection()), STAMP).warnings
    assert warning.endswith("RuntimeError: half \ufffd")


@pytest.mark.django_db
def test_values_inside_json_are_whole(clickhouse: ClickHouse) -> None:
    """ClickHouse reads nothing at all of JSON in which one value has half a pair."""
    factories.make_overview(effort="2 h", language="de")
    sink = CourseOverviewSink()
    batch = sink.read(Selection())
    batch.columns["effort"][0] = "\ud83d"  # type: ignore[index]
    sink.write(batch, STAMP)
    column = "course_data_json"
    query = f"SELECT JSONExtractString({column}, 'effort'), JSONExtractString({column}, 'language')"
    assert list(clickhouse.select(f"{query} FROM {clickhouse.qualified('course_overviews')}")) == [("\ufffd", "de")]


# From the database


def _make_one_of_each() -> None:
    user = factories.make_user()
    factories.make_external_id(user)
    factories.make_enrollment(user)
    factories.make_overview()
    root, leaf = factories.make_tag_branch("root", "leaf")
    factories.make_object_tag("object", leaf)
    factories.make_object_tag("object", taxonomy=root.taxonomy, value="free")


#: Per sink, the tables and columns of the platform that its text columns are made of; keys cannot have halves.
STORED_TEXT: dict[type[ModelBaseSink], dict[str, str]] = {
    UserProfileSink: {
        "auth_userprofile": "name meta courseware language location gender level_of_education mailing_address city "
        "country state goals bio phone_number",
        "auth_user": "username email",
    },
    ExternalIdSink: {"external_user_ids_externalidtype": "name", "auth_user": "username"},
    CourseEnrollmentSink: {"student_courseenrollment": "mode", "auth_user": "username"},
    CourseOverviewSink: {
        "course_overviews_courseoverview": "org display_name advertised_start effort external_id language"
    },
    TaxonomySink: {"oel_tagging_taxonomy": "name"},
    TagSink: {"oel_tagging_tag": "value external_id"},
    ObjectTagSink: {"oel_tagging_objecttag": "object_id _value _export_id", "oel_tagging_tag": "value"},
}
#: Columns that are made of other things than text: of numbers, moments and keys.
NOT_TEXT = {
    "year_of_birth",
    "profile_image_uploaded_at",
    "created",
    "modified",
    "course_key",
    "course_start",
    "course_end",
    "enrollment_start",
    "enrollment_end",
}


@pytest.mark.django_db
@pytest.mark.parametrize("sink", STORED_TEXT, ids=lambda sink: sink.name)
def test_every_text_column_of_every_sink_arrives(
    sink: type[ModelBaseSink], clickhouse: ClickHouse, empty_store: None
) -> None:
    _make_one_of_each()
    with connection.cursor() as cursor:
        for table, columns in STORED_TEXT[sink].items():
            for column in columns.split():
                cursor.execute(f"UPDATE {table} SET {column} = {STORED} || id")
    one = sink()
    batch = one.read(Selection())
    assert len(batch)
    one.write(batch, STAMP)
    texts = {column.name for column in sink.columns if column.type in ("String", "LowCardinality(String)")} - NOT_TEXT
    for row in rows(clickhouse, sink.table.name):
        assert {name for name in texts if ARRIVES not in row[name] and "a\\ufffdb" not in row[name]} == set()
    assert compare.compare(one).equal


def test_every_sink_with_text_is_tried() -> None:
    with_text = [each for each in BUILT_IN if issubclass(each, ModelBaseSink) and each.has_objects]
    assert set(STORED_TEXT) == set(with_text)
    assert all(issubclass(each, BaseSink) for each in with_text)


@pytest.mark.django_db
def test_nulls_and_keys_beside_text_that_is_not_utf_8(empty_store: None) -> None:
    first, second = factories.make_overview(effort=None), factories.make_overview(effort="")
    CourseOverview.objects.filter(pk=first.pk).update(display_name="Zoë")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE course_overviews_courseoverview SET display_name = {STORED} || X'FF' WHERE id = %s",
            [str(second.pk)],
        )
    batch = CourseOverviewSink().read(Selection(keys=[first.pk, second.pk]))
    named = dict(zip(batch.keys, batch.columns["display_name"], strict=True))
    assert named == {first.pk: "Zoë", second.pk: "a\ufffdb\ufffd"}
    assert dict(zip(batch.keys, batch.columns["effort"], strict=True)) == {first.pk: None, second.pk: ""}


# JSON in profiles


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (r'{"a": "\ud83d", "b": "\ud83d\ude00"}', r'{"a": "\ufffd", "b": "\ud83d\ude00"}'),
        (r'{"a": "\\ud83d"}', r'{"a": "\\ud83d"}'),
        (r'{"session_id": "k", "a": "\ud83d"}', r'{"a": "\ufffd"}'),
        (r'{"\u0073ession_id": "k", "a": "\ud83d\ude00"}', r'{"a": "\ud83d\ude00"}'),
    ],
)
def test_meta_is_whole(meta: str, expected: str) -> None:
    assert without_session(meta) == expected
