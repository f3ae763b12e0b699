"""Tags: lineage, the tags of a course with their ancestors, and what changes when a tag does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import content_keys, edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery.isolate import write_and_clean_up
from platform_plugin_aspects.sinks import CourseOverviewSink, ObjectTagSink, Selection, TagSink, TaxonomySink
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink
from platform_plugin_aspects.sinks.tag_sink import tags_in_course
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils.factories import make_course, make_object_tag, make_tag, make_tag_branch, make_taxonomy, utc

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

KEY = CourseKey.from_string("course-v1:A+B+C")
BLOCK = "block-v1:A+B+C+type@html+block@a"
DEEPEST = ("one", "two", "three", "four", "five", "six", "seven")


def write(sink: ModelBaseSink, *keys: Any) -> None:
    write_and_clean_up(sink, sink.read(Selection(keys=keys)), utc(2026, 1, 1))


def test_lineage_of_the_deepest_tag(clickhouse: ClickHouse) -> None:
    tags = make_tag_branch(*DEEPEST)
    write(TagSink(), *[tag.pk for tag in tags])
    found = latest(clickhouse, "tag")
    for depth, tag in enumerate(tags):
        assert json.loads(found[tag.pk]["lineage"]) == list(DEEPEST[: depth + 1]) == tag.get_lineage()
    assert [found[tag.pk]["parent"] for tag in tags] == [0, *(tag.pk for tag in tags[:-1])]


def test_lineage_of_a_tag_on_content_is_that_of_the_tag(clickhouse: ClickHouse) -> None:
    tags = make_tag_branch(*DEEPEST)
    on_content = make_object_tag(BLOCK, tags[-1])
    free = make_object_tag(KEY, taxonomy=make_taxonomy(free_text=True), value='free "text"')
    write(ObjectTagSink(), on_content.pk, free.pk)
    found = latest(clickhouse, "object_tag")
    assert json.loads(found[on_content.pk]["lineage"]) == list(DEEPEST)
    assert json.loads(found[free.pk]["lineage"]) == ['free "text"']


def test_tags_of_a_course_with_all_ancestors_each_once() -> None:
    root, branch, leaf = make_tag_branch("root", "branch", "leaf")
    sibling = make_tag(parent=branch)
    other = make_tag()
    for object_id, tag in ((KEY, leaf), (KEY, sibling), (BLOCK, other), (BLOCK, root)):
        make_object_tag(object_id, tag)
    make_object_tag(BLOCK, taxonomy=make_taxonomy(free_text=True), value="free")
    found = tags_in_course(KEY)
    assert {object_id: sorted(ids) for object_id, ids in found.items()} == {
        str(KEY): sorted([root.pk, branch.pk, leaf.pk, sibling.pk]),
        BLOCK: sorted([other.pk, root.pk]),
    }


def test_tags_of_the_deepest_tag_reach_the_root() -> None:
    tags = make_tag_branch(*DEEPEST)
    make_object_tag(KEY, tags[-1])
    assert tags_in_course(KEY) == {str(KEY): [tag.pk for tag in reversed(tags)]}


OTHERS = [
    "course-v1:A+B+C2",
    "course-v1:A+B+c",
    "course-v1:a+B+C",
    "course-v1:A+B",
    "block-v1:A+B+C2+type@html+block@a",
    "block-v1:A+B+c+type@html+block@a",
    "block-v1:A+B+C.1+type@html+block@a",
    "block-v1:A+B+C-1+type@html+block@a",
    "block-v1:A+B+C_1+type@html+block@a",
    "block-v1:A+B+C~1+type@html+block@a",
    "block-v1:a+b+c+type@html+block@a",
    "lib:A:B",
    "lb:A:B:html:a",
]


@pytest.mark.parametrize("other", OTHERS)
def test_tags_of_others_are_not_taken(other: str) -> None:
    tag = make_tag()
    make_object_tag(other, tag)
    assert tags_in_course(KEY) == {}
    make_object_tag(BLOCK, tag)
    assert tags_in_course(KEY) == {BLOCK: [tag.pk]}


@pytest.mark.parametrize(
    ("course_key", "usage_key", "prefix"),
    [
        ("course-v1:A+B+C", BLOCK, "block-v1:A+B+C+"),
        ("ccx-v1:A+B+C+ccx@1", "ccx-block-v1:A+B+C+ccx@1+type@html+block@a", "ccx-block-v1:A+B+C+ccx@1+"),
        ("A/B/C", None, None),
    ],
)
def test_prefix_of_usage_keys(course_key: str, usage_key: str | None, prefix: str | None) -> None:
    assert content_keys.block_key_prefix(CourseKey.from_string(course_key)) == prefix
    tag = make_tag()
    tagged = [object_id for object_id in (course_key, usage_key) if object_id]
    for object_id in tagged:
        make_object_tag(object_id, tag)
    assert tags_in_course(CourseKey.from_string(course_key)) == {object_id: [tag.pk] for object_id in tagged}


@pytest.mark.parametrize(
    ("object_id", "course_key"),
    [
        ("course-v1:A+B+C", "course-v1:A+B+C"),
        (BLOCK, "course-v1:A+B+C"),
        ("ccx-block-v1:A+B+C+ccx@1+type@html+block@a", "ccx-v1:A+B+C+ccx@1"),
        ("lib:A:B", None),
        ("lb:A:B:html:a", None),
        ("library-v1:A+B", None),
        ("lct:A:B:unit:a", None),
        ("lib-collection:A:B:a", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_course_of_what_is_tagged(object_id: str, course_key: str | None) -> None:
    found = content_keys.course_of(object_id)
    assert (found and str(found)) == course_key


def test_tags_of_a_course_take_one_query_however_many_and_deep() -> None:
    tags = make_tag_branch(*DEEPEST)
    for number in range(50):
        make_object_tag(f"block-v1:A+B+C+type@html+block@{number}", tags[number % 7])
    with CaptureQueriesContext(connection) as captured:
        assert len(tags_in_course(KEY)) == 50
    assert len(captured) == 1


def test_a_release_without_tags_has_courses_without_tags(clickhouse: ClickHouse, settings: Any) -> None:
    key = make_course()
    make_object_tag(key, make_tag())
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {}
    assert tags_in_course(key) == {}
    assert TagSink().dependents_elsewhere([1]) == {}


def test_tags_land_as_integers_of_a_json_list(clickhouse: ClickHouse) -> None:
    key = make_course()
    root, leaf = make_tag_branch("root", "leaf")
    chapter = key.make_usage_key("chapter", "chapter_1")
    for object_id in (key, chapter):
        make_object_tag(object_id, leaf)
    write(CourseOverviewSink(), key)
    for table, column, where in (
        ("course_overviews", "course_data_json", "1"),
        ("course_blocks", "xblock_data_json", f"location = '{chapter}'"),
    ):
        # As readers do.
        sql = f"SELECT JSONExtractArrayRaw({column}, 'tags')::Array(Int32) FROM {clickhouse.qualified(table)}"
        assert clickhouse.select(f"{sql} WHERE {where}") == [([leaf.pk, root.pk],)]


def test_a_tag_concerns_all_tags_below_and_their_content() -> None:
    root, branch, leaf = make_tag_branch("root", "branch", "leaf")
    twig = make_tag(parent=root)
    make_tag(taxonomy=root.taxonomy)
    on_leaf = make_object_tag(BLOCK, leaf)
    sink = TagSink()
    assert sorted(sink.dependents([root.pk])) == sorted([branch.pk, leaf.pk, twig.pk])
    assert list(sink.dependents([leaf.pk])) == []
    assert {name: list(keys) for name, keys in sink.dependents_elsewhere([root.pk, branch.pk, leaf.pk]).items()} == {
        "object_tag": [on_leaf.pk]
    }


@pytest.mark.parametrize("sink_class", [TagSink, TaxonomySink, ObjectTagSink])
def test_what_is_deleted_after_the_reading_is_taken_back(
    sink_class: type[ModelBaseSink], clickhouse: ClickHouse
) -> None:
    staying, leaving = make_object_tag(KEY, make_tag()), make_object_tag(KEY, make_tag())
    field = {"tag": "tag", "taxonomy": "taxonomy"}.get(sink_class.name)
    kept, gone = (getattr(each, field) if field else each for each in (staying, leaving))
    sink = sink_class()
    batch = sink.read(Selection(keys=[kept.pk, gone.pk]))
    kept_pk = kept.pk
    gone.delete()
    write_and_clean_up(sink, batch, utc(2026, 1, 1))
    assert [row["id"] for row in rows(clickhouse, sink.name)] == [kept_pk]


@pytest.mark.parametrize("module", ["openedx_tagging.models.base", "openedx_tagging.core.tagging.models"])
@pytest.mark.parametrize("name", ["tag", "taxonomy", "object_tag"])
def test_models_of_tagging_are_found_under_the_old_path_and_the_new(module: str, name: str, settings: Any) -> None:
    expected = {"tag": "Tag", "taxonomy": "Taxonomy", "object_tag": "ObjectTag"}[name]
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {name: {"module": module, "model": expected}}
    model = edx_platform.get_model(name)
    assert model is not None
    assert model._meta.label == f"oel_tagging.{expected}"
