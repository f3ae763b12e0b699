"""Today's chain, to measure beside ours: edx-event-routing-backends (ERB) with Celery and Redis, and Ralph.

Ralph is installed from the package registry into an environment of its own, because it pins much that the platform pins
otherwise. It writes to the same ClickHouse.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.events_site import FULL, BenchmarkError, Site, say
from test_utils.processes import ADMIN, Process, answers, free_port

#: ``requests``, without which Ralph does not start, is not among its own requirements.
REQUIREMENTS = ("ralph-malph[backend-clickhouse,lrs,cli]", "requests")
NAME, PASSWORD = "erb", "ralph-password"
#: Between retries of ERB's tasks, of which there are three; its default is 30.
COUNTDOWN_SECS = 2
#: After which a batch is sent that is not full, with the next event.
INTERVAL_SECS = 5


def python_of(environment: Path) -> Path:
    """The interpreter of Ralph's environment, which is made where there is none. BenchmarkError when pip fails."""
    python = environment / "bin" / "python"
    if not (environment / "bin" / "ralph").exists():
        say(f"installing {REQUIREMENTS[0]} into {environment}")
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", *REQUIREMENTS]
        if subprocess.run(command, check=False).returncode:
            raise BenchmarkError(f"{REQUIREMENTS[0]} could not be installed into {environment}")
    return python


class Ralph(Process):
    """Ralph's server of learning records, which keeps statements in ClickHouse."""

    def __init__(self, site: Site, python: Path):
        self.port = free_port()
        credentials = site.folder / "ralph-auth.json"
        code = "import bcrypt, sys; print(bcrypt.hashpw(sys.argv[1].encode(), bcrypt.gensalt()).decode())"
        hashed = subprocess.check_output([python, "-c", code, PASSWORD], text=True).strip()
        agent = {"account": {"name": NAME, "homePage": "http://lms.standin.invalid"}}
        user = {"username": NAME, "hash": hashed, "scopes": ["all"], "agent": agent}
        credentials.write_text(json.dumps([user]))
        store = {"HOST": "127.0.0.1", "PORT": str(site.clickhouse.port), "DATABASE": "xapi", "EVENT_TABLE_NAME": FULL}
        store |= {"USERNAME": ADMIN[0], "PASSWORD": ADMIN[1]}
        environment = {
            "RALPH_APP_DIR": str(site.folder),
            "RALPH_AUTH_FILE": str(credentials),
            "RALPH_RUNSERVER_BACKEND": "clickhouse",
            **{f"RALPH_BACKENDS__LRS__CLICKHOUSE__{name}": value for name, value in store.items()},
        }
        command = [python, "-m", "uvicorn", "ralph.api:app", "--host", "127.0.0.1", "--port", self.port]
        super().__init__("ralph", site.folder, [*command, "--log-level", "warning"], environment)

    @property
    def url(self) -> str:
        """The address that ERB gets."""
        return f"http://127.0.0.1:{self.port}/xAPI"

    def is_ready(self) -> bool:
        """See Process."""
        return answers(f"http://127.0.0.1:{self.port}/__heartbeat__")


def environment(site: Site, *, batched: bool) -> dict[str, str]:
    """The platform's environment where today's chain runs; ours is off there."""
    tokens = {
        "EVENT_SINK_CLICKHOUSE_XAPI_ENABLED": False,
        "CALIPER_EVENTS_ENABLED": False,
        "EVENT_ROUTING_BACKEND_BATCHING_ENABLED": batched,
        "EVENT_ROUTING_BACKEND_BATCH_SIZE": 100,
        "EVENT_ROUTING_BACKEND_BATCH_INTERVAL": INTERVAL_SECS,
        "EVENT_ROUTING_BACKEND_COUNTDOWN": COUNTDOWN_SECS,
    }
    # ERB's batches take a connection of django-redis.
    cache = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": site.cache.url}}
    file = site.folder / "peer-settings.json"
    file.write_text(json.dumps({"CACHES": cache}))
    found = site.environment("batched" if batched else "unbatched", FULL, **tokens)
    return {**found, "STANDIN_ERB_ROUTING": "1", "STANDIN_TUTOR_SETTINGS": str(file)}
