"""Details of learners' scripts: answers in the words of the course, and threads that are read."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.script import Read, Script, Solve, Step, Study, Visit

from .outlines import TITLES
from .questions import QUESTIONS, THREADS

#: How frequent the first wrong answer to a question is, among all wrong ones.
FREQUENT = 0.65
#: The share of the studied units in which a learner reads a thread.
READS = 0.35
PREFIX = TITLES["problem"].format("")


def with_details(script: Script, chance: random.Random) -> Script:
    """The script with such details. Answers stay as right or wrong as they were."""
    return replace(script, visits=[_visit(visit, chance) for visit in script.visits])


def _visit(visit: Visit, chance: random.Random) -> Visit:
    return replace(visit, studies=[_study(study, chance) for study in visit.studies])


def _study(study: Study, chance: random.Random) -> Study:
    steps: list[Step] = [_solve(step, chance) if isinstance(step, Solve) else step for step in study.steps]
    if chance.random() < READS:
        number = chance.randrange(len(THREADS))
        steps.append(Read(number + 1, THREADS[number]))
    return replace(study, steps=steps)


def _solve(solve: Solve, chance: random.Random) -> Solve:
    return replace(solve, submissions=[_answers(solve, answers, chance) for answers in solve.submissions])


def _answers(solve: Solve, answers: Sequence[Answer], chance: random.Random) -> list[Answer]:
    questions = QUESTIONS[solve.problem.name.removeprefix(PREFIX)]
    made = []
    for answer in answers:
        question = questions[answer.part - 1]
        first, *others = question.wrong
        wrong = first if not others or chance.random() < FREQUENT else chance.choice(others)
        text = question.right if answer.correct else wrong
        made.append(replace(answer, question=question.text, text=text))
    return made
