"""Courses and their blocks: order and numbers, what fails to load, custom courses, and what a publish costs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha1
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from edx_django_utils.cache import DEFAULT_REQUEST_CACHE, RequestCache
from hypothesis import example, given
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from xmodule.modulestore.blocks import Block, BlockData, CourseBlock, Structure, VideoBlock
from xmodule.modulestore.django import COURSE_PUBLISHED, modulestore

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import compare, outbox
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.sink_lock import take_stamp
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import CourseOverviewSink, Selection, Written, XBlockSink
from platform_plugin_aspects.sinks.xblock_sink import _Walk
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.factories import utc

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_store")]

KEY = CourseKey.from_string("course-v1:Org+Course+2026")
EDITED = utc(2026, 1, 1, 10)
STAMP = utc(2026, 3, 1)
PREFIX = "block-v1:Org+Course+2026+type@"
LOGGER = "platform_plugin_aspects.sinks.course_overview_sink"


def block(type_: str, id_: str, *children: Any, edited_on: datetime | None = EDITED, **fields: Any) -> dict[str, Any]:
    return {"type": type_, "id": id_, "children": list(children), "fields": fields, "edited_on": edited_on}


def publish(*children: Any, detached: tuple[Any, ...] = (), key: CourseKey = KEY, **fields: Any) -> CourseKey:
    modulestore().create_course(key, block("course", "course", *children, **fields), detached)
    factories.publish_course(key, loudly=False)
    return key


def write(*keys: CourseKey, stamp: datetime = STAMP) -> Written:
    sink = CourseOverviewSink()
    return sink.write(sink.read(Selection(keys=keys)), stamp)


def blocks(clickhouse: ClickHouse, course_key: CourseKey = KEY) -> list[dict[str, Any]]:
    """The rows of a course's blocks in their order, with xblock_data_json parsed."""
    found = rows(clickhouse, "course_blocks", f"course_key = '{course_key}'", order="order")
    return [row | {"data": json.loads(row["xblock_data_json"])} for row in found]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [row["location"].partition("block@")[2] for row in found]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


TREE = (
    block(
        "chapter",
        "c1",
        block("sequential", "s1", block("vertical", "v1", block("html", "h1")), block("vertical", "v2")),
        block("sequential", "s2", block("vertical", "v3", block("problem", "p1", graded=True))),
    ),
    block("chapter", "c2", block("sequential", "s3", block("vertical", "v4", block("video", "x1")))),
)
DETACHED = (
    block("static_tab", "tab_b"),
    block("course_info", "updates"),
    block("about", "overview"),
    block("static_tab", "tab_a"),
)
# id -> section, subsection, unit
NUMBERS = {
    "course": (0, 0, 0),
    "c1": (1, 0, 0),
    "s1": (1, 1, 0),
    "v1": (1, 1, 1),
    "h1": (1, 1, 1),
    "v2": (1, 1, 2),
    "s2": (1, 2, 0),
    "v3": (1, 2, 1),
    "p1": (1, 2, 1),
    "c2": (2, 0, 0),
    "s3": (2, 1, 0),
    "v4": (2, 1, 1),
    "x1": (2, 1, 1),
    "overview": (0, 0, 0),
    "updates": (0, 0, 0),
    "tab_a": (0, 0, 0),
    "tab_b": (0, 0, 0),
}


def test_tree_order_then_detached_with_their_numbers(clickhouse: ClickHouse) -> None:
    publish(*TREE, detached=DETACHED)
    written = write(KEY)
    assert written.rows == {"course_overviews": 1, "course_blocks": len(NUMBERS)}
    assert written.warnings == []
    found = blocks(clickhouse)
    assert ids(found) == list(NUMBERS)
    assert [row["order"] for row in found] == list(range(1, len(NUMBERS) + 1))
    numbers = {
        id_: tuple(row["data"][name] for name in ("section", "subsection", "unit"))
        for id_, row in zip(ids(found), found, strict=True)
    }
    assert numbers == NUMBERS
    assert [row["data"]["detached"] for row in found] == [0] * 13 + [1] * 4
    assert [id_ for id_, row in zip(ids(found), found, strict=True) if row["data"]["graded"]] == ["p1"]


