"""The facts that reports on a learner must show, by the script alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from platform_plugin_aspects.load_test.journeys.plan import PASSING
from platform_plugin_aspects.load_test.journeys.script import Post, Script, Solve, Watch
from platform_plugin_aspects.load_test.journeys.structure import Structure


def answers_of(script: Script, structure: Structure) -> dict[str, Any]:
    """The facts, as JSON has them; videos and problems by usage key, questions by number."""
    steps = [step for visit in script.visits for study in visit.studies for step in study.steps]
    solved = [step for step in steps if isinstance(step, Solve)]
    points = sum(answer.correct for solve in solved for answer in solve.submissions[-1])
    grade = points / structure.points if structure.points else 0.0
    return {
        "kind": str(script.kind),
        "mode": script.mode,
        "is_active": script.is_active,
        "enrolled_at": script.enrolled_at.isoformat(),
        "visits": len(script.visits),
        "days": [visit.start.date().isoformat() for visit in script.visits],
        "units": sum(len(visit.studies) for visit in script.visits),
        "videos": {str(step.video.key): _watched(step) for step in steps if isinstance(step, Watch)},
        "problems": {str(step.problem.key): _solved(step) for step in solved},
        "grade": round(grade, 2) if solved else None,
        "passed": bool(solved) and grade >= PASSING,
        "posts": sum(isinstance(step, Post) for step in steps),
    }


def _watched(watch: Watch) -> dict[str, Any]:
    return {
        "duration": watch.video.duration,
        "stretches": [list(stretch) for stretch in watch.stretches],
        "seconds_seen": union(watch.stretches),
        "seconds_played": sum(end - start for start, end in watch.stretches),
        "reached_end": any(end == watch.video.duration for _, end in watch.stretches),
    }


def union(stretches: Iterable[tuple[int, int]]) -> int:
    """How many seconds are in at least one of the stretches."""
    total = reached = 0
    for start, end in sorted(stretches):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _solved(solve: Solve) -> dict[str, Any]:
    last = solve.submissions[-1]
    return {
        "attempts": len(solve.submissions),
        "points": sum(answer.correct for answer in last),
        "possible": solve.problem.parts,
        "parts": {str(answer.part): _part(solve.submissions, answer.part) for answer in last},
        "hints": int(solve.asks_hint),
        "answer_shown": solve.asks_answer,
    }


def _part(submissions: Sequence[Sequence[Any]], part: int) -> dict[str, Any]:
    given = [answer for answers in submissions for answer in answers if answer.part == part]
    return {
        "answers": [answer.text for answer in given],
        "correct": [answer.correct for answer in given],
    }
