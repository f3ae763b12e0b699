"""The show's folder and courses. `make e2e` starts the whole."""

from __future__ import annotations

import fcntl
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.load_test.acts.problems import Answer
from platform_plugin_aspects.load_test.journeys.script import Kind, Post, Read, Script, Solve, Study, Visit
from platform_plugin_aspects.load_test.journeys.structure import Problem, Unit
from test_utils.show.details import with_details
from test_utils.show.folder import VARIABLE, FolderInUse, take
from test_utils.show.outlines import ASTRONOMY, BREAD, tree
from test_utils.show.people import names
from test_utils.show.questions import QUESTIONS

COURSE = CourseKey.from_string("course-v1:Org+Sky+2026")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


def test_a_folder_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "lms.log").touch()
    take(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert os.environ[VARIABLE] == str(tmp_path)


def test_a_folder_of_another_show_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "env-tokens.json").touch()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(FolderInUse, match=r"Another show runs in .*: end it with Ctrl-C first"):
            take(tmp_path)
    finally:
        os.close(descriptor)
    assert (tmp_path / "env-tokens.json").exists()


@pytest.mark.parametrize("is_ours", [True, False])
def test_only_processes_of_a_show_in_this_folder_are_ended(tmp_path: Path, is_ours: bool) -> None:
    environment = {**os.environ, VARIABLE: str(tmp_path if is_ours else tmp_path.parent)}
    command = [sys.executable, "-c", "print(flush=True); import signal; signal.pause()"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as left:
        try:
            assert left.stdout.readline()
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "lms.pid").write_text(str(left.pid))
            (tmp_path / "run" / "cms.pid").write_text("")
            take(tmp_path)
            assert (left.wait(30) if is_ours else left.poll()) == (-9 if is_ours else None)
        finally:
            left.kill()


def test_a_course_has_a_block_for_each_name_and_no_id_twice() -> None:
    blocks = []
    left = [tree("Looking up at night", ASTRONOMY)]
    while left:
        blocks.append(left.pop())
        left += blocks[-1].get("children", [])
    by_type: dict[str, int] = {}
    for block in blocks:
        by_type[block["type"]] = by_type.get(block["type"], 0) + 1
    assert by_type == {
        **{"course": 1, "chapter": 4, "sequential": 8, "vertical": 16},
        **{"html": 16, "video": 12, "problem": 20},
    }
    assert len({(block["type"], block["id"]) for block in blocks}) == len(blocks)
    graded = [
        block["fields"]["display_name"]
        for block in blocks
        if block["type"] == "sequential" and block["fields"]["graded"]
    ]
    assert sorted(graded) == ["Distance", "Eclipses", "Finding your way", "The seasons"]


def _problems(block: dict[str, Any]) -> Iterator[str]:
    if block["type"] == "problem":
        yield block["fields"]["display_name"]
    for child in block.get("children", []):
        yield from _problems(child)


def test_every_problem_has_questions_with_different_answers() -> None:
    names = [f"Check yourself: {name}" for name in QUESTIONS]
    assert sorted(names) == sorted([*_problems(tree("Sky", ASTRONOMY)), *_problems(tree("Bread", BREAD))])
    for question in (question for some in QUESTIONS.values() for question in some):
        assert question.wrong
        assert len({question.right, *question.wrong}) == 1 + len(question.wrong), question.text


def test_answers_are_in_the_words_of_the_course_and_as_right_as_before() -> None:
    problem = Problem(COURSE.make_usage_key("problem", "p"), "Check yourself: Dark adaptation", 2)
    unit = Unit("Looking up", COURSE.make_usage_key("sequential", "s"), 1, 1, [], [problem], [])
    given = [[Answer(1, "", "x", False), Answer(2, "", "y", True)]] * 50
    visit = Visit(datetime(2026, 3, 2, 8, tzinfo=UTC), "session", [Study(unit, [Solve(problem, given)])])
    made = with_details(Script(Kind.PASSES, visit.start, visits=[visit]), random.Random(1))
    [solve, *_read] = made.visits[0].studies[0].steps
    first, second = zip(*solve.submissions, strict=True)
    assert {(answer.part, answer.text, answer.correct) for answer in second} == {(2, "dim red", True)}
    wrong = Counter((answer.part, answer.text, answer.correct) for answer in first)
    assert [answer for answer, _times in wrong.most_common()] == [
        (1, "about 5 minutes", False),
        (1, "a whole night", False),
    ]


def test_more_learners_read_in_the_forum_than_write() -> None:
    unit = Unit("Looking up", COURSE.make_usage_key("sequential", "s"), 1, 1, [], [], [])
    visit = Visit(datetime(2026, 3, 2, 8, tzinfo=UTC), "session", [Study(unit, [Post("thread", 1)])] * 16)
    script = Script(Kind.BROWSES, visit.start, visits=[visit])
    made = [with_details(script, random.Random(number)) for number in range(100)]
    steps = [[step for study in one.visits[0].studies for step in study.steps] for one in made]
    # A learner who writes does so as much as before.
    written = Counter(sum(isinstance(step, Post) for step in one) for one in steps)
    assert set(written) == {0, 16}
    readers = sum(any(isinstance(step, Read) for step in one) for one in steps)
    assert 20 < written[16] < 60 < readers
    assert {step.title for one in steps for step in one if isinstance(step, Read) and step.number == 1} == {
        "Introduce yourself"
    }


def test_no_two_learners_have_one_name() -> None:
    found = list(names(182))
    assert found[:2] == [("amara_adeyemi", "Amara Adeyemi"), ("bao_brandt", "Bao Brandt")]
    assert len(set(found)) == len({username for username, _name in found}) == 182
    assert all(username.isascii() for username, _name in found)