def test_golden_block(clickhouse: ClickHouse) -> None:
    publish(block("chapter", "c1", block("sequential", "s1", display_name='Köln "1"\n', graded=True)))
    write(KEY)
    row = blocks(clickhouse)[2]
    del row["data"]
    (course,) = rows(clickhouse, "course_overviews")
    assert row == {
        "org": "Org",
        "course_key": "course-v1:Org+Course+2026",
        "location": "block-v1:Org+Course+2026+type@sequential+block@s1",
        "display_name": 'Köln "1"\n',
        "xblock_data_json": json.dumps(
            {
                "course": "Course",
                "run": "2026",
                "block_type": "sequential",
                "detached": 0,
                "graded": 1,
                "completion_mode": "aggregator",
                "section": 1,
                "subsection": 1,
                "unit": 0,
                "tags": [],
            }
        ),
        "order": 3,
        "edited_on": "2026-01-01 10:00:00+00:00",
        "dump_id": course["dump_id"],
        "time_last_dumped": course["time_last_dumped"],
    }


def test_a_video_says_where_it_begins_and_ends(clickhouse: ClickHouse) -> None:
    """In seconds; 0.0 where it is not set. Other blocks have neither key."""
    start, end = timedelta(minutes=1, milliseconds=250), timedelta(hours=1)
    publish(
        block(
            "chapter",
            "c1",
            block("video", "cut", start_time=start, end_time=end),
            block("video", "whole"),
            block("video", "null", start_time=None, end_time=None),
            block("html", "h1", start_time=start, end_time=end),
        )
    )
    write(KEY)
    times = {
        id_: [row["data"].get(f"video_{name}_time", "none") for name in ("start", "end")]
        for id_, row in zip(ids(blocks(clickhouse)), blocks(clickhouse), strict=True)
    }
    assert times == {
        "course": ["none", "none"],
        "c1": ["none", "none"],
        "cut": [60.25, 3600.0],
        "whole": [0.0, 0.0],
        "null": [0.0, 0.0],
        "h1": ["none", "none"],
    }
    assert '"video_start_time": 0.0, "video_end_time": 0.0' in blocks(clickhouse)[3]["xblock_data_json"]


