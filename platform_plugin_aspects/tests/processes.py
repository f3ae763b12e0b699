"""Commands as an operator runs them: in a process of its own, on the test's database and ClickHouse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]
PATIENCE_SECS = 60


def manage(
    folder: Path,
    *args: Any,
    backend: dict[str, Any] | None = None,
    tokens: dict[str, Any] | None = None,
    **pipes: Any,
) -> subprocess.Popen[str]:
    """Start `manage.py cms` with these arguments.

    ``backend`` replaces values of the configured ClickHouse, ``tokens`` adds settings.
    """
    config = {**settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG, **(backend or {})}
    models = ("USER_PROFILE", "COURSE_ENROLLMENT", "EXTERNAL_ID")
    settings_ = {
        "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": config,
        **{f"EVENT_SINK_CLICKHOUSE_{model}_ENABLED": True for model in models},
        **(tokens or {}),
    }
    (folder / "tokens.json").write_text(json.dumps(settings_))
    inherited = {name: os.environ[name] for name in os.environ.keys() - {"DJANGO_SETTINGS_MODULE"}}
    environment = {
        "PYTHONUNBUFFERED": "1",
        "STANDIN_ENV_TOKENS": str(folder / "tokens.json"),
        "STANDIN_DATA_DIR": str(folder),
        "STANDIN_DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "cms", *map(str, args)],
        cwd=ROOT,
        env=inherited | environment,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes},
    )


def until(condition: Callable[[], Any], what: str) -> None:
    """Poll until the condition holds; AssertionError when it does not for a minute."""
    deadline = time.monotonic() + PATIENCE_SECS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.002)
