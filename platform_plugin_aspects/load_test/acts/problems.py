"""Acts in a problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opaque_keys.edx.keys import UsageKey

from platform_plugin_aspects.load_test.acts.act import Act


@dataclass(frozen=True)
class Answer:
    """An answer to one question of a problem: ``part`` is its number from 1, ``question`` its text."""

    part: int
    question: str
    text: str
    correct: bool
    kind: str = "multiplechoiceresponse"
    field: str = "choicegroup"


def input_id(problem: UsageKey, part: int) -> str:
    """The id of a question's input, as the platform makes it."""
    return f"{problem.block_id}_{part + 1}_1"


def submitted(problem: UsageKey, answers: Iterable[Answer]) -> Act:
    """The browser's report of a submission: its data are the text of a form."""
    data = "&".join(f"input_{input_id(problem, answer.part)}={answer.text}" for answer in answers)
    return Act("problem_check", data, problem.course_key, "browser")


def evaluated(problem: UsageKey, name: str, answers: Iterable[Answer], attempt: int) -> Act:
    """The server's result of a submission: a point for each right answer."""
    given = {input_id(problem, answer.part): answer for answer in answers}
    grade = sum(answer.correct for answer in given.values())
    data = {
        "state": {"seed": 1, "student_answers": {}, "input_state": {key: {} for key in given}, "done": None},
        "problem_id": str(problem),
        "answers": {key: answer.text for key, answer in given.items()},
        "grade": grade,
        "max_grade": len(given),
        "attempts": attempt,
        "success": "correct" if grade == len(given) else "incorrect",
        "correct_map": {
            key: {
                "correctness": "correct" if answer.correct else "incorrect",
                "npoints": None,
                "msg": "",
                "hint": "",
                "hintmode": None,
                "queuestate": None,
                "answervariable": None,
            }
            for key, answer in given.items()
        },
        "submission": {
            key: {
                "question": answer.question,
                "answer": answer.text,
                "response_type": answer.kind,
                "input_type": answer.field,
                "correct": answer.correct,
                "variant": "",
                "group_label": "",
            }
            for key, answer in given.items()
        },
    }
    return _problem("problem_check", problem, name, data, "problem_check")


def answer_shown(problem: UsageKey, name: str) -> Act:
    """The answer of a problem is asked for."""
    return _problem("showanswer", problem, name, {"problem_id": str(problem)}, "problem_show")


def hint_shown(problem: UsageKey, name: str, index: int, hints: int, text: str) -> Act:
    """A hint of a problem is asked for; ``index`` begins at 0."""
    data = {"module_id": str(problem), "hint_index": index, "hint_len": hints, "hint_text": text}
    return _problem("edx.problem.hint.demandhint_displayed", problem, name, data, "hint_button")


def _problem(event: str, problem: UsageKey, name: str, data: Mapping[str, Any], handler: str) -> Act:
    path = f"/courses/{problem.course_key}/xblock/{problem}/handler/xmodule_handler/{handler}"
    module = {"display_name": name, "usage_key": str(problem)}
    return Act(event, data, problem.course_key, "server", path, {"module": module, "asides": {}, "page": "x_module"})
