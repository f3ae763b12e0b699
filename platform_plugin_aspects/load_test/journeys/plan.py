"""Writes the script of a learner: by chance, but always the same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.script import Kind, Post, Script, Solve, Step, Study, Visit, Watch
from platform_plugin_aspects.load_test.journeys.structure import Problem, Structure, Unit, Video

#: The kinds in turn, so that few learners are of every kind. The first one upgrades.
KINDS = (Kind.PASSES, Kind.FAILS, Kind.BROWSES, Kind.LEAVES, Kind.PASSES, Kind.STAYS_AWAY)
#: The share of the points that passes.
PASSING = 0.5
#: The hours in which visits begin. None takes longer than VISIT_SECS and one unit, so they end on the same day, UTC.
EARLIEST_HOUR, LATEST_HOUR = 6, 14
VISIT_SECS = 4 * 3600
#: Units of a visit, if there are days enough.
UNITS_A_VISIT = 4
QUESTION = "Question {part} of {name}"
RIGHT, WRONG = "right", ("wrong", "quite wrong")


def plan(structure: Structure, number: int, seed: int, end: datetime, days: int) -> Script:
    """The script of the learner with this number, from 1, in the ``days`` whole days before ``end``, a midnight."""
    chance = random.Random(f"{seed} {structure.course} {number}")
    kind = KINDS[(number - 1) % len(KINDS)]
    first_day = end - timedelta(days=days)
    # Visits are on days of their own, after the one of the enrollment where there are several.
    enrolled_on = chance.randrange(max(1, days // 3))
    enrolled_at = _moment(chance, first_day + timedelta(days=enrolled_on), 0, 5)
    visit_days = list(range(enrolled_on, days - 1)) or [enrolled_on]
    stays = list(_stays(list(_studies(chance, structure, kind)), len(visit_days)))
    # With too few days, the rest of the course is not reached.
    chosen = sorted(chance.sample(visit_days, min(len(stays), len(visit_days))))
    visits = []
    for day, studies in zip(chosen, stays, strict=False):
        start = _moment(chance, first_day + timedelta(days=day), EARLIEST_HOUR, LATEST_HOUR)
        visits.append(Visit(start, f"{chance.getrandbits(128):032x}", studies))
    last_day = first_day + timedelta(days=days - 1)
    upgrades = (number - 1) % len(KINDS) == 0
    return Script(
        kind,
        enrolled_at,
        upgraded_at=enrolled_at + timedelta(minutes=chance.randrange(5, 50)) if upgrades else None,
        # After the last visit, which is on the same day at the latest.
        left_at=_moment(chance, last_day, 21, 23) if kind is Kind.LEAVES else None,
        visits=visits,
    )


def _moment(chance: random.Random, day: datetime, earliest: int, latest: int) -> datetime:
    seconds = chance.randrange(earliest * 3600, latest * 3600)
    return day + timedelta(seconds=seconds, microseconds=chance.randrange(1_000_000))


def _stays(studies: Sequence[Study], days: int) -> Iterator[Sequence[Study]]:
    """The units in order, so many together that the days suffice, if VISIT_SECS allow it."""
    most = max(UNITS_A_VISIT, -(-len(studies) // days))
    stay: list[Study] = []
    seconds = 0
    for study in studies:
        if len(stay) == most or seconds > VISIT_SECS:
            yield stay
            stay, seconds = [], 0
        stay.append(study)
        seconds += study.seconds
    if stay:
        yield stay


def _studies(chance: random.Random, structure: Structure, kind: Kind) -> Iterator[Study]:
    """The steps in each unit that the learner reaches."""
    if kind is Kind.STAYS_AWAY:
        return
    reached: Sequence[Unit] = structure.units
    if kind is Kind.LEAVES:
        reached = structure.units[: max(1, len(structure.units) // 3)]
    grading = _Grading(structure.points, passes=kind is Kind.PASSES)
    posts = 0
    for unit in reached:
        steps: list[Step] = [_watch(chance, video) for video in unit.videos]
        if kind is not Kind.BROWSES:
            steps += [_solve(chance, problem, grading) for problem in unit.problems]
        if chance.random() < 0.2:
            posts += 1
            steps.append(Post("thread" if posts == 1 else "response", posts))
        yield Study(unit, steps)


def _watch(chance: random.Random, video: Video) -> Watch:
    """One of the ways to watch a video."""
    end = video.duration
    middle = chance.randrange(end // 4, end // 2 + 1)
    later = chance.randrange(middle + 1, end)
    way = chance.randrange(5)
    if way == 0:
        stretches = [(0, end)]
    elif way == 1:
        # A pause.
        stretches = [(0, middle), (middle, end)]
    elif way == 2:
        # A part is skipped.
        stretches = [(0, middle), (later, end)]
    elif way == 3:
        # A part is watched again.
        stretches = [(0, end), (middle, later)]
    else:
        # Not to the end, and a bit of it twice.
        stretches = [(0, later), (middle, later)]
    return Watch(video, stretches, with_transcript=chance.random() < 0.2)


class _Grading:
    """Sees to it that a learner passes, or does not."""

    def __init__(self, points: int, *, passes: bool):
        self.passes = passes
        # Never more wrong, or right, than this.
        self.left = int(points * (1 - PASSING)) if passes else math.ceil(points * PASSING) - 1

    def is_right(self, chance: random.Random) -> bool:
        """Whether the next question is answered right in the end."""
        unusual = chance.random() < (0.15 if self.passes else 0.4) and self.left > 0
        self.left -= unusual
        return unusual is not self.passes


def _solve(chance: random.Random, problem: Problem, grading: _Grading) -> Solve:
    """One or two submissions: right, wrong, or wrong first and then right."""
    final = [grading.is_right(chance) for _ in range(problem.parts)]
    submissions = []
    if any(final) and chance.random() < 0.4:
        submissions.append(_answers(problem, [right and chance.random() < 0.5 for right in final]))
        # Otherwise the first submission would have been enough.
        if all(answer.correct == right for answer, right in zip(submissions[0], final, strict=True)):
            submissions.pop()
    submissions.append(_answers(problem, final))
    return Solve(problem, submissions, asks_hint=chance.random() < 0.1, asks_answer=chance.random() < 0.1)


def _answers(problem: Problem, right: Sequence[bool]) -> list[Answer]:
    return [
        Answer(part, QUESTION.format(part=part, name=problem.name), RIGHT if is_right else WRONG[part % 2], is_right)
        for part, is_right in enumerate(right, 1)
    ]
