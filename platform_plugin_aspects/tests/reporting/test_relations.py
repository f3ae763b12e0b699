"""Each relation exists as its header says."""

from __future__ import annotations

from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.state import Status
from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.sinks.course_enrollment_sink import CourseEnrollmentSink
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.tests.reporting.site import rows
from test_utils import factories

COURSE = CourseKey.from_string("course-v1:Org+Sky+2026")


def test_all_relations_are_made_with_the_columns_of_their_headers(reports: Reports) -> None:
    assert {state.relation.name: state.status for state in reports.states()} == {
        relation.name: Status.CURRENT for relation in reports.relations
    }
    sql = "SELECT table, name FROM system.columns WHERE database = {database:String} ORDER BY table, position"
    found: dict[str, list[str]] = {}
    for table, name in reports.client.select(sql, {"database": reports.layout.database}):
        found.setdefault(table, []).append(name)
    for relation in reports.relations:
        assert found[relation.name] == [column.name for column in relation.columns], relation.name


def tree(name: str, *leaves: dict[str, Any]) -> dict[str, Any]:
    """A course with one unit, which holds these blocks."""
    fields = {"display_name": name}
    unit = {"type": "vertical", "id": "u", "fields": {"display_name": "Unit"}, "children": list(leaves)}
    subsection = {"type": "sequential", "id": "s", "fields": {"display_name": "Lesson", "graded": True}}
    section = {"type": "chapter", "id": "c", "fields": {"display_name": f"Week of {name}"}}
    section["children"] = [subsection | {"children": [unit]}]
    return {"type": "course", "id": "course", "fields": fields, "children": [section]}


def publish(found: dict[str, Any]) -> None:
    """Publish this tree, and deliver it."""
    modulestore().clear()
    modulestore().create_course(COURSE, found)
    factories.publish_course(COURSE, loudly=False)
    sink = CourseOverviewSink()
    sink.write(sink.read(Selection()), timezone.now())


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
def test_names_and_structure_follow_a_publish(reports: Reports) -> None:
    publish(tree("Sky", {"type": "problem", "id": "p"}, {"type": "video", "id": "v"}))
    columns = ("section", "subsection", "unit", "block_type", "block_id", "section_name", "unit_name", "graded")

    def structure() -> list[tuple[Any, ...]]:
        some = sorted(rows(reports, "course_structure"), key=lambda row: row["course_order"])
        return [tuple(row[name] for name in columns) for row in some]

    head = ("Week of Sky", "", False)
    assert structure()[:4] == [
        (0, 0, 0, "course", "course", "", "", False),
        (1, 0, 0, "chapter", "c", *head),
        (1, 1, 0, "sequential", "s", "Week of Sky", "", True),
        (1, 1, 1, "vertical", "u", "Week of Sky", "Unit", structure()[3][-1]),
    ]
    assert [row[3:5] for row in structure()[4:]] == [("problem", "p"), ("video", "v")]
    assert [row["block_id"] for row in rows(reports, "video_watch")] == ["v"]

    publish(tree("Stars", {"type": "problem", "id": "p", "fields": {"display_name": "Suns"}}))

    # The video is gone, the problem and the week have other names.
    assert [row[4:6] for row in structure()] == [
        *(("course", ""), ("c", "Week of Stars"), ("s", "Week of Stars")),
        *(("u", "Week of Stars"), ("p", "Week of Stars")),
    ]
    assert rows(reports, "video_watch") == []
    [problem] = rows(reports, "problem_performance")
    assert (problem["problem_name"], problem["learners"], problem["discrimination"]) == ("Suns", 0, None)
    [course] = rows(reports, "course_summary")
    assert (course["org"], course["course_name"], course["course_run"]) == ("Org", "Stars", "2026")
    assert (course["enrolled"], course["median_grade"], course["last_act"]) == (0, None, None)
    [unit] = rows(reports, "course_outline")
    assert (unit["unit_name"], unit["problems"], unit["videos"], unit["to_end_share"]) == ("Unit", 1, 0, None)


@pytest.mark.django_db
def test_enrollments_are_those_of_the_platform(reports: Reports) -> None:
    ada, ben = factories.make_user("ada"), factories.make_user("ben")
    for user in (ada, ben):
        factories.make_enrollment(user, COURSE, mode="audit")
    sink = CourseEnrollmentSink()
    sink.write(sink.read(Selection()), timezone.now())
    assert [(row["mode"], row["enrolled"]) for row in rows(reports, "enrollment_by_track")] == [("audit", 2)]
    CourseEnrollment.objects.filter(user=ada).update(mode="verified")
    CourseEnrollment.objects.filter(user=ben).update(is_active=False)

    sink.write(sink.read(Selection()), timezone.now())

    assert [(row["mode"], row["enrolled"]) for row in rows(reports, "enrollment_by_track")] == [("verified", 1)]


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
def test_a_block_that_says_nothing_of_completion_is_completed_by_learners_unless_it_is_beside_the_tree(
    reports: Reports,
) -> None:
    publish(tree("Sky", {"type": "html", "id": "h"}))
    table = reports.client.qualified("course_blocks")
    for mode, detached, expected in (("", 0, True), ("", 1, False), ("excluded", 0, False)):
        silent = f'{{"block_type": "html", "completion_mode": "{mode}", "detached": {detached}}}'
        reports.client.command(
            f"INSERT INTO {table} SELECT * REPLACE ({{json:String}} AS xblock_data_json, 'zz' AS org) FROM {table} "
            "WHERE location LIKE '%html@h' OR location LIKE '%block@h' LIMIT 1",
            {"json": silent},
        )
        [block] = [row for row in rows(reports, "course_structure") if row["block_id"] == "h"]
        assert bool(block["completable"]) is expected, (mode, detached)
        reports.client.command(f"ALTER TABLE {table} DELETE WHERE org = 'zz' SETTINGS mutations_sync = 2")