def test_a_video_of_a_third_party_has_what_it_says(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(block("video", "x1", start_time=timedelta(seconds=1)))
    monkeypatch.delattr(VideoBlock, "end_time")
    write(KEY)
    data = blocks(clickhouse)[1]["data"]
    assert (data["video_start_time"], data["video_end_time"]) == (1.0, 0.0)


@pytest.mark.parametrize("mode", ["missing", None])
def test_no_completion_mode_is_empty(mode: str | None, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(block("chapter", "c1"))
    if mode is None:
        monkeypatch.setattr(Block, "completion_mode", None)
    else:
        monkeypatch.delattr(Block, "completion_mode")
    write(KEY)
    assert [row["data"]["completion_mode"] for row in blocks(clickhouse)] == ["", ""]


def test_courses_of_one_write_share_dump_id_and_time_and_make_two_inserts(clickhouse_http: ClickHouseEndpoint) -> None:
    keys = [factories.make_course(chapters=2) for _ in range(3)]
    write(*keys)
    sink = CourseOverviewSink()
    found = rows(sink.clickhouse, "course_overviews") + rows(sink.clickhouse, "course_blocks")
    assert len({(row["dump_id"], row["time_last_dumped"]) for row in found}) == 1
    inserts = [request.statement for request in clickhouse_http.requests if "INSERT" in request.statement]
    # The blocks first: the course's own row says that it has been dumped.
    assert ["course_blocks" in statement for statement in inserts] == [True, False]


def test_only_what_is_published_is_written(clickhouse: ClickHouse, service: str) -> None:
    """From either service, and of custom courses too."""
    publish(block("chapter", "c1"), detached=(block("about", "overview"),))
    ccx = factories.make_ccx(KEY)
    modulestore().add_block(KEY.make_usage_key("chapter", "c1"), block("sequential", "draft"))
    modulestore().add_block(KEY, block("static_tab", "draft_tab"))
    modulestore().edit(KEY.make_usage_key("chapter", "c1"), display_name="draft")
    modulestore().edit(KEY.make_usage_key("about", "overview"), display_name="draft")
    write(KEY, ccx)
    for key in (KEY, ccx):
        found = blocks(clickhouse, key)
        assert ids(found) == ["course", "c1", "overview"]
        assert [row["display_name"] for row in found] == ["course", "c1", "overview"]


def test_a_course_of_drafts_only_has_no_blocks(clickhouse: ClickHouse, service: str) -> None:
    key = factories.make_course(publish=False)
    factories.make_overview(key)
    assert write(key).rows == {"course_overviews": 1, "course_blocks": 0}


def test_a_course_with_an_old_key_is_read(clickhouse: ClickHouse, service: str) -> None:
    key = publish(block("chapter", "c1"), key=CourseKey.from_string("Org/Course/2026"))
    write(key)
    assert [row["location"] for row in blocks(clickhouse, key)] == [
        "i4x://Org/Course/course/course",
        "i4x://Org/Course/chapter/c1",
    ]


def test_what_is_published_now_is_written_whatever_this_request_has_read(clickhouse: ClickHouse, all_on: None) -> None:
    """A task that delivers a course twice, or a command that repairs what it has compared."""
    publish(block("chapter", "before"))
    outbox.record("course_overviews", [KEY])
    deliver_changes("course_overviews")
    with factories.elsewhere():
        modulestore().add_block(KEY, block("about", "after"))
        factories.publish_course(KEY)
    deliver_changes("course_overviews")
    assert sorted(ids(blocks(clickhouse))) == ["after", "before", "before", "course", "course"]


def test_reads_share_one_fetch_of_the_structure() -> None:
    publish(*TREE, detached=DETACHED)
    store = modulestore()
    store.structure_fetches.clear()
    store.reads_outside_bulk = 0
    XBlockSink().read(Selection(keys=[KEY]))
    assert (dict(store.structure_fetches), store.reads_outside_bulk) == ({str(KEY): 1}, 0)


# What fails to load


def _children_raise(self: Block) -> Any:
    if self.scope_ids.block_type == "sequential" and self.scope_ids.usage_id.block_id == "s1":
        raise RuntimeError("a third-party block")
    return [self._child(ref) for ref in self._data.children]


def _name_raises(self: Block) -> str:
    if self.location.block_id == "h1":
        raise RuntimeError("a third-party block")
    return str(self.location.block_id)


def test_children_that_fail_to_load_are_left_out(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    publish(block("chapter", "c1", None, block("sequential", "s1")))
    write(KEY)
    assert ids(blocks(clickhouse)) == ["course", "c1", "s1"]
    assert warnings(caplog) == [
        f"Course {KEY} is written as far as it can be: {PREFIX}html+block@fails_to_load failed to load"
    ]


def test_children_given_as_none_are_left_out(
    clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some releases of the platform give those that failed to load."""
    publish(block("chapter", "c1", block("sequential", "s1")))
    get_children = Block.get_children
    monkeypatch.setattr(Block, "get_children", lambda self: [None, *get_children(self)])
    write(KEY)
    assert ids(blocks(clickhouse)) == ["course", "c1", "s1"]
    assert warnings(caplog) == [
        f"Course {KEY} is written as far as it can be: a child of {PREFIX}course+block@course failed to load; "
        f"a child of {PREFIX}chapter+block@c1 failed to load; a child of {PREFIX}sequential+block@s1 failed to load"
    ]


def test_blocks_that_cannot_be_built_are_problems(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    modulestore().create_course(KEY, block("course", "course", *TREE), DETACHED)
    for type_, id_ in (("sequential", "s1"), ("problem", "p1"), ("about", "overview")):
        modulestore().break_block(KEY.make_usage_key(type_, id_))
    factories.publish_course(KEY, loudly=False)
    write(KEY)
    found = blocks(clickhouse)
    assert ids(found) == ["course", "c1", "s2", "v3", "c2", "s3", "v4", "x1", "updates", "tab_a", "tab_b"]
    assert [row["order"] for row in found] == list(range(1, 12))
    assert warnings(caplog) == [
        f"Course {KEY} is written as far as it can be: {PREFIX}sequential+block@s1 failed to load; "
        f"{PREFIX}problem+block@p1 failed to load; {PREFIX}error+block@{sha1(b'about overview').hexdigest()} "
        "could not be built"
    ]


def test_a_course_that_cannot_be_built_lands_without_its_tree(
    clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    publish(*TREE, detached=DETACHED)
    modulestore().break_block(KEY.make_usage_key("course", "course"))
    modulestore().publish(KEY, emit_signals=False)
    assert write(KEY).rows == {"course_overviews": 1, "course_blocks": 4}
    assert ids(blocks(clickhouse)) == ["overview", "updates", "tab_a", "tab_b"]
    (warning,) = warnings(caplog)
    assert warning.endswith(f"{PREFIX}error+block@{sha1(b'course course').hexdigest()} could not be built")


def test_a_block_with_two_parents_is_written_at_its_first_place(
    clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    publish(*TREE)
    modulestore().add_child(KEY.make_usage_key("chapter", "c2"), KEY.make_usage_key("sequential", "s2"))
    modulestore().publish(KEY, emit_signals=False)
    write(KEY)
    found = blocks(clickhouse)
    assert ids(found) == list(NUMBERS)[:13]
    section = {
        id_: (row["data"]["section"], row["data"]["subsection"]) for id_, row in zip(ids(found), found, strict=True)
    }
    assert (section["s2"], section["p1"], section["x1"]) == ((1, 2), (1, 2), (2, 1))
    assert warnings(caplog) == [
        f"Course {KEY} is written as far as it can be: {PREFIX}sequential+block@s2 is in the course more than once: "
        "only its first place is written"
    ]


def test_blocks_of_different_types_may_share_an_id(clickhouse: ClickHouse) -> None:
    """Courses imported from XML have such."""
    publish(block("chapter", "week1", block("sequential", "week1", block("vertical", "week1"))))
    assert not write(KEY).warnings
    assert ids(blocks(clickhouse)) == ["course", "week1", "week1", "week1"]


@pytest.mark.parametrize("child", [("course", "course"), ("chapter", "c1"), ("vertical", "v1")])
def test_a_tree_with_a_cycle_comes_to_an_end(
    child: tuple[str, str], clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture
) -> None:
    publish(*TREE)
    modulestore().add_child(KEY.make_usage_key("vertical", "v1"), KEY.make_usage_key(*child))
    modulestore().publish(KEY, emit_signals=False)
    write(KEY)
    assert ids(blocks(clickhouse)) == list(NUMBERS)[:13]
    assert warnings(caplog) == [
        f"Course {KEY} is written as far as it can be: {PREFIX}{child[0]}+block@{child[1]} is in the course more than "
        "once: only its first place is written"
    ]


def _in_tree_order(children: dict[str, list[str]], id_: str, seen: list[str]) -> list[str]:
    """Each block below, at its first place."""
    if id_ not in seen:
        seen.append(id_)
        for child in children.get(id_, ()):
            _in_tree_order(children, child, seen)
    return seen


IDS = ("course", "a", "b", "c", "d", "e")


@given(children=st.dictionaries(st.sampled_from(IDS), st.lists(st.sampled_from(IDS), max_size=5)))
@example(children={"course": ["a", "b"], "a": ["c"], "b": ["c", "a"], "c": ["course"]})
def test_whatever_hangs_where_each_block_is_written_once_at_its_first_place(children: dict[str, list[str]]) -> None:
    places = {id_: ("course" if id_ == "course" else "html", id_) for id_ in IDS}
    datas = [BlockData(*places[id_], {}, tuple(places[child] for child in children.get(id_, ()))) for id_ in IDS]
    structure = Structure("published-branch", {data.ref: data for data in datas})
    walk = _Walk(KEY, {})
    walk.add_tree(CourseBlock(structure, KEY, datas[0]))
    expected = _in_tree_order(children, "course", [])
    assert [row[2].rpartition("@")[2] for row in walk.rows] == expected
    more = sum(len(children.get(id_, ())) for id_ in expected) - (len(expected) - 1)
    assert sum("more than once" in problem for problem in walk.problems) == more


def test_comparison_looks_at_what_is_published_too(clickhouse: ClickHouse, service: str) -> None:
    publish(block("chapter", "c1", block("video", "x1", start_time=timedelta(seconds=5))), detached=DETACHED)
    factories.make_ccx(KEY)
    sink = CourseOverviewSink()
    sink.write(sink.read(Selection()), STAMP)
    modulestore().edit(KEY.make_usage_key("chapter", "c1"), display_name="draft")
    assert compare.compare(CourseOverviewSink()).equal
    modulestore().publish(KEY, emit_signals=False)
    assert not compare.compare(CourseOverviewSink()).equal


def test_a_detached_block_in_the_tree_is_written_once(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    publish(block("chapter", "c1", block("static_tab", "tab_a")), detached=(block("static_tab", "tab_b"),))
    write(KEY)
    found = blocks(clickhouse)
    assert ids(found) == ["course", "c1", "tab_a", "tab_b"]
    assert [row["data"]["detached"] for row in found] == [0, 0, 0, 1]
    (warning,) = warnings(caplog)
    assert f"{PREFIX}static_tab+block@tab_a is in the course more than once" in warning


def test_get_children_that_raises_costs_only_what_is_below(
    clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(*TREE)
    monkeypatch.setattr(Block, "get_children", _children_raise)
    write(KEY)
    found = blocks(clickhouse)
    assert ids(found) == ["course", "c1", "s1", "s2", "v3", "p1", "c2", "s3", "v4", "x1"]
    assert [row["order"] for row in found] == list(range(1, 11))
    assert found[3]["data"]["subsection"] == 2
    (warning,) = warnings(caplog)
    assert "+type@sequential+block@s1" in warning
    assert "RuntimeError: a third-party block" in warning


def test_a_block_that_raises_is_left_out_and_the_rest_lands(
    clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(*TREE)
    monkeypatch.setattr(Block, "display_name_with_default", property(_name_raises))
    write(KEY)
    found = blocks(clickhouse)
    assert ids(found) == [id_ for id_ in list(NUMBERS)[:13] if id_ != "h1"]
    assert [row["order"] for row in found] == list(range(1, 13))
    (warning,) = warnings(caplog)
    assert "block@h1 could not be read: RuntimeError: a third-party block" in warning


def test_missing_edited_on_is_empty(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    publish(block("chapter", "c1", edited_on=None))
    write(KEY)
    assert [row["edited_on"] for row in blocks(clickhouse)] == ["2026-01-01 10:00:00+00:00", ""]
    (warning,) = warnings(caplog)
    assert warning.endswith("block-v1:Org+Course+2026+type@chapter+block@c1 has no edited_on")


def test_null_grade_lands_with_a_warning(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    publish(grading_policy={"GRADE_CUTOFFS": "none"})
    write(KEY)
    (course,) = rows(clickhouse, "course_overviews")
    assert json.loads(course["course_data_json"])["lowest_passing_grade"] is None
    (warning,) = warnings(caplog)
    assert "lowest_passing_grade is null" in warning


def test_a_grade_is_a_number(clickhouse: ClickHouse) -> None:
    publish(grading_policy={"GRADE_CUTOFFS": {"A": 0.9, "Pass": 0.55}})
    write(KEY)
    (course,) = rows(clickhouse, "course_overviews")
    assert '"lowest_passing_grade": 0.55,' in course["course_data_json"]


def test_a_vanished_course_lands_without_blocks(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    publish(*TREE)
    modulestore().vanish(KEY)
    written = write(KEY)
    assert written.rows == {"course_overviews": 1, "course_blocks": 0}
    assert blocks(clickhouse) == []
    assert [row["course_key"] for row in rows(clickhouse, "course_overviews")] == [str(KEY)]
    assert warnings(caplog) == [f"Course {KEY} is written as far as it can be: it is gone from the modulestore"]
    assert written.warnings == warnings(caplog)


def test_one_warning_per_course_however_much_is_wrong(clickhouse: ClickHouse, caplog: pytest.LogCaptureFixture) -> None:
    publish(*[block("chapter", f"c{i}", None, edited_on=None) for i in range(20)], grading_policy={})
    other = publish(block("chapter", "c1", None), key=factories.make_course_key())
    fine = publish(block("chapter", "c1"), key=factories.make_course_key())
    write(KEY, other, fine)
    first, second = sorted(warnings(caplog), key=lambda text: str(KEY) not in text)
    assert first.count(";") == 5
    assert first.endswith("; and 36 more")
    assert str(other) in second
    assert len(rows(clickhouse, "course_overviews")) == 3


# What stays in memory


class CountedCache(dict[str, Any]):
    """A request cache's structures, which knows how many it held at most."""

    most = 0

    def __setitem__(self, version: str, structure: Any) -> None:
        super().__setitem__(version, structure)
        self.most = max(self.most, len(self))


def test_a_backfill_keeps_one_structure_at_a_time(clickhouse: ClickHouse, all_on: None) -> None:
    """200 courses are what the promise is about: that takes more than a second."""
    keys = [publish(block("chapter", "c1"), key=factories.make_course_key()) for _ in range(200)]
    RequestCache.clear_all_namespaces()
    cache = DEFAULT_REQUEST_CACHE.data["course_cache"] = CountedCache()
    call_command("dump_data_to_clickhouse", object="course_overviews", force=True, stdout=StringIO())
    assert len(rows(clickhouse, "course_overviews")) == len(keys)
    assert (cache.most, len(cache)) == (1, 0)
    assert len(RequestCache("course_index_cache").data) == 1


def test_structures_that_the_request_has_read_before_stay() -> None:
    publish(*TREE)
    own = publish(key=factories.make_course_key())
    RequestCache.clear_all_namespaces()
    modulestore().get_course(own.for_branch("published-branch"))
    (version,) = DEFAULT_REQUEST_CACHE.data["course_cache"]
    with edx_platform.published_course(KEY) as (course, _detached):
        assert course is not None
        assert len(DEFAULT_REQUEST_CACHE.data["course_cache"]) == 2
    XBlockSink().read(Selection(keys=[own]))
    assert list(DEFAULT_REQUEST_CACHE.data["course_cache"]) == [version]


# Custom courses


@pytest.mark.parametrize(
    ("configured", "follows"),
    [
        ({"CUSTOM_COURSES_EDX": True}, True),
        ({"CUSTOM_COURSES_EDX": False, "FEATURES": {"CUSTOM_COURSES_EDX": True}}, False),
        ({"FEATURES": {"CUSTOM_COURSES_EDX": True}}, True),
        ({"FEATURES": {}}, False),
    ],
    ids=["on", "off", "on in FEATURES", "nowhere"],
)
def test_custom_courses_follow_their_master(
    configured: dict[str, Any], follows: bool, clickhouse: ClickHouse, all_on: None, settings: Any
) -> None:
    publish(*TREE)
    ccx = factories.make_ccx(KEY, "CCX of a coach")
    if "CUSTOM_COURSES_EDX" not in configured:
        del settings.CUSTOM_COURSES_EDX
    for name, value in configured.items():
        setattr(settings, name, value)
    outbox.record("course_overviews", [KEY])
    deliver_changes("course_overviews")
    found = latest(clickhouse, "course_overviews", "course_key")
    assert set(found) == {str(KEY), *([str(ccx)] if follows else [])}
    of_ccx = blocks(clickhouse, ccx)
    assert ids(of_ccx) == (ids(blocks(clickhouse)) if follows else [])
    if follows:
        assert found[str(ccx)]["display_name"] == "CCX of a coach"
        assert of_ccx[0]["location"] == str(ccx.make_usage_key("course", "course"))


def test_a_ccx_model_that_is_not_there_means_no_custom_courses(clickhouse: ClickHouse, settings: Any) -> None:
    publish(*TREE)
    factories.make_ccx(KEY)
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG,
        "custom_course_edx": {"module": "nowhere", "model": "CustomCourseForEdX"},
    }
    assert list(CourseOverviewSink().dependents([KEY])) == []


# What is due


def test_courses_published_since_their_last_dump_are_due_in_one_query(clickhouse_http: ClickHouseEndpoint) -> None:
    stale, fresh, new = sorted((factories.make_course() for _ in range(3)), key=str)
    moment = CourseOverview.objects.get(pk=fresh).modified
    write(stale, stamp=moment - timedelta(days=1))
    write(fresh, stamp=moment + timedelta(days=1))
    sink = CourseOverviewSink()
    clickhouse_http.clear()
    reasons = sink.skip_reasons(sink.read(Selection(keys=[stale, fresh, new])))
    sink.skip_reasons(sink.read(Selection(keys=[stale])))
    assert [reason is None for reason in reasons] == [True, False, True]
    assert reasons[1] is not None
    assert reasons[1].startswith("published 20")
    assert ", dumped 20" in reasons[1]
    assert len(clickhouse_http.requests) == 1


def test_the_last_of_several_dumps_decides(clickhouse: ClickHouse) -> None:
    key = factories.make_course()
    moment = CourseOverview.objects.get(pk=key).modified
    write(key, stamp=moment + timedelta(days=1))
    write(key, stamp=moment - timedelta(days=1))
    sink = CourseOverviewSink()
    assert sink.skip_reasons(sink.read(Selection(keys=[key]))) != [None]
    # Published in the very moment of the dump: its rows are there.
    CourseOverview.objects.filter(pk=key).update(modified=moment + timedelta(days=1))
    assert sink.skip_reasons(sink.read(Selection(keys=[key]))) != [None]
    CourseOverview.objects.filter(pk=key).update(modified=moment + timedelta(days=1, microseconds=1))
    assert CourseOverviewSink().skip_reasons(sink.read(Selection(keys=[key]))) == [None]


# What a publish costs


def _queries_of_a_publish(number_of_blocks: int, tagged: int) -> tuple[list[str], CourseKey]:
    """The SQL of recording and delivering a publish of a course of about so many blocks, and the course."""
    key = factories.make_course(chapters=10, sequentials=10, leaves=number_of_blocks // 100 - 2)
    tag = factories.make_tag_branch("root", "branch", "leaf")[-1]
    leaves = modulestore().get_items(key, qualifiers={"category": ["html", "problem"]})
    columns = {"taxonomy": tag.taxonomy, "tag": tag, "_value": "leaf", "_export_id": "x"}
    object_tag = type(factories.make_object_tag(key, tag))
    object_tag.objects.bulk_create(
        object_tag(object_id=str(leaf.location.for_branch(None)), **columns) for leaf in leaves[: tagged - 1]
    )
    Change.objects.all().delete()
    with CaptureQueriesContext(connection) as captured:
        outbox.record("course_overviews", [key])
        delivered = deliver_changes("course_overviews")
    assert delivered.status == "delivered"
    assert not Change.objects.exists()
    return [query["sql"] for query in captured], key


@pytest.mark.django_db(transaction=True)
def test_a_publish_takes_at_most_15_queries_whatever_the_number_of_blocks(clickhouse: ClickHouse, all_on: None) -> None:
    take_stamp("course_overviews")
    small, _ = _queries_of_a_publish(500, 50)
    large, key = _queries_of_a_publish(5_000, 1_000)
    assert len(small) == len(large) <= 15, "\n".join(large)
    found = blocks(clickhouse, key)
    assert 4_900 < len(found) < 5_100
    assert sum(len(row["data"]["tags"]) == 3 for row in found) == 999


@pytest.mark.django_db(transaction=True)
def test_the_signal_of_a_publish_costs_the_platform_no_more_than_the_recording(all_on: None) -> None:
    key = factories.make_course()
    COURSE_PUBLISHED.send_robust(sender=type(modulestore()), course_key=key)
    Change.objects.all().delete()
    with CaptureQueriesContext(connection) as captured:
        outbox.record("course_overviews", [key])
    recording = len(captured)
    with CaptureQueriesContext(connection) as captured:
        CourseOverview.load_from_module_store(key)
    platform = len(captured)
    with CaptureQueriesContext(connection) as captured:
        COURSE_PUBLISHED.send_robust(sender=type(modulestore()), course_key=key)
    assert len(captured) == recording + platform
