"""Two weeks before the day: learners with scripts, the tracking log of these, and what the scripts say of a course.

No SQL here: the facts are those of the scripts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from common.djangoapps.student.models import CourseEnrollment
from django.contrib.auth.models import User
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.enact import Person, events_of
from platform_plugin_aspects.load_test.journeys.script import Kind, Script, Solve, Study, Visit, Watch
from platform_plugin_aspects.load_test.journeys.structure import Problem, Structure, Unit, read
from test_utils.demo.lms import LENGTH, PAGE, PAGE_AFTER, SEQUENCE, UNIT, WRONG_FIRST, pause

LOG = "last_weeks.log"
#: The units of the first section.
UNITS = 7
#: The problem that teaches badly is the fourth unit's, and the minute before it is the third of that unit's video.
HARD, AGAIN = 3, (120, 180)
KEEP_UP, STOP, STRUGGLE, GLANCE = range(4)
ROLES = (KEEP_UP, STOP, KEEP_UP, KEEP_UP, STRUGGLE, KEEP_UP, STOP, KEEP_UP, GLANCE, KEEP_UP, STOP, KEEP_UP, STRUGGLE)
ROLES += (KEEP_UP, KEEP_UP, STOP)
#: Those who keep up, and get the hard problem right at first.
RIGHT_FIRST = (0, 5, 9, 13)
PLAIN_NAME = "^[A-Z][a-z]+ [A-Z][a-z]+$"
#: The rules of reports, as the settings have them by default.
AWAY, LOW_GRADE, BEHIND = timedelta(days=7), 0.5, 0.5


@dataclass
class Facts:
    """A learner's acts in a course, by the script. Units are (subsection, number); videos in stretches."""

    name: str
    last_visit: datetime
    units: list[tuple[Any, int]] = field(default_factory=list)
    completed: set[Any] = field(default_factory=set)
    #: The first answers to each problem.
    first: dict[Any, Sequence[Answer]] = field(default_factory=dict)
    stretches: list[tuple[Any, int, int]] = field(default_factory=list)
    grade: float | None = None

    def reasons(self, middle: float, now: datetime) -> str:
        """Why the learner is at risk; empty if not. ``middle``: the median number of completed blocks."""
        if self.grade is not None and self.grade >= LOW_GRADE:
            return ""
        found = {
            "no visit for 7 days": self.last_visit < now - AWAY,
            "low grade": self.grade is not None,
            "behind the others": len(self.completed) < BEHIND * middle,
        }
        return "; ".join(reason for reason, holds in found.items() if holds)


