"""The servers together, and what the platform must know of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from test_utils.processes import REPOSITORY, Endpoint, Process

from .processes import MariaDB, Redis

PLATFORM = REPOSITORY / "test_utils" / "edx_platform"


class Servers:
    """All servers of the suite; also a pytest plugin, which leaves itself in ``config.stash[SERVERS]``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.database = MariaDB(folder)
        self.broker = Redis("broker", folder)
        self.cache = Redis("cache", folder)
        self.clickhouse = Endpoint(folder)

    @property
    def all(self) -> tuple[Process, ...]:
        return (self.database, self.broker, self.cache, self.clickhouse)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[SERVERS] = self

    def environment(self) -> dict[str, str]:
        """The environment that the stand-in platform needs, in this process and in workers."""
        tokens = self.folder / "env-tokens.json"
        models = ("course_overviews", "course_enrollment", "user_profile", "external_id", "auth_user")
        models += ("taxonomy", "tag", "object_tag")
        clickhouse = {"url": self.clickhouse.url, "username": "ch_cms", "password": "password"}
        settings: dict[str, Any] = {
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {**clickhouse, "database": "event_sink", "timeout_secs": 5},
            **{f"EVENT_SINK_CLICKHOUSE_{model.upper()}_ENABLED": True for model in models},
        }
        tokens.write_text(json.dumps(settings))
        return {
            "DJANGO_SETTINGS_MODULE": "cms.envs.standin",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(PLATFORM)]),
            "STANDIN_DATA_DIR": str(self.folder / "standin"),
            "STANDIN_COURSES_DIR": str(self.folder / "courses"),
            "STANDIN_DATABASE_URL": self.database.url,
            "STANDIN_BROKER_URL": self.broker.url,
            "STANDIN_CACHE_URL": self.cache.url,
            "STANDIN_ENV_TOKENS": str(tokens),
        }


SERVERS = pytest.StashKey[Servers]()
