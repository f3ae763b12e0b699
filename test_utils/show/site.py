"""The site: ClickHouse, a bare Superset, the stand-in LMS and Studio with a worker, a school, and then the boards."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from test_utils.processes import ADMIN, REPOSITORY, Endpoint, Process, answers, free_port

from .people import LEARNER, OTHER_TEAM, STAFF, TEAM
from .superset import ADMIN_USERNAME, TIMEOUT_SECS, Superset

if TYPE_CHECKING:
    from .school import School

PLATFORM = REPOSITORY / "test_utils" / "edx_platform"
LOG_INS = (STAFF, *TEAM, *OTHER_TEAM, LEARNER)
SINKS = (
    *("course_overviews", "user_profile", "external_id", "course_enrollment", "auth_user"),
    *("tag", "taxonomy", "object_tag", "xapi"),
)
FILTERS = {
    "org.openedx.learning.instructor.dashboard.render.started.v1": {
        "fail_silently": False,
        "pipeline": ["platform_plugin_aspects.extensions.filters.AddSupersetTab"],
    },
}


class Service(Process):
    """The stand-in LMS or CMS under ``runserver``."""

    def __init__(self, variant: str, folder: Path, port: int | None = None, name: str = ""):
        port = port or free_port()
        command = [sys.executable, "manage.py", variant, "runserver", "--noreload", f"127.0.0.1:{port}"]
        super().__init__(name or variant, folder, command, {"DJANGO_SETTINGS_MODULE": f"{variant}.envs.standin"})
        # Another site than Superset's 127.0.0.1, as in production.
        self.url = f"http://localhost:{port}"

    def is_ready(self) -> bool:
        return answers(f"{self.url}/heartbeat")


class Worker(Process):
    """A Celery worker for both services."""

    def __init__(self, folder: Path):
        command = [sys.executable, "-m", "celery", "--app", "lms.celery", "worker", "--pool", "solo"]
        command += ["--queues", "edx.lms.core.default,edx.cms.core.default", "--loglevel", "INFO"]
        super().__init__(
            "worker",
            folder,
            [*command, "--without-mingle", "--without-gossip", "--hostname", "show@standin"],
            {"DJANGO_SETTINGS_MODULE": "lms.envs.standin"},
        )

    def is_ready(self) -> bool:
        return "show@standin ready." in self.output()


class Site:
    """All of it, in ``folder``. ``configure`` comes before Django is set up, ``start`` after that.

    ``ports`` of "lms", "cms" and "superset", and ``passwords`` of LOG_INS and "admin", are made up where they lack.
    """

    def __init__(
        self, folder: Path, ports: Mapping[str, int] | None = None, passwords: Mapping[str, str] | None = None
    ):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.passwords = {
            name: (passwords or {}).get(name) or secrets.token_urlsafe()
            for name in (*LOG_INS, ADMIN_USERNAME, "ch_cms", "ch_report", "aspects")
        }
        ports = ports or {}
        self.clickhouse = Endpoint(folder)
        self.clickhouse.command += ["--users", json.dumps({ADMIN[0]: [ADMIN[1], "all"]})]
        self.lms = Service("lms", folder, ports.get("lms"))
        self.cms = Service("cms", folder, ports.get("cms"))
        self.worker = Worker(folder)
        self.superset = Superset(folder, self.passwords[ADMIN_USERNAME], ports.get("superset"))
        self.processes: list[Process] = [self.clickhouse, self.superset, self.lms, self.cms, self.worker]
        self.environment: dict[str, str] = {}
        self.school: School

    @property
    def tokens(self) -> dict[str, Any]:
        """The operator's settings."""
        queue = str(self.folder / "queue")
        transport = {"data_folder_in": queue, "data_folder_out": queue, "control_folder": f"{queue}-control"}
        return {
            "LMS_ROOT_URL": self.lms.url,
            "CMS_ROOT_URL": self.cms.url,
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {
                "url": self.clickhouse.url,
                "username": "ch_cms",
                "password": self.passwords["ch_cms"],
                "database": "event_sink",
            },
            **{f"EVENT_SINK_CLICKHOUSE_{name.upper()}_ENABLED": True for name in SINKS},
            "ASPECTS_REPORTING_ENABLED": True,
            "SUPERSET_CONFIG": {
                "service_url": self.superset.url,
                "username": "aspects",
                "password": self.passwords["aspects"],
            },
            "ASPECTS_SUPERSET_READER": {"username": "ch_report", "password": self.passwords["ch_report"]},
            "OPEN_EDX_FILTERS_CONFIG": FILTERS,
            "CELERY_BROKER_TRANSPORT_OPTIONS": transport,
        }

    def configure(self) -> None:
        """Write the operator's settings, and name them in the environment of this process and of the services."""
        (self.folder / "queue").mkdir()
        tokens = self.folder / "env-tokens.json"
        tokens.write_text(json.dumps(self.tokens, indent=2))
        self.environment = {
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(PLATFORM)]),
            "STANDIN_DATA_DIR": str(self.folder / "standin"),
            "STANDIN_COURSES_DIR": str(self.folder / "courses"),
            "STANDIN_ENV_TOKENS": str(tokens),
            "STANDIN_BROKER_URL": "filesystem://localhost//",
        }
        os.environ.update(self.environment, DJANGO_SETTINGS_MODULE="cms.envs.standin")
        sys.path[:0] = self.environment["PYTHONPATH"].split(os.pathsep)
        for process in (self.lms, self.cms, self.worker):
            process.environment |= self.environment

    def start(self, say: Callable[[str], None], more: Callable[[], None] | None = None) -> None:
        """Start everything, with the school in ClickHouse and the boards in Superset.

        ``say`` hears what is done; ``more`` makes further content before it is written to ClickHouse.
        """
        from django.core.management import call_command

        from . import provision
        from .school import make_school, utc_now, write_statements

        say("ClickHouse (the embedded engine behind HTTP)")
        self.clickhouse.start()
        call_command("migrate", run_syncdb=True, verbosity=0)
        say("Superset's configuration, and its database in the background")
        self.superset.config_text.write_text(provision.config_text(self))
        with ThreadPoolExecutor(1) as pool:
            prepared = pool.submit(self.superset.prepare)
            say("The platform: courses, people, and what learners did")
            self.school = make_school(self.passwords, utc_now())
            if more:
                more()
            say("ClickHouse's databases, tables, users and reports")
            provision.clickhouse(self)
            say(f"{self.school.statements:,} statements of what learners did, and the platform's objects")
            call_command("dump_data_to_clickhouse", object=["all"], stdout=StringIO())
            write_statements(self.school)
            say("LMS, Studio and a worker")
            for process in (self.lms, self.cms, self.worker):
                process.launch()
            prepared.result()
        say("Superset")
        self.superset.start()
        say("Boards")
        provision.superset(self)
        for process in (self.lms, self.cms, self.worker):
            process.wait_until_ready()

    def ask_clickhouse(self, statement: str) -> str:
        """Run a statement as ClickHouse's administrator; AssertionError if it is refused."""
        answer = requests.post(self.clickhouse.url, data=statement.encode(), auth=ADMIN, timeout=TIMEOUT_SECS)
        assert answer.ok, answer.text
        return answer.text

    @property
    def secrets(self) -> list[str]:
        """Passwords, keys and tokens, which no log and no page may show."""
        return [*self.passwords.values(), self.superset.guest_token_secret]

    def kill(self) -> None:
        """End every process."""
        for process in reversed(self.processes):
            process.kill()