class Weeks:
    """The class: learners of a course by their scripts, and those of the day."""

    def __init__(self, course: CourseKey, day: Sequence[int]):
        self.now = datetime.now(UTC)
        whole = read(course)
        self.structure = Structure(course, whole.units[:UNITS])
        self.names = dict(_names(course))
        enrolled = CourseEnrollment.objects.filter(course_id=course, is_active=True, user__is_active=True)
        users = User.objects.filter(pk__in=enrolled.values("user"), profile__name__regex=PLAIN_NAME)
        users = users.exclude(pk__in=day).select_related("profile").order_by("pk")
        self.people = list(users[: len(ROLES)])
        self.scripts = [self._script(number, role) for number, role in enumerate(ROLES)]
        self.facts = [
            *(self._facts(user, script) for user, script in zip(self.people, self.scripts, strict=True)),
            *(self._facts_of_the_day(number) for number in range(len(day))),
        ]

    def write_log(self, folder: Path) -> int:
        """Write the tracking log of the two weeks; returns the number of its lines."""
        events = [
            event
            for user, script in zip(self.people, self.scripts, strict=True)
            for event in events_of(script, self.structure, Person(user.pk, user.username))
        ]
        events.sort(key=lambda event: event["timestamp"])
        (folder / LOG).write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
        return len(events)

    # Scripts.

    def _script(self, number: int, role: int) -> Script:
        units = self.structure.units
        studies = [self._study(number, role, at, unit) for at, unit in enumerate(units)]
        stays = {
            KEEP_UP: {12: studies[:3], 6: studies[3:5], 1: studies[5:]},
            STRUGGLE: {11: studies[:3], 5: studies[3:5], 2: studies[5:]},
            STOP: {13: studies[:2], 9: studies[2:4]},
            GLANCE: {10: [Study(replace(units[0], texts=()), [Watch(units[0].videos[0], [(0, 40)])])]},
        }[role]
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return Script(
            Kind.PASSES if role == KEEP_UP else Kind.FAILS,
            midnight - timedelta(days=14) + timedelta(minutes=number),
            visits=[
                Visit(midnight - timedelta(days=days) + timedelta(hours=8, minutes=number), f"{number:032x}", some)
                for days, some in stays.items()
            ],
        )

    def _study(self, number: int, role: int, at: int, unit: Unit) -> Study:
        stumbles = at == HARD and number not in RIGHT_FIRST
        watches = [Watch(video, [(0, video.duration), *([AGAIN] if stumbles else [])]) for video in unit.videos]
        return Study(unit, [*watches, *(_solve(problem, role, at, stumbles) for problem in unit.problems)])

    # Facts.

    def _facts(self, user: Any, script: Script) -> Facts:
        facts = Facts(user.profile.name, script.visits[-1].start)
        points = 0
        for study in (study for visit in script.visits for study in visit.studies):
            facts.units.append((study.unit.subsection, study.unit.tab))
            facts.completed.update(study.unit.texts)
            for step in study.steps:
                if isinstance(step, Watch):
                    facts.stretches += [(step.video.key, start, end) for start, end in step.stretches]
                    if any(end == step.video.duration for _, end in step.stretches):
                        facts.completed.add(step.video.key)
                else:
                    facts.completed.add(step.problem.key)
                    facts.first[step.problem.key] = step.submissions[0]
                    points += sum(answer.correct for answer in step.submissions[-1])
        if facts.first:
            facts.grade = round(points / self.structure.points, 2)
        return facts

    def _facts_of_the_day(self, number: int) -> Facts:
        """See lms.way_through_the_unit: a video, whose last seconds before a pause are watched again, and a problem."""
        course = self.structure.course
        sequence, video, problem = (
            course.make_usage_key(kind, name)
            for kind, name in (("sequential", SEQUENCE), ("video", f"video_{UNIT}"), ("problem", f"problem_{UNIT}"))
        )
        paused = int(pause(number))
        right = number % WRONG_FIRST != 0
        return Facts(
            "",
            self.now,
            [(sequence, PAGE), (sequence, PAGE_AFTER)],
            {problem},
            {problem: [Answer(1, "", "Yes" if right else "No", correct=right)]},
            [(video, 0, paused), (video, paused - 15, int(LENGTH))],
        )

    # The numbers that reports must show.

    def at_risk(self) -> list[tuple[Any, ...]]:
        """(name, last visit, grade, reasons) of learners at risk, by name."""
        middle = median(len(facts.completed) for facts in self.facts)
        found = [(facts, facts.reasons(middle, self.now)) for facts in self.facts]
        rows = [(facts.name, facts.last_visit.date(), facts.grade, reasons) for facts, reasons in found if reasons]
        return sorted(rows, key=lambda row: row[0])

    def hard_problem(self) -> list[tuple[Any, ...]]:
        """(problem, learners, right at first, most frequent wrong answer, learners who gave it)."""
        answers = {key: [facts.first[key] for facts in self.facts if key in facts.first] for key in self._problems()}
        right = {key: sum(all(answer.correct for answer in first) for first in of) for key, of in answers.items()}
        hard = min(answers, key=lambda key: right[key] / len(answers[key]))
        wrong = Counter(answer.text for first in answers[hard] for answer in first if not answer.correct)
        ((text, number),) = wrong.most_common(1)
        return [(self.names[hard], len(answers[hard]), right[hard], text, number)]

    def last_unit(self) -> list[tuple[Any, ...]]:
        """(unit, learners who reached it, next unit, learners who reached that), where most learners stop."""
        units = [(unit.subsection, unit.tab) for unit in self.structure.units]
        reached = Counter(unit for facts in self.facts for unit in set(facts.units))
        last, following = max(pairwise(units), key=lambda pair: reached[pair[0]] - reached[pair[1]])
        return [(self.names[last], reached[last], self.names[following], reached[following])]

    def minute_again(self) -> list[tuple[Any, ...]]:
        """(video, beginning of the minute, seconds that were played again), of the minute that was most."""
        again: Counter[tuple[Any, int]] = Counter()
        for facts in self.facts:
            seconds = Counter((key, at) for key, start, end in facts.stretches for at in range(start, end))
            for (key, at), times in seconds.items():
                again[key, at // 60] += times - 1
        (((key, minute), number),) = again.most_common(1)
        return [(self.names[key], f"{minute:02}:00", number)]

    def _problems(self) -> Iterable[Any]:
        return dict.fromkeys(key for facts in self.facts for key in facts.first)


def _solve(problem: Problem, role: int, at: int, stumbles: bool) -> Solve:
    right = [Answer(part, f"{problem.name}, {part}", "Yes", correct=True) for part in range(1, problem.parts + 1)]
    wrong = [replace(right[0], text="Only the exam counts" if at == HARD else "No", correct=False), *right[1:]]
    if role == STRUGGLE or (role == STOP and at >= HARD - 1):
        return Solve(problem, [wrong])
    return Solve(problem, [wrong, right] if stumbles else [right])


def _names(course: CourseKey) -> Iterator[tuple[Any, str]]:
    """(key, name) of the course's blocks, as published; of units also by (subsection, number)."""
    for section in modulestore().get_course(course).get_children():
        for subsection in section.get_children():
            for tab, unit in enumerate(subsection.get_children(), 1):
                yield (subsection.location.for_branch(None), tab), unit.display_name
                for block in unit.get_children():
                    if block is not None:
                        yield block.location.for_branch(None), block.display_name
