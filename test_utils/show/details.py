"""Details of learners' scripts: answers in the words of the course, and a forum that more people read than write in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.script import Post, Read, Script, Solve, Step, Study

from .outlines import TITLES
from .questions import QUESTIONS, THREADS

#: How frequent the first wrong answer to a question is, among all wrong ones.
FREQUENT = 0.65
#: The share of the learners who write in the forum, and of the studied units in which a learner reads a thread there.
WRITERS, READS = 0.4, 0.2
PREFIX = TITLES["problem"].format("")


def with_details(script: Script, chance: random.Random) -> Script:
    """The script with such details. Answers stay as right or wrong as they were."""
    writes = chance.random() < WRITERS
    return replace(
        script,
        visits=[
            replace(visit, studies=[_study(study, chance, writes=writes) for study in visit.studies])
            for visit in script.visits
        ],
    )


def _study(study: Study, chance: random.Random, *, writes: bool) -> Study:
    steps: list[Step] = [
        _solve(step, chance) if isinstance(step, Solve) else step
        for step in study.steps
        if writes or not isinstance(step, Post)
    ]
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
