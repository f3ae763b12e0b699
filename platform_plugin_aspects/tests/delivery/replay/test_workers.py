"""Loading with several processes, as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.tests.processes import manage, until
from test_utils import factories
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

from .conftest import COURSE, rows
from .test_lines import ENTRY

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signals_are_heard")]

EVENTS = 10_000
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path, clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint, settings: Any) -> Path:
    """A log of EVENTS events of ten learners, and a line that is broken."""
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG,
        "xapi_database": clickhouse.connection.xapi_database,
    }
    factories.make_overview(COURSE, display_name="The sky")
    factories.make_external_id_type("xapi")
    users = [factories.make_user() for _ in range(10)]
    path = tmp_path / "tracking.log"
    with path.open("w") as lines:
        lines.write("broken\n")
        for number in range(EVENTS):
            moment = (BEGIN + timedelta(seconds=number)).isoformat()
            user = users[number % len(users)]
            entry = {**ENTRY, "context": {"course_id": str(COURSE), "user_id": user.pk}, "username": user.username}
            lines.write(json.dumps({**entry, "time": moment}) + "\n")
    return path


def start(folder: Path, *args: Any) -> subprocess.Popen[str]:
    tokens = {"EVENT_SINK_CLICKHOUSE_XAPI_ENABLED": True}
    return manage(folder, "aspects_load_tracking_logs", *args, "--no-progress", tokens=tokens)


def children(process: subprocess.Popen[str]) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in found.split()]


def test_processes_load_a_log_and_what_a_dead_one_left_is_resumed(log: Path, tmp_path: Path) -> None:
    process = start(tmp_path, log, "--workers", 2)
    until(lambda: len(rows(final=False)) >= 2_000, "the first rows")
    os.kill(children(process)[0], signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "a process that transforms has ended" in error
    assert f"; continue with: python manage.py cms aspects_load_tracking_logs {log} --resume --workers 2" in error
    assert "Traceback" not in error
    assert 2_000 <= len(rows()) < EVENTS

    process = start(tmp_path, log, "--workers", 2, "--resume")
    said, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "")
    assert " continues after line " in said
    assert len(rows()) == EVENTS


def test_ctrl_c_ends_after_the_current_chunk(log: Path, tmp_path: Path) -> None:
    process = start(tmp_path, log, "--workers", 2)
    until(lambda: rows(final=False), "the first rows")
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping after the current chunk of lines" in error
    assert "Stopped; continue with: python manage.py cms aspects_load_tracking_logs" in error
    assert "Traceback" not in error
    loaded = len(rows())
    assert loaded < EVENTS
    assert f"{loaded:,} statements written" in said
