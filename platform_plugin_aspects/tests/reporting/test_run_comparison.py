"""A run beside former ones: weeks from the start, which runs are compared, and which numbers are hidden."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.tests.reporting.conftest import go_on
from platform_plugin_aspects.tests.reporting.site import rows, with_clock
from platform_plugin_aspects.tests.reporting.test_hostile_statements import COURSE_TYPE, INTERACTION, LMS, statement

COLUMNS = ("run", "week", "enrolled", "active")
PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"


def key(run: str) -> str:
    return f"course-v1:Org+Sky+{run}"


@pytest.fixture
def reports(clickhouse: ClickHouse) -> Reports:
    """The reports at the end of March 2026, without rows."""
    return made(clickhouse)


def made(clickhouse: ClickHouse, **rules: Any) -> Reports:
    found = Reports(clickhouse, with_clock(**{"smallest_group": 1, **rules}))
    found.create(go_on)
    return found


def start(reports: Reports, course: str, at: str, dumped: str = "2026-01-01") -> None:
    """The platform has this course, which starts at a moment such as "2026-03-04 09:00:00+00:00"."""
    org = re.split("[:+/]", course.removeprefix("course-v1:").removeprefix("ccx-v1:"))[0]
    reports.client.command(
        f"INSERT INTO {reports.client.qualified('course_overviews')} "
        "(org, course_key, course_start, time_last_dumped) "
        "VALUES ({org:String}, {course:String}, {at:String}, {dumped:String})",
        {"org": org, "course": course, "at": at, "dumped": f"{dumped} 00:00:00.000000+00:00"},
    )


def act(reports: Reports, course: str, day: str, *actors: str, verb: str = "played") -> None:
    """These learners do something at noon of a day."""
    connection = reports.client.connection
    about_course = {"id": f"{LMS}/course/{course}", "definition": {"type": COURSE_TYPE}}
    for actor in actors:
        who = {"account": {"name": actor}}
        if verb in ("registered", "passed"):
            event = statement(verb, course, actor=who, object=about_course, context=None)
        elif verb == "progressed":
            event = statement(verb, course, "html+block@h", actor=who, result={"extensions": {PROGRESS: 100}})
        else:
            event = statement(verb, course, actor=who)
            if verb == "evaluated":
                event["object"]["definition"] = {"type": INTERACTION}
        reports.client.command(
            f"INSERT INTO `{connection.xapi_database}`.`{connection.xapi_table}` "
            "VALUES ({id:UUID}, {at:String}, {event:String})",
            {"id": str(uuid.uuid4()), "at": f"{day} 12:00:00", "event": json.dumps(event)},
        )


def shown(
    reports: Reports, course: str = "course-v1:Org+Sky+2026", columns: tuple[str, ...] = COLUMNS
) -> list[tuple[Any, ...]]:
    """The rows for a run, by compared run and week."""
    found = rows(reports, "run_comparison", f"org = 'Org' AND course_key = '{course}'")
    found.sort(key=lambda row: (row["runs_back"], row["week"]))
    return [tuple(row[column] for column in columns) for row in found]


def test_weeks_are_counted_from_each_runs_own_start(reports: Reports) -> None:
    # Wednesdays, both.
    start(reports, key("2026"), "2026-03-04 09:00:00+00:00")
    start(reports, key("2025"), "2025-03-05 09:00:00+00:00")
    act(reports, key("2026"), "2026-02-20", "ada", "ben", verb="registered")
    act(reports, key("2026"), "2026-03-03", "ada")
    # The first seven days are week 1; the eighth is in week 2.
    act(reports, key("2026"), "2026-03-04", "ada")
    act(reports, key("2026"), "2026-03-10", "ada", "ben")
    act(reports, key("2026"), "2026-03-11", "cem")
    act(reports, key("2026"), "2026-03-12", "cem", verb="registered")
    act(reports, key("2025"), "2025-03-05", "dan", verb="registered")
    act(reports, key("2025"), "2025-03-20", "dan")

    assert shown(reports) == [
        *[("2026", 0, 2, 1), ("2026", 1, 2, 2), ("2026", 2, 3, 1)],
        *[("2025", 0, 0, 0), ("2025", 1, 1, 0), ("2025", 2, 1, 0), ("2025", 3, 1, 1)],
    ]
    assert shown(reports, key("2025")) == [
        ("2025", week, *numbers) for week, *numbers in [(0, 0, 0), (1, 1, 0), (2, 1, 0), (3, 1, 1)]
    ]


def test_what_learners_do_is_counted_week_by_week(reports: Reports) -> None:
    start(reports, key("2026"), "2026-03-16 00:00:00+00:00")
    act(reports, key("2026"), "2026-03-16", "ada", "ben", "cem", "dan", verb="registered")
    act(reports, key("2026"), "2026-03-17", "ada", "ben", "ben", verb="evaluated")
    act(reports, key("2026"), "2026-03-18", "ada", verb="progressed")
    act(reports, key("2026"), "2026-03-19", "ada", verb="passed")
    act(reports, key("2026"), "2026-03-24", "cem", verb="progressed")
    act(reports, key("2026"), "2026-03-25", "ada", "ben", verb="passed")
    columns = ("week", "is_over", "active", "active_share", "answering", "completing", "passed")

    # It is midnight after 30 March: the third week has begun.
    assert shown(reports, columns=columns) == [
        (0, True, 0, None, 0, 0, 0),
        (1, True, 2, 0.5, 2, 1, 1),
        (2, True, 1, 0.25, 0, 1, 2),
    ]
    act(reports, key("2026"), "2026-03-30", "dan")
    assert shown(reports, columns=columns)[3:] == [(3, False, 1, 0.25, 0, 0, 2)]


def test_a_run_without_a_start_begins_with_its_first_act(reports: Reports) -> None:
    invalid = ["", "2030-01-01 00:00:00+00:00", "1970-01-01 00:00:00+00:00", "2150-01-01 00:00:00+00:00", "some day"]
    columns = ("week", "starts_on", "enrolled", "active")
    for number, at in enumerate(invalid):
        # Courses of one run each.
        course = f"course-v1:Org+Sky{number}+2026"
        start(reports, course, at)
        act(reports, course, "2026-03-01", "ada", verb="registered")
        assert shown(reports, course, columns)[1] == (1, date(2026, 3, 1), 1, 0)
        act(reports, course, "2026-03-05", "ada")
        act(reports, course, "2026-03-12", "ada")
        assert shown(reports, course, columns) == [
            (week, date(2026, 3, 5), 1, active) for week, active in [(0, 0), (1, 1), (2, 1)]
        ]


def test_a_start_that_moves_moves_the_weeks(reports: Reports) -> None:
    start(reports, key("2026"), "2026-03-04 09:00:00+00:00")
    act(reports, key("2026"), "2026-03-04", "ada")
    assert shown(reports) == [("2026", 0, 0, 0), ("2026", 1, 0, 1)]
    start(reports, key("2026"), "2026-03-05 09:00:00+00:00", dumped="2026-01-02")
    assert shown(reports) == [("2026", 0, 0, 1)]


def test_only_former_runs_of_the_same_course_are_compared_and_only_the_last_ones(
    clickhouse: ClickHouse, reporting_database: str
) -> None:
    reports = made(clickhouse)
    for course, year in [
        *((key(run), run) for run in ("2020", "2021", "2022", "2024", "2026", "2027")),
        ("course-v1:Org+Sea+2023", "2023"),
        ("course-v1:Other+Sky+2023", "2023"),
        ("ccx-v1:Org+Sky+2023+ccx@1", "2023"),
        ("Org/Sky/2025", "2025"),
    ]:
        start(reports, course, f"{year}-01-05 00:00:00+00:00")
        act(reports, course, f"{year}-01-05" if year < "2027" else "2026-01-05", "ada")
    # Nobody has been in this one.
    start(reports, key("2023"), "2023-01-05 00:00:00+00:00")

    def runs(found: Reports, run: str = "2026") -> list[str]:
        return list(dict.fromkeys(row[0] for row in shown(found, key(run))))

    assert runs(reports) == ["2026", "2025", "2024", "2022"]
    assert runs(reports, "2020") == ["2020"]
    assert [row["run"] for row in rows(reports, "run_comparison", "course_key LIKE 'ccx%'")] == ["2023", "2023"]
    assert runs(made(clickhouse, runs_compared=1)) == ["2026", "2025"]
    assert runs(made(clickhouse, runs_compared=0)) == ["2026"]


def test_few_learners_of_a_former_run_are_hidden(clickhouse: ClickHouse, reporting_database: str) -> None:
    reports = made(clickhouse, smallest_group=3)
    for run in ("2025", "2026"):
        start(reports, key(run), f"{run}-03-02 00:00:00+00:00")
        act(reports, key(run), f"{run}-03-02", "ada", "ben", "cem", verb="registered")
        act(reports, key(run), f"{run}-03-02", "ada", "ben", verb="evaluated")
        act(reports, key(run), f"{run}-03-09", "ada", "ben", "cem", verb="evaluated")
        act(reports, key(run), f"{run}-03-09", "ada", "ben", verb="progressed")
        act(reports, key(run), f"{run}-03-09", "ada", "ben", verb="passed")
    columns = ("week", "enrolled", "active", "active_share", "answering", "completing", "passed")

    assert shown(reports, columns=columns) == [
        *[(0, 0, 0, None, 0, 0, 0), (1, 3, 2, 0.6667, 2, 0, 0), (2, 3, 3, 1.0, 3, 2, 2)],
        *[(0, 0, 0, None, 0, 0, 0), (1, 3, None, None, None, 0, 0), (2, 3, 3, 1.0, 3, None, None)],
    ]
    # The rule holds with personal data, too: a team may have no rights on the former run.
    found = shown(reports, columns=columns)
    for personal in (True, False):
        other = Reports(clickhouse, replace(reports.layout, personal=personal))
        other.create(go_on)
        assert shown(other, columns=columns) == found
