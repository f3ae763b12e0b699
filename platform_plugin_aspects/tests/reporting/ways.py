"""The ways in which the statements of a class arrive, and the comparison of the views with the known answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.expected import VIEWS, Expected
from platform_plugin_aspects.tests.reporting.site import COURSE, Class, insert, rows

#: Loads the statements of a class. The folder is for a tracking log.
Way = Callable[[Class, Path], None]
#: The rows of each view, by its name.
Answers = dict[str, list[dict[str, Any]]]


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
WAYS: dict[str, Way] = {
    "in one insert": lambda school, _: insert(school.statements, len(school.statements)),
    "in batches of 20": lambda school, _: insert(school.statements, 20),
    "newest half first": newest_half_first,
    "shuffled by 7, everything twice": shuffled_twice,
    "by tracking log": by_tracking_log,
}


def known_answers(school: Class, smallest_group: int, former: Class | None = None) -> Answers:
    """The rows that the views must show, by the scripts alone. ``former``: the run before."""
    expected = Expected(school, former, smallest_group=smallest_group)
    return {name: expected.rows(name) for name in VIEWS}


def shown(reports: Reports) -> Answers:
    """The rows of all views for boards, of the class's course as boards ask for it, sorted by their keys."""
    return {
        name: sorted(
            rows(reports, name, f"course_key = '{COURSE}'"), key=lambda row, key=key: [row[column] for column in key]
        )
        for name, key in VIEWS.items()
    }


def assert_shown(reports: Reports, known: Answers, when: str) -> Answers:
    """The views show the known answers, and are returned. ``when`` is said of a failure."""
    found = shown(reports)
    for name in VIEWS:
        # Shares are rounded, and halves may go either way.
        assert found[name] == list(map(about, known[name])), f"{name}, {when}"
    return found


def table_row(way: str, found: Answers) -> str:
    """A row of the table in docs/concepts/reports-ways.inc: some telling numbers of the views."""
    watched, problems, learners = (found[name] for name in ("video_watch", "problem_performance", "learner_status"))

    def total(some: list[dict[str, Any]], column: str) -> int:
        return sum(row[column] for row in some)

    cells = (
        way,
        str(len(learners)),
        f"{total(watched, 'seconds_watched'):,} / {total(watched, 'seconds_played'):,}",
        f"{total(problems, 'right_first')} / {total(problems, 'learners')}",
        str(total([row for row in found["problem_answers"] if row["learners"] > 1], "learners")),
        f"{total(learners, 'passed')} / {sum(row['enrollment'] == 'left' for row in learners)}",
        str(total(learners, "at_risk")),
    )
    return "".join(f"   {'*' if number == 0 else ' '} - {cell}\n" for number, cell in enumerate(cells))


def about(row: dict[str, Any]) -> dict[str, Any]:
    """A row that equals one whose shares are rounded the other way."""
    return {
        key: pytest.approx(value, abs=1.01e-4, rel=0) if isinstance(value, float) else value
        for key, value in row.items()
    }
