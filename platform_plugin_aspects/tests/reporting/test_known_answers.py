"""The views show what the learners' scripts say, however the statements arrive."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.site import (
    FORMER,
    FORMER_END,
    empty,
    insert,
    make_class,
    merge,
    with_clock,
)
from platform_plugin_aspects.tests.reporting.ways import (
    WAYS,
    Way,
    assert_shown,
    known_answers,
)

#: Some of every kind; and one of each kind that does something, for the way that takes an insert per statement.
LEARNERS, FEW = 8, 4
#: Learners of the former run, whose course is smaller.
BEFORE = 3
SMALLEST_GROUP = 2
ONE_BY_ONE: dict[str, Way] = {"one by one": lambda school, _: insert(school.statements, 1)}


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
@pytest.mark.parametrize(("learners", "ways"), [(LEARNERS, WAYS), (FEW, ONE_BY_ONE)], ids=["in batches", "one by one"])
def test_the_views_show_the_known_answers(
    clickhouse: ClickHouse, reporting_database: str, tmp_path: Path, learners: int, ways: dict[str, Way]
) -> None:
    reports = Reports(clickhouse, with_clock(smallest_group=SMALLEST_GROUP))
    reports.create(go_on)
    school = make_class(learners, verticals=1 if learners == FEW else 2)
    former = make_class(BEFORE, verticals=1, course=FORMER, end=FORMER_END)
    known = known_answers(school, SMALLEST_GROUP, former)
    assert learners == FEW or all(known.values())

    for way, load in ways.items():
        empty(reports)
        insert(former.statements, len(former.statements))
        load(school, tmp_path)
        assert_shown(reports, known, f"{way}, before merges")
        merge(reports)
        assert_shown(reports, known, f"{way}, after merges")
    assert len(list(chain(*known.values()))) > 100
