"""The layers of a production site, in edx-platform's order."""

import os
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from edx_django_utils.plugins import add_plugins
from openedx.core.djangoapps.plugins.constants import SettingsType

MERGED_SETTINGS = ("FEATURES",)


def add_site_layers(settings_path: str, project_type: str) -> None:
    """Apply the operator's env tokens, then the plugins' production settings, then Tutor's assignments.

    Call it as the last statement of a settings module that has taken over its ``common``, where the plugins' common
    settings are in place already.
    """
    settings = vars(sys.modules[settings_path])
    settings["CUSTOM_COURSES_EDX"] = True
    if settings["DATABASES"]["default"]["ENGINE"].endswith("sqlite3"):
        Path(settings["DATABASES"]["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)

    env_tokens = read_settings_file("STANDIN_ENV_TOKENS")
    settings["ENV_TOKENS"] = env_tokens
    assign(settings, env_tokens)
    if settings["CUSTOM_COURSES_EDX"] or settings["FEATURES"].get("CUSTOM_COURSES_EDX"):
        settings["INSTALLED_APPS"] = [*settings["INSTALLED_APPS"], *settings["CUSTOM_COURSES_APPS"]]

    add_plugins(settings_path, project_type, SettingsType.PRODUCTION)

    assign(settings, read_settings_file("STANDIN_TUTOR_SETTINGS"))


def assign(settings: dict[str, Any], values: dict[str, Any]) -> None:
    """Assign the values, except that features are added to those that are there."""
    for name, value in deepcopy(values).items():
        if name in MERGED_SETTINGS:
            settings[name] = {**settings.get(name, {}), **value}
        else:
            settings[name] = value


def read_settings_file(variable: str) -> dict[str, Any]:
    """Return the settings in the JSON or YAML file that the environment variable names ({} when it is unset)."""
    path = os.environ.get(variable)
    if not path:
        return {}
    values = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    if not isinstance(values, dict):
        raise ValueError(
            f"{variable}: {path} holds a {type(values).__name__}; it must map setting names to values"
        )
    return values
