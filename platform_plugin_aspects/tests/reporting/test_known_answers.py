"""The views show what the learners' scripts say, however the statements arrive."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.expected import HERE, VIEWS, Expected
from platform_plugin_aspects.tests.reporting.site import Class, empty, insert, make_class, merge, rows, with_clock

#: Two of every kind; and one of each kind that does something, for the way that takes an insert per statement.
LEARNERS, FEW = 12, 4
SMALLEST_GROUP = 2


def newest_half_first(school: Class, _folder: Path) -> None:
    middle = len(school.statements) // 2
    insert(school.statements[middle:], 50)
    insert(school.statements[:middle], 50)


def shuffled_twice(school: Class, _folder: Path) -> None:
    twice = [*school.statements, *school.statements]
    random.Random(5).shuffle(twice)
    insert(twice, 7)


def by_tracking_log(school: Class, folder: Path) -> None:
    """As the platform logs them; learner by learner, so not in order of time."""
    log = folder / "tracking.log"
    log.write_text("".join(f"{json.dumps(event)}\n" for pupil in school.pupils for event in pupil.events))
    call_command("aspects_load_tracking_logs", str(log), "--even_if_off", "--no-progress", stdout=StringIO())


#: How the statements, which are in order of time, come in.
WAYS: dict[str, Callable[[Class, Path], None]] = {
    "in one insert": lambda school, _: insert(school.statements, len(school.statements)),
    "in batches of 20": lambda school, _: insert(school.statements, 20),
    "newest half first": newest_half_first,
    "shuffled by 7, everything twice": shuffled_twice,
    "by tracking log": by_tracking_log,
}
ONE_BY_ONE: dict[str, Callable[[Class, Path], None]] = {"one by one": lambda school, _: insert(school.statements, 1)}


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
@pytest.mark.parametrize(("learners", "ways"), [(LEARNERS, WAYS), (FEW, ONE_BY_ONE)], ids=["in batches", "one by one"])
def test_the_views_show_the_known_answers(
    clickhouse: ClickHouse,
    reporting_database: str,
    tmp_path: Path,
    learners: int,
    ways: dict[str, Callable[[Class, Path], None]],
) -> None:
    reports = Reports(clickhouse, with_clock(smallest_group=SMALLEST_GROUP))
    reports.create(go_on)
    school = make_class(learners, verticals=1 if learners == FEW else 2)
    expected = Expected(school, smallest_group=SMALLEST_GROUP)
    known = {name: getattr(expected, name)() for name in VIEWS}
    known = {name: some if name == "course_outline" else sorted(some, key=repr) for name, some in known.items()}
    assert learners == FEW or all(known.values())

    for way, load in ways.items():
        empty(reports)
        load(school, tmp_path)
        for when in ("before merges", "after merges"):
            found = shown(reports)
            for name in VIEWS:
                # Shares are rounded, and halves may go either way.
                assert found[name] == list(map(about, known[name])), f"{name}, {way}, {when}"
            merge(reports)
    assert len(list(chain(*known.values()))) > 100
