"""The views show what the learners' scripts say, however the statements arrive."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.expected import HERE, VIEWS, Expected
from platform_plugin_aspects.tests.reporting.site import empty, insert, make_class, merge, rows, with_clock
from platform_plugin_aspects.xapi.transform import Statement

LEARNERS = 12
SMALLEST_GROUP = 2


def shuffled_twice(statements: Sequence[Statement]) -> None:
    twice = [*statements, *statements]
    random.Random(5).shuffle(twice)
    insert(twice, 7)


#: The statements in order of time; how they are inserted.
WAYS: dict[str, Callable[[Sequence[Statement]], Any]] = {
    "in one insert": lambda statements: insert(statements, len(statements)),
    "in batches of 20": lambda statements: insert(statements, 20),
    "newest half first": lambda statements: (
        insert(statements[len(statements) // 2 :], 50),
        insert(statements[: len(statements) // 2], 50),
    ),
    "shuffled by 7, everything twice": shuffled_twice,
}


def shown(reports: Reports) -> dict[str, list[dict[str, Any]]]:
    """The rows of all views that Expected knows, without names and places."""
    found = {}
    for name, without in VIEWS.items():
        order = sorted(rows(reports, name), key=lambda row: row.get("course_order", 0))
        some = [{key: value for key, value in row.items() if key not in (*without, *HERE)} for row in order]
        assert all({key: row[key] for key in HERE} == HERE for row in order)
        found[name] = some if name == "course_outline" else sorted(some, key=repr)
    return found


def about(row: dict[str, Any]) -> dict[str, Any]:
    """A row that equals one whose shares are rounded the other way."""
    return {
        key: pytest.approx(value, abs=1.01e-4, rel=0) if isinstance(value, float) else value
        for key, value in row.items()
    }


@pytest.mark.django_db
@pytest.mark.usefixtures("empty_store")
def test_the_views_show_the_known_answers(clickhouse: ClickHouse, reporting_database: str) -> None:
    reports = Reports(clickhouse, with_clock(smallest_group=SMALLEST_GROUP))
    reports.create(go_on)
    school = make_class(LEARNERS)
    expected = Expected(school, smallest_group=SMALLEST_GROUP)
    known = {name: getattr(expected, name)() for name in VIEWS}
    known = {name: some if name == "course_outline" else sorted(some, key=repr) for name, some in known.items()}
    assert all(known.values())

    for way, load in WAYS.items():
        empty(reports)
        load(school.statements)
        for when in ("before merges", "after merges"):
            found = shown(reports)
            for name in VIEWS:
                # Shares are rounded, and halves may go either way.
                assert found[name] == list(map(about, known[name])), f"{name}, {way}, {when}"
            merge(reports)
    assert len(list(chain(*known.values()))) > 100
