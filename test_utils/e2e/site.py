"""The site: ClickHouse, Superset with its boards, and the stand-in LMS with its courses and people."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import requests

from test_utils.processes import ADMIN, REPOSITORY, Endpoint, Process, answers, free_port

from .boards import COUNTS, LEARNERS, MODES, TOTAL, Board, fill
from .superset import TIMEOUT_SECS, Superset

PLATFORM = REPOSITORY / "test_utils" / "edx_platform"

#: Course -> (what its learners' usernames begin with, {mode: learners}). No two courses share a mode.
COURSES = {
    "course-v1:edX+Demo+2020": ("star", {"audit": 5, "verified": 3}),
    "course-v1:edX+Moons+2020": ("moon", {"honor": 4}),
    "course-v1:Sea+Demo+2020": ("fish", {"professional": 6}),
}
#: The course of most tests, and of the blocks in the workbench.
COURSE = next(iter(COURSES))
#: On the course team of COURSE: username -> language of the account.
TEAM = {"estelle": "en", "orion": "en", "najma": "ar"}
#: A learner in COURSE with a password, who is in its numbers too.
LEARNER = "star_0"

LOCALES = ("en", "ar", "es-419")
TITLES = {"en": "Course Dashboard", "ar": "لوحة معلومات المساق", "es-419": "Panel del curso"}
COURSE_BOARD = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"
LEARNER_BOARD = "abae8a25-1ba4-4653-81bd-d3937a162a11"
#: Studio's, of Aspects too.
PROBLEM_BOARD = "98ff33ff-18dd-48f9-8c58-629ae4f4194b"
COURSE_FILTER, BLOCK_FILTER = "NATIVE_FILTER-29CPcbirK", "NATIVE_FILTER-TJwItQhUI"


def localized(uuid: str, language: str) -> str:
    """The UUID of a board's translation in Aspects."""
    return str(uuid5(uuid5(UUID(uuid), "superset"), language.lower().replace("-", "_")))


COURSE_CHARTS = ((COUNTS,), (TOTAL, MODES))
BOARDS = (
    Board("Course Dashboard (source)", COURSE_BOARD, COURSE_CHARTS),
    *(Board(TITLES[language], localized(COURSE_BOARD, language), COURSE_CHARTS) for language in LOCALES),
    Board("Individual Learner Dashboard", LEARNER_BOARD, ((LEARNERS,),)),
    Board("Problem", PROBLEM_BOARD, ((LEARNERS,),), {COURSE_FILTER: "course_key", BLOCK_FILTER: "block_id"}),
)
INSTRUCTOR_DASHBOARDS = [
    {"name": "Course Dashboard", "slug": "course-dashboard", "uuid": COURSE_BOARD, "allow_translations": True},
    {
        "name": "Individual Learner Dashboard",
        "slug": "individual-learner",
        "uuid": LEARNER_BOARD,
        "allow_translations": False,
    },
]
IN_CONTEXT_DASHBOARDS = {
    "problem": {
        "name": "Problem",
        "slug": "in-context-problem",
        "uuid": PROBLEM_BOARD,
        "allow_translations": False,
        "course_filter_ids": [COURSE_FILTER],
        "block_filter_ids": [BLOCK_FILTER],
    },
}
FILTERS = {
    "org.openedx.learning.instructor.dashboard.render.started.v1": {
        "fail_silently": False,
        "pipeline": ["platform_plugin_aspects.extensions.filters.AddSupersetTab"],
    },
}

#: Logs all levels: a secret that is not logged even so is never logged.
LOG_EVERYTHING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"level": "DEBUG", "handlers": ["console"]},
}


class Lms(Process):
    """The stand-in LMS under ``runserver``."""

    def __init__(self, folder: Path):
        port = free_port()
        command = [sys.executable, "manage.py", "lms", "runserver", "--noreload", f"127.0.0.1:{port}"]
        super().__init__("lms", folder, command)
        # Another site than Superset's 127.0.0.1, as in production.
        self.url = f"http://localhost:{port}"

    def is_ready(self) -> bool:
        return answers(f"{self.url}/heartbeat")


