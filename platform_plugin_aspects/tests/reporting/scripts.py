"""The contents of the learners' scripts, as the numbers of reports need them: no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from platform_plugin_aspects.load_test.journeys.script import Solve, Study, Visit, Watch
from platform_plugin_aspects.load_test.journeys.structure import Unit
from platform_plugin_aspects.tests.reporting.places import structure_of
from platform_plugin_aspects.tests.reporting.site import Class, Pupil

#: Events that are not acts of a visitor.
NOT_ACTS = ("course.enrollment", "grades.", "course.grade")


def all_steps(pupil: Pupil) -> Iterable[Any]:
    return (step for study in studies(pupil) for step in study.steps)


def studies(pupil: Pupil) -> list[Study]:
    return [study for visit in pupil.script.visits for study in visit.studies]


def acts(pupil: Pupil) -> list[datetime]:
    """The moments of the acts."""
    return [
        datetime.fromisoformat(event["timestamp"])
        for event in pupil.events
        if not event["name"].removeprefix("edx.").startswith(NOT_ACTS)
    ]


def completed(study: Study) -> set[str]:
    """The usage keys that are completed in a unit."""
    done = {str(text) for text in study.unit.texts}
    for step in study.steps:
        if isinstance(step, Watch) and any(end == step.video.duration for _, end in step.stretches):
            done.add(str(step.video.key))
        elif isinstance(step, Solve):
            done.add(str(step.problem.key))
    return done


def leaves(unit: Unit) -> set[str]:
    return {str(block) for block in (*unit.texts, *(b.key for b in unit.videos), *(b.key for b in unit.problems))}


def share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


def points_of(solve: Solve) -> int:
    return sum(answer.correct for answer in solve.submissions[-1])


def does(visit: Visit, kind: type[Any]) -> int:
    return sum(isinstance(step, kind) for study in visit.studies for step in study.steps)


class OfClass:
    """A class, the former run, and the course as it is published. Its heirs say what the views must show.

    ``now``: the current moment of the views, if it is not the end of the class.
    """

    def __init__(self, school: Class, former: Class | None = None, *, smallest_group: int, now: datetime | None = None):
        self.now = now or school.end
        self.course = school.course
        self.runs = [school, *([former] if former else [])]
        self.pupils = school.pupils
        self.units = school.structure.units
        self.structure = school.structure
        self.smallest_group = smallest_group
        self.blocks = structure_of(self.course)
        self.by_key = {row["usage_key"]: row for row in self.blocks}
