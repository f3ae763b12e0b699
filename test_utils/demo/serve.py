"""The demo's site in a browser: the stand-in LMS on 127.0.0.1, until Ctrl-C."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.demo.day import Day
from test_utils.demo.paper import Paper
from test_utils.demo.site import ROOT, DemoFailed, environment
from test_utils.factories import make_user
from test_utils.processes import answers, free_port, until
from test_utils.terminal import terminal_of_our_own

USERNAME = PASSWORD = "staff"
PORT = 8000


def serve(folder: Path, day: Day, paper: Paper) -> None:
    """Serve the site that ``day`` left in ``folder``, say where to look, and return after Ctrl-C."""
    user = make_user(USERNAME, is_staff=True, is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    day.deliver()
    url = f"http://127.0.0.1:{free_port(PORT)}"
    log = folder / "lms.log"
    command = (sys.executable, "manage.py", "lms", "runserver", "--noreload", url.removeprefix("http://"))
    env = {**os.environ, **environment(folder), "EDX_PLATFORM_SETTINGS": "standin"}
    # One process holds the engine: this one, and the LMS asks it by HTTP.
    with terminal_of_our_own(), ClickHouseEndpoint(folder / "clickhouse") as clickhouse, log.open("wb") as out:
        _use(folder, clickhouse.url)
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            until(lambda: answers(f"{url}/heartbeat") or server.poll() is not None, 60, "the LMS is ready")
            if server.poll() is None:
                _say(paper, url, day)
                server.wait()
            raise DemoFailed(f"The LMS ended: read {log}")
        except KeyboardInterrupt:
            paper.line()
            paper.line("Stopped.")
        finally:
            server.terminate()
            server.wait()


def _use(folder: Path, url: str) -> None:
    """Let processes that start from now on use ClickHouse at this address."""
    path = folder / "env.json"
    tokens = json.loads(path.read_text())
    server = {"url": url, "username": "ch_admin", "password": "admin-password"}
    tokens["EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG"] = {**tokens["EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG"], **server}
    path.write_text(json.dumps(tokens, indent=2) + "\n")


def _say(paper: Paper, url: str, day: Day) -> None:
    paper.heading("In a browser")
    for path, about in (
        (f"/courses/{day.demo.course_key}/instructor#view-aspects", "the instructor dashboard, tab Reports"),
        ("/admin/platform_plugin_aspects/", "the plugin's admin pages"),
    ):
        paper.line(f"  {about}:")
        paper.command(f"{url}{path}")
    paper.line(f"  user {USERNAME}, password {PASSWORD}")
    paper.say("The demo has no Superset: the tab Reports shows the numbers of the course alone.")
    paper.headline("Press Ctrl-C to stop.")
