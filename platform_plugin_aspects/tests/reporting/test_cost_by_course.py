"""A board of one course reads that course only: each table is read by its key."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.tests.reporting.site import COURSE, insert, make_class

BOARDS = [relation.name for relation in relations() if relation.is_for_boards and not relation.is_personal]
#: It shows former runs, too, and a filter on this run does not say which these are.
BY_ORGANIZATION = ("run_comparison",)


@pytest.fixture
def full(reports: Reports, empty_store: None) -> Reports:
    """The reports, with rows in every table."""
    school = make_class(6)
    insert(school.statements, 1_000)
    return reports


def reads(reports: Reports, name: str, where: str) -> list[dict[str, Any]]:
    """The tables that a query reads, each with the condition on its primary key."""
    plan = reports.client.select(f"EXPLAIN indexes = 1 SELECT * FROM {reports.layout.qualified(name)} WHERE {where}")
    found: list[dict[str, Any]] = []
    for (line,) in plan:
        if table := re.search(r"ReadFromMergeTree \(([^)]+)\)", line):
            found.append({"table": table[1], "condition": ""})
        elif (condition := re.search(r"Condition: (.+)", line)) and found:
            found[-1]["condition"] += condition[1]
    return found


@pytest.mark.django_db
def test_every_table_behind_a_board_is_read_by_course(full: Reports) -> None:
    unfiltered = {}
    for name in BOARDS:
        if name in BY_ORGANIZATION:
            continue
        found = reads(full, name, f"org = '{COURSE.org}' AND course_key = '{COURSE}'")
        assert found, name
        unfiltered |= {
            (name, read["table"].rpartition(".")[2]): read["condition"]
            for read in found
            if "course_key in ['course-v1:Org+Sky+2026', 'course-v1:Org+Sky+2026']" not in read["condition"]
        }
    assert unfiltered == {}


@pytest.mark.django_db
@pytest.mark.parametrize("name", BY_ORGANIZATION)
def test_a_board_of_several_runs_reads_one_organization(full: Reports, name: str) -> None:
    found = reads(full, name, f"org = '{COURSE.org}' AND course_key = '{COURSE}'")
    assert found
    assert [read for read in found if "org in ['Org', 'Org']" not in read["condition"]] == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", [relation.name for relation in relations() if relation.is_personal])
def test_a_board_with_names_reads_other_courses_only_in_tables_that_know_no_course(full: Reports, name: str) -> None:
    found = reads(full, name, f"org = '{COURSE.org}' AND course_key = '{COURSE}'")
    tables = {read["table"].rpartition(".")[2] for read in found if str(COURSE) not in read["condition"]}
    assert tables == {"external_id", "user_profile"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("course_summary", {"activity", "course_blocks", "course_enrollment", "course_overviews", "marks"}),
        ("course_summary_before", {"activity", "course_blocks", "course_enrollment", "course_overviews", "events"}),
        ("learner_status", {"activity", "answers", "course_blocks", "marks", "videos"}),
    ],
)
def test_what_a_page_waits_for_reads_each_table_once(full: Reports, name: str, tables: set[str]) -> None:
    found = reads(full, name, f"org = '{COURSE.org}' AND course_key = '{COURSE}'")
    # A table of the reports has its definition in its name: marks_v0123456789_1.
    read = Counter(re.sub(r"_v[0-9a-f]{10}_\d+$", "", each["table"].rpartition(".")[2]) for each in found)
    assert read == dict.fromkeys(tables, 1)
