"""The last act: a course team asks, and the reports answer. Each answer is compared with the learners' scripts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.test import override_settings

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.reporting.layout import Layout
from test_utils.demo.learning import ON
from test_utils.demo.site import save_settings
from test_utils.demo.weeks import LOG, ROLES, Weeks

if TYPE_CHECKING:
    from test_utils.demo.day import Day


@dataclass(frozen=True)
class Question:
    """A team's question, the columns and the query of the answer, and the same by the scripts."""

    text: str
    head: Sequence[str]
    sql: str
    by_script: Callable[[Weeks], list[tuple[Any, ...]]]


#: {} is the reports' database, and {here} the course.
QUESTIONS = (
    Question(
        "Who is at risk, and why?",
        ("learner", "last visit", "grade", "reasons"),
        "SELECT name, toDate(last_visit), grade, reasons FROM {}.learner_status_with_names WHERE {here} AND at_risk "
        "ORDER BY name",
        Weeks.at_risk,
    ),
    Question(
        "Which problem teaches badly?",
        ("problem", "learners", "right at first", "frequent wrong answer", "by"),
        "SELECT problem_name, learners, right_first, wrong.answer, wrong.learners "
        "FROM {}.problem_performance AS problems INNER JOIN "
        "(SELECT usage_key, answer, learners FROM {}.problem_answers WHERE {here}) AS wrong "
        "ON wrong.usage_key = problems.usage_key WHERE {here} "
        "ORDER BY first_try_share, wrong.learners DESC LIMIT 1",
        Weeks.hard_problem,
    ),
    Question(
        "Where do learners stop?",
        ("unit", "reached by", "next unit", "reached by"),
        "SELECT unit_name, learners_reached, next_name, next_reached FROM (SELECT unit_name, learners_reached, "
        "leadInFrame(unit_name) OVER following AS next_name, "
        "leadInFrame(learners_reached) OVER following AS next_reached FROM {}.course_outline WHERE {here} "
        "WINDOW following AS (ORDER BY course_order ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)) "
        "ORDER BY toInt64(learners_reached) - toInt64(next_reached) DESC LIMIT 1",
        Weeks.last_unit,
    ),
    Question(
        "Which minute of a video is watched again?",
        ("video", "minute", "seconds played again"),
        "SELECT video_name, formatDateTime(toDateTime(intDiv(second, 60) * 60, 'UTC'), '%i:%S') AS minute, "
        "sum(rewatches) FROM {}.video_seconds WHERE {here} "
        "GROUP BY usage_key, video_name, minute ORDER BY 3 DESC LIMIT 1",
        Weeks.minute_again,
    ),
)


class Team:
    """The act, on the site of a day. ``day_users``: the learners of the day, in order."""

    def __init__(self, day: Day):
        self.day = day

    def ask(self, day_users: Sequence[int]) -> None:
        """Load two weeks, create the reports, ask. Raises DemoFailed if an answer is not that of the scripts."""
        paper, course = self.day.paper, self.day.demo.course_key
        paper.heading("The course team asks")
        weeks = Weeks(course, day_users)
        lines = weeks.write_log(self.day.folder)
        paper.say(
            f"{len(ROLES)} learners had begun the course two weeks ago, while learning events were off: {lines} lines "
            "of a tracking log. The operator loads it, and creates the reports from all statements:"
        )
        with contextlib.chdir(self.day.folder):
            self.day.run("aspects_load_tracking_logs", LOG, told=1)
        # The names of these learners.
        self.day.worker.run_until_quiet()
        reports_on = {"ASPECTS_REPORTING_ENABLED": True}
        save_settings(self.day.folder, **ON, **reports_on)
        with override_settings(**reports_on):
            self.day.run("aspects_reports", "create", told=-1)
        self.day.settle()
        for question in QUESTIONS:
            self.answer(question, weeks)
        paper.line()
        paper.say("Every answer is that of the learners' scripts.")

    def answer(self, question: Question, weeks: Weeks) -> None:
        """Ask the reports, compare, tell."""
        database = quote(Layout.from_settings().database)
        sql = question.sql.replace("{here}", "course_key = {course:String}").replace("{}", database)
        found = list(map(tuple, self.day.clickhouse.select(sql, {"course": str(weeks.structure.course)})))
        expected = question.by_script(weeks)
        self.day.expect(found == expected, f"{question.text} {found} is not what the scripts say: {expected}")
        self.day.paper.line()
        self.day.paper.line(question.text)
        told = [["-" if value is None else value for value in row] for row in found]
        self.day.paper.table(question.head, told)

    def headline(self) -> str:
        """The figure to remember."""
        return f"A course team's {len(QUESTIONS)} questions, answered by reports. Scripts and reports: equal."
