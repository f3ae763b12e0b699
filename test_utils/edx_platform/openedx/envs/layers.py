"""The layers of a site and of a test run, in edx-platform's order."""

import os
import sys
import tempfile
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from edx_django_utils.plugins import add_plugins
from openedx.core.djangoapps.plugins.constants import SettingsType
from openedx.envs.environment import sqlite

MERGED_SETTINGS = ("FEATURES",)

# Held for as long as the process lives, then removed.
_folders: list[tempfile.TemporaryDirectory] = []


def add_site_layers(settings_path: str, project_type: str) -> None:
    """Apply the operator's env tokens, then the plugins' production settings, then Tutor's assignments.

    Call it as the last statement of a settings module that has taken over its ``common``, where the plugins'
    common settings are in place already.
    """
    settings = vars(sys.modules[settings_path])
    settings["CUSTOM_COURSES_EDX"] = True
    database = settings["DATABASES"]["default"]
    if database["ENGINE"].endswith("sqlite3"):
        Path(database["NAME"]).parent.mkdir(parents=True, exist_ok=True)

    env_tokens = read_settings_file("STANDIN_ENV_TOKENS")
    settings["ENV_TOKENS"] = env_tokens
    assign(settings, env_tokens)
    if settings["CUSTOM_COURSES_EDX"] or settings["FEATURES"].get("CUSTOM_COURSES_EDX"):
        settings["INSTALLED_APPS"] = [*settings["INSTALLED_APPS"], *settings["CUSTOM_COURSES_APPS"]]

    add_plugins(settings_path, project_type, SettingsType.PRODUCTION)
    choose_erb_routing(settings)

    assign(settings, read_settings_file("STANDIN_TUTOR_SETTINGS"))


def add_test_layers(settings_path: str, project_type: str) -> None:
    """Apply what tests need (a database file of its own, quick hashing), then the plugins' test settings.

    STANDIN_DATABASE_URL still chooses another database; broker, cache and courses are always in memory.
    """
    settings = vars(sys.modules[settings_path])
    if not os.environ.get("STANDIN_DATABASE_URL"):
        _folders.append(tempfile.TemporaryDirectory(prefix="standin-test-", ignore_cleanup_errors=True))
        folder = Path(_folders[-1].name)
        # The tests' own database is a file too: they use threads and processes.
        test_database = {"NAME": str(folder / "test.sqlite3")}
        settings["DATABASES"] = {"default": {**sqlite(folder / "db.sqlite3"), "TEST": test_database}}
    settings.update(
        INSTALLED_APPS=[*settings["INSTALLED_APPS"], *settings["CUSTOM_COURSES_APPS"]],
        CUSTOM_COURSES_EDX=True,
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        CELERY_BROKER_URL="memory://",
        CELERY_TASK_ALWAYS_EAGER=False,
        # The tracking log, at level INFO, is off.
        LOGGING={"version": 1, "disable_existing_loggers": False},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STANDIN_COURSES_DIR=None,
    )

    add_plugins(settings_path, project_type, SettingsType.TEST)
    choose_erb_routing(settings)


def choose_erb_routing(settings: dict[str, Any]) -> None:
    """Take event-routing-backends' own routing, a Celery task for each event, away unless it is asked for."""
    if os.environ.get("STANDIN_ERB_ROUTING") != "1":
        settings["EVENT_TRACKING_BACKENDS"].pop("event_transformer", None)


def assign(settings: dict[str, Any], values: dict[str, Any]) -> None:
    """Assign the values, except that features are added to those that are there."""
    for name, value in deepcopy(values).items():
        settings[name] = {**settings.get(name, {}), **value} if name in MERGED_SETTINGS else value


def read_settings_file(variable: str) -> dict[str, Any]:
    """Return the settings in the JSON or YAML file that the environment variable names ({} if unset)."""
    path = os.environ.get(variable)
    if not path:
        return {}
    values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    if not isinstance(values, dict):
        raise ValueError(f"{variable}: {path} holds a {type(values).__name__}; it must map names to values")
    return values
