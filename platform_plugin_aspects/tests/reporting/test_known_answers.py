"""The views show what the learners' scripts say, however the statements arrive."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import platform_plugin_aspects
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.reporting.relation import relations
from platform_plugin_aspects.tests.reporting.expected import VIEWS
from platform_plugin_aspects.tests.reporting.site import (
    FORMER,
    FORMER_END,
    SMALLEST_GROUP,
    empty,
    insert,
    make_class,
    merge,
)
from platform_plugin_aspects.tests.reporting.ways import WAYS, Way, assert_shown, known_answers, table_row

#: Enough for thirds of those who answered; and one of each kind that does something, for an insert per statement.
LEARNERS, FEW = 8, 4
#: Learners of the former run, whose course is smaller.
BEFORE = 3
TABLE = Path(platform_plugin_aspects.__file__).parents[1] / "docs/concepts/reports-ways.inc"
ONE_BY_ONE: dict[str, Way] = {"one by one": lambda school, _: insert(school.statements, 1)}


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
@pytest.mark.parametrize(("learners", "ways"), [(LEARNERS, WAYS), (FEW, ONE_BY_ONE)], ids=["in batches", "one by one"])
def test_the_views_show_the_known_answers(
    reports: Reports, tmp_path: Path, learners: int, ways: dict[str, Way]
) -> None:
    school = make_class(learners, verticals=1)
    former = make_class(BEFORE, verticals=1, course=FORMER, end=FORMER_END)
    known = known_answers(school, SMALLEST_GROUP, former)
    table = TABLE.read_text(encoding="utf-8")
    assert table_row(f"*{learners} learners' scripts*", known) in table
    assert learners == FEW or all(known.values())
    assert learners == FEW or {row["discrimination"] is None for row in known["problem_performance"]} == {True, False}

    for way, load in ways.items():
        empty(reports)
        insert(former.statements, len(former.statements))
        load(school, tmp_path)
        assert_shown(reports, known, f"{way}, before merges")
        merge(reports)
        found = assert_shown(reports, known, f"{way}, after merges")
        assert table_row(way, found) in table, "Correct docs/concepts/reports-ways.inc"


def test_every_view_for_boards_has_known_answers() -> None:
    assert {relation.name for relation in relations() if relation.is_for_boards} == set(VIEWS)


def test_the_table_in_the_documentation_has_a_row_for_each_way() -> None:
    ways = ["*8 learners' scripts*", *WAYS, "*4 learners' scripts*", *ONE_BY_ONE]
    assert re.findall(r"^   \* - (.+)$", TABLE.read_text(encoding="utf-8"), re.MULTILINE) == ["Way", *ways]
