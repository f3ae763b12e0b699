"""The show's site, and beside it boards under Aspects' UUIDs, with courses and people of their own."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from test_utils.show import site as show

from .boards import COUNTS, LEARNERS, MODES, TOTAL, Board, fill

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
#: Logs all levels: a secret that is not logged even so is never logged.
LOG_EVERYTHING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"level": "DEBUG", "handlers": ["console"]},
}


class Site:
    """The show's site with more: courses and people, boards under Aspects' UUIDs, and an LMS whose settings name these.

    Also a pytest plugin, which leaves itself in ``config.stash[SITE]``. ``configure`` comes before Django is set up,
    ``start`` after that.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.show = show.Site(folder)
        self.passwords = {**self.show.passwords, **{name: secrets.token_urlsafe() for name in (*TEAM, LEARNER)}}
        self.clickhouse, self.superset = self.show.clickhouse, self.show.superset
        self.lms = show.Service("lms", folder, name="lms-with-settings")
        # The text that the plugin prints adds the show's LMS and Studio.
        self.superset.own["TALISMAN_CONFIG"] = {"content_security_policy": {"frame-ancestors": [self.lms.url]}}
        self.last_settings = folder / "settings.json"
        self.contexts: dict[tuple[str, str], dict[str, Any]] = {}

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[SITE] = self

    def configure(self) -> None:
        """Write the operator's settings, and name them in the environment of this process and of the LMS."""
        self.show.configure()
        tokens = {
            **self.show.tokens,
            "SUPERSET_DASHBOARD_LOCALES": LOCALES,
            "ASPECTS_INSTRUCTOR_DASHBOARDS": INSTRUCTOR_DASHBOARDS,
            "ASPECTS_IN_CONTEXT_DASHBOARDS": IN_CONTEXT_DASHBOARDS,
        }
        file = self.folder / "env-tokens-with-settings.json"
        file.write_text(json.dumps(tokens))
        self._write_last_settings({})
        os.environ["STANDIN_ENV_TOKENS"] = str(file)
        self.lms.environment |= {
            **self.show.environment,
            "STANDIN_ENV_TOKENS": str(file),
            "STANDIN_TUTOR_SETTINGS": str(self.last_settings),
        }

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

    def start(self, say: Callable[[str], None]) -> None:
        """Start everything, with the courses' enrollments in ClickHouse and the boards in Superset."""
        from .people import enroll

        self.show.start(say, more=lambda: enroll(self.passwords))
        self.lms.launch()
        self.ask_clickhouse("GRANT SELECT ON event_sink.course_enrollment TO ch_report")
        address = self.clickhouse.url.partition("//")[2]
        clickhouse_url = f"clickhousedb://ch_report:{self.passwords['ch_report']}@{address}/event_sink"
        self.contexts = fill(self.superset, clickhouse_url, BOARDS, allowed_domains=[self.lms.url])
        self.lms.wait_until_ready()

    def ask_clickhouse(self, statement: str) -> str:
        """As show.Site."""
        return self.show.ask_clickhouse(statement)

    @property
    def secrets(self) -> list[str]:
        """Passwords, keys and tokens, which no log and no page may show."""
        return [*self.passwords.values(), *self.show.secrets]

    def logs(self) -> dict[str, str]:
        """The log of each process, by file name."""
        return {path.name: path.read_text(errors="replace") for path in (self.folder / "logs").iterdir()}

    def kill(self) -> None:
        """End every process."""
        self.lms.kill()
        self.show.kill()


SITE = pytest.StashKey[Site]()
