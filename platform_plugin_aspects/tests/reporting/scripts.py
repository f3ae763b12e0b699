"""The contents of the learners' scripts, as the numbers of reports need them: no SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from platform_plugin_aspects.load_test.journeys.script import Solve, Study, Visit, Watch
from platform_plugin_aspects.load_test.journeys.structure import Unit
from platform_plugin_aspects.tests.reporting.places import structure_of
from platform_plugin_aspects.tests.reporting.site import Class, Pupil

#: Events that tell of a place in the course: the learner goes there, completes something or uses a player.
IN_UNITS = (
    *("edx.ui.lms.sequence.next_selected", "edx.ui.lms.sequence.tab_selected"),
    *("edx.completion.block_completion.changed", "complete_video"),
    *("play_video", "pause_video", "stop_video", "seek_video"),
)
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


def moments_of_studies(pupil: Pupil) -> list[list[datetime]]:
    """The moments in each study, in order: from the way into the unit to the last thing done to a block of it."""
    found: list[list[datetime]] = []
    for event in pupil.events:
        if event["name"].startswith("edx.ui.lms.sequence."):
            found.append([])
        # Browsers report what is submitted under the same name as the server what it makes of it.
        is_answer = event["name"] == "problem_check" and event["context"]["event_source"] == "server"
        if event["name"] in IN_UNITS or is_answer:
            found[-1].append(datetime.fromisoformat(event["timestamp"]))
    return found


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