class Site:
    """All of it, in ``folder``; also a pytest plugin, which leaves itself in ``config.stash[SITE]``.

    ``configure`` comes before Django is set up, ``start`` after that.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.passwords = {name: secrets.token_urlsafe() for name in (*TEAM, LEARNER, "ch_cms", "ch_report")}
        self.clickhouse = Endpoint(folder)
        users = {
            ADMIN[0]: [ADMIN[1], "all"],
            "ch_cms": [self.passwords["ch_cms"], {"event_sink": ["SELECT", "INSERT", "ALTER DELETE"]}],
        }
        self.clickhouse.command += ["--users", json.dumps(users)]
        self.lms = Lms(folder)
        self.superset = Superset(folder, frame_ancestors=[self.lms.url])
        self.processes: tuple[Process, ...] = (self.clickhouse, self.superset, self.lms)
        self.last_settings = folder / "settings.json"
        self.contexts: dict[tuple[str, str], dict[str, Any]] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[SITE] = self

    def configure(self) -> None:
        """Write the operator's settings, and name them in the environment of this process and of the LMS."""
        username, password = self.superset.service_account
        tokens = {
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {
                "url": self.clickhouse.url,
                "username": "ch_cms",
                "password": self.passwords["ch_cms"],
                "database": "event_sink",
            },
            "EVENT_SINK_CLICKHOUSE_COURSE_ENROLLMENT_ENABLED": True,
            "SUPERSET_CONFIG": {"service_url": self.superset.url, "username": username, "password": password},
            "SUPERSET_DASHBOARD_LOCALES": LOCALES,
            "ASPECTS_SUPERSET_READER": {"username": "ch_report", "password": self.passwords["ch_report"]},
            "ASPECTS_INSTRUCTOR_DASHBOARDS": INSTRUCTOR_DASHBOARDS,
            "ASPECTS_IN_CONTEXT_DASHBOARDS": IN_CONTEXT_DASHBOARDS,
            "OPEN_EDX_FILTERS_CONFIG": FILTERS,
        }
        (self.folder / "env-tokens.json").write_text(json.dumps(tokens))
        self._write_last_settings({})
        environment = {
            "DJANGO_SETTINGS_MODULE": "cms.envs.standin",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(PLATFORM)]),
            "STANDIN_DATA_DIR": str(self.folder / "standin"),
            "STANDIN_COURSES_DIR": str(self.folder / "courses"),
            "STANDIN_ENV_TOKENS": str(self.folder / "env-tokens.json"),
        }
        os.environ.update(environment)
        sys.path[:0] = environment["PYTHONPATH"].split(os.pathsep)
        self.lms.environment |= {**environment, "STANDIN_TUTOR_SETTINGS": str(self.last_settings)}

    def _write_last_settings(self, settings: dict[str, Any]) -> None:
        self.last_settings.write_text(json.dumps({"LOGGING": LOG_EVERYTHING, **settings}))

    @contextmanager
    def settings(self, **settings: Any) -> Iterator[None]:
        """The LMS, started anew, with these settings in place of the operator's; and again with the operator's."""
        self._restart_lms(settings)
        try:
            yield
        finally:
            self._restart_lms({})

    def _restart_lms(self, settings: dict[str, Any]) -> None:
        self.lms.stop()
        self._write_last_settings(settings)
        self.lms.start()

    def start(self) -> None:
        """Start everything, with the courses' enrollments in ClickHouse and the boards in Superset."""
        from .people import enroll_and_dump

        self.clickhouse.start()
        enroll_and_dump(self.passwords)
        self._make_reader()
        self.lms.launch()
        self.superset.prepare()
        self.superset.start()
        self.superset.make_service_account()
        address = self.clickhouse.url.partition("//")[2]
        clickhouse_url = f"clickhousedb://ch_report:{self.passwords['ch_report']}@{address}/event_sink"
        self.contexts = fill(self.superset, clickhouse_url, BOARDS, allowed_domains=[self.lms.url])
        self.lms.wait_until_ready()

    def ask_clickhouse(self, statement: str) -> None:
        """Run a statement as ClickHouse's administrator."""
        answer = requests.post(self.clickhouse.url, data=statement.encode(), auth=ADMIN, timeout=TIMEOUT_SECS)
        assert answer.ok, answer.text

    def _make_reader(self) -> None:
        """Superset's user in ClickHouse, by the statements that the plugin prints for it."""
        from django.core.management import call_command

        printed = StringIO()
        call_command("aspects_create_tables", "--print-grants", stdout=printed)
        for statement in printed.getvalue().removesuffix(";\n").split(";\n"):
            self.ask_clickhouse(statement)

    @property
    def secrets(self) -> list[str]:
        """Passwords, keys and tokens, which no log and no page may show."""
        superset = self.superset
        return [
            *self.passwords.values(),
            superset.admin_password,
            superset.service_account[1],
            superset.guest_token_secret,
        ]

    def logs(self) -> dict[str, str]:
        """The log of each process, by file name."""
        return {path.name: path.read_text(errors="replace") for path in (self.folder / "logs").iterdir()}

    def kill(self) -> None:
        """End every process."""
        for process in reversed(self.processes):
            process.kill()


SITE = pytest.StashKey[Site]()
