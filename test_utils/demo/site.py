"""The site that the demo lives on: a folder, a service of the stand-in with its settings there, and a worker."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platform_plugin_aspects.clickhouse.embedded import EngineInUse, holder

ROOT = Path(__file__).resolve().parents[2]
#: Only a folder that holds this file, or nothing, is wiped.
MARK = "made-by-the-demo"
TRACKING_LOG = "tracking.log"
WINDOW_SECS = 0.5
#: A day that needs more has gone wrong.
MOST_TASKS = 500


class DemoFailed(Exception):
    """Something is not as it should be; the message says what."""


def lock(folder: Path, shared: bool = False) -> int:
    """Lock the folder until the descriptor that is returned is closed, by the end of the process for example.

    A demo locks it for itself, commands on its site share the lock. Raises DemoFailed when it is not to be had.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        other = "A demo" if shared else "Another demo, or a command on its site,"
        raise DemoFailed(f"{other} is running in {folder}: wait until it ends, or stop it") from None
    return descriptor


def wipe(folder: Path) -> None:
    """Make the folder, empty but for MARK, and lock it until this process ends.

    Raises DemoFailed, and wipes nothing, for one that holds anything not made by a demo, or that is in use.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoFailed(f"{folder} cannot be made ({error.strerror}): name another with --folder") from None
    if any(folder.iterdir()) and not (folder / MARK).exists():
        raise DemoFailed(f"{folder} holds files that no demo made: empty it, or name another with --folder")
    lock(folder)
    pid = holder(folder / "clickhouse")
    if pid is not None:
        raise DemoFailed(str(EngineInUse(folder / "clickhouse", pid)))
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (folder / MARK).touch()


def env_tokens(folder: Path, **more: Any) -> dict[str, Any]:
    """The settings of the demo's operator, in the forms that Tutor writes, and ``more``."""
    on = ("course_overviews", "user_profile", "external_id", "course_enrollment", "tag", "taxonomy", "object_tag")
    return {
        "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {"url": f"chdb://{folder}/clickhouse", "database": "event_sink"},
        "EVENT_SINK_CLICKHOUSE_PII_MODELS": ["user_profile", "external_id", "course_enrollment", "auth_user"],
        "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": WINDOW_SECS,
        "OPEN_EDX_FILTERS_CONFIG": {
            "org.openedx.learning.instructor.dashboard.render.started.v1": {
                "fail_silently": False,
                "pipeline": ["platform_plugin_aspects.extensions.filters.AddSupersetTab"],
            },
        },
        **{f"EVENT_SINK_CLICKHOUSE_{name.upper()}_ENABLED": True for name in (*on, "auth_user")},
        **more,
    }


def save_settings(folder: Path, **more: Any) -> None:
    """Write the operator's settings for processes that start from now on."""
    (folder / "env.json").write_text(json.dumps(env_tokens(folder, **more), indent=2) + "\n")


def environment(folder: Path) -> dict[str, str]:
    """The environment variables that make ``manage.py`` mean the demo's site."""
    return {
        "STANDIN_DATA_DIR": str(folder),
        "STANDIN_COURSES_DIR": str(folder / "courses"),
        "STANDIN_ENV_TOKENS": str(folder / "env.json"),
    }


def start(folder: Path, service: str = "cms") -> None:
    """Set up Django as a service of the site in ``folder``. The LMS logs tracking events there, in TRACKING_LOG."""
    for name in [name for name in os.environ if name.startswith("STANDIN_")]:
        del os.environ[name]
    os.environ.update(environment(folder), DJANGO_SETTINGS_MODULE=f"{service}.envs.standin")
    if service == "lms":
        os.environ["STANDIN_TRACKING_LOG"] = str(folder / TRACKING_LOG)
    sys.path[:0] = [str(ROOT), str(ROOT / "test_utils" / "edx_platform")]
    import django

    django.setup()


class Log(logging.Handler):
    """Keeps what the plugin logs until there is room for it on paper."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[str, None] = {}
        self._taken: set[str] = set()
        logger = logging.getLogger("platform_plugin_aspects")
        logger.handlers = [self]
        logger.propagate = False
        # The stand-in platform's own warnings would only distract.
        logging.getLogger().handlers = [logging.NullHandler()]

    def emit(self, record: logging.LogRecord) -> None:
        self._lines[f"{record.levelname} {record.getMessage()}"] = None

    def take(self) -> list[str]:
        """The lines logged since the last call, each line of the day once."""
        new = [line for line in self._lines if line not in self._taken]
        self._taken.update(new)
        self._lines.clear()
        return new


class Worker:
    """Does with the tasks in the broker what a Celery worker does: runs each when its time has come."""

    def __init__(self, app: Any):
        self._app = app
        self._connection = app.connection_for_read()
        queue = app.amqp.queues[app.conf.task_default_queue]
        self._queue = queue.bind(self._connection.default_channel)
        self._queue.declare()

    def run_what_waits(self) -> list[str]:
        """Run the tasks that are in the broker now, not those that they ask for; returns "task(sink)" of each."""
        messages = []
        while (message := self._queue.get()) is not None:
            messages.append(message)
        messages.sort(key=lambda message: str(message.headers.get("eta") or ""))
        done = []
        for message in messages:
            self._wait_for(message.headers)
            args, kwargs, _embedded = message.payload
            self._app.tasks[message.headers["task"]].apply(args, kwargs, throw=True)
            message.ack()
            done.append(f"{message.headers['task'].rpartition('.')[2]}({', '.join(map(str, args))})")
        return done

    def run_until_quiet(self) -> list[str]:
        """Run tasks until the broker has none. Raises DemoFailed when there is no end to them."""
        done: list[str] = []
        while some := self.run_what_waits():
            done += some
            if len(done) > MOST_TASKS:
                raise DemoFailed(f"More than {MOST_TASKS} tasks, and no end to them; the last one was {done[-1]}")
        return done

    @staticmethod
    def _wait_for(headers: Mapping[str, Any]) -> None:
        if headers.get("eta"):
            left = (datetime.fromisoformat(headers["eta"]) - datetime.now(UTC)).total_seconds()
            time.sleep(max(0.0, left))
