"""The embedded engine when another process has its folder open."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

import platform_plugin_aspects
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.embedded import UNKNOWN, holder
from platform_plugin_aspects.clickhouse.errors import Misconfigured

ROOT = Path(platform_plugin_aspects.__file__).resolve().parents[1]


@pytest.mark.parametrize(("text", "pid"), [("PID: 4711\nStarted at: x\n", 4711), ("", UNKNOWN), ("PID: x", UNKNOWN)])
def test_who_holds_a_folder(text: str, pid: int, tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    (tmp_path / "status").write_text(text)
    assert holder(tmp_path) is None
    with (tmp_path / "status").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(tmp_path) == holder(f"{tmp_path}?background_pool_size=64") == pid
    assert holder(tmp_path) is None


def test_what_is_no_text_names_no_process(tmp_path: Path) -> None:
    (tmp_path / "status").write_bytes(b"\xff" * 10)
    with (tmp_path / "status").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder(tmp_path) == UNKNOWN


# A process of its own, because a process can open one folder only.
def test_another_process_is_named_with_what_to_do(
    clickhouse: ClickHouse, clickhouse_engine_path: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "cms", "aspects_check", "--only", "ClickHouse"],
        cwd=ROOT,
        env={
            **os.environ,
            "EDX_PLATFORM_SETTINGS": "standin",
            "STANDIN_DATA_DIR": str(tmp_path),
            "STANDIN_ENV_TOKENS": str(_tokens(tmp_path, f"chdb://{clickhouse_engine_path}")),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    # Nor does the engine say on its own that it cannot lock the folder.
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "ClickHouse",
        f"  problem  The embedded ClickHouse engine in {clickhouse_engine_path} is in use by process {os.getpid()}",
        f"           -> Wait until it ends or stop it (`ps -fp {os.getpid()}` shows it), because one process at a time "
        "can open the folder; a site of several processes needs a ClickHouse server",
        "1 problem",
    ]


@pytest.mark.parametrize("options", ["", "?background_pool_size=64"])
def test_a_folder_in_a_folder_that_does_not_exist_is_not_created(options: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        ClickHouse(Connection(url=f"chdb://{tmp_path}/nowhere/x{options}"))
    assert str(caught.value) == (
        f"The folder {tmp_path}/nowhere of chdb://{tmp_path}/nowhere/x{options} does not exist: "
        f"correct the url, or create {tmp_path}/nowhere"
    )
    assert list(tmp_path.iterdir()) == []


def _tokens(folder: Path, url: str) -> Path:
    file = folder / "env.yml"
    file.write_text(f'EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG: {{"url": "{url}", "database": "event_sink"}}\n')
    return file
