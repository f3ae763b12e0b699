"""The show's folder and courses. `make e2e` starts the whole."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from test_utils.show.folder import VARIABLE, FolderInUse, take
from test_utils.show.outlines import ASTRONOMY, tree
from test_utils.show.people import names


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


def test_no_two_learners_have_one_name() -> None:
    found = list(names(182))
    assert found[:2] == [("amara_adeyemi", "Amara Adeyemi"), ("bao_brandt", "Bao Brandt")]
    assert len(set(found)) == len({username for username, _name in found}) == 182
    assert all(username.isascii() for username, _name in found)
