"""Checks of the names of settings and of the keys in them: what is misspelt has no effect, and nothing else says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.reader import Reader
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.operations.checks.spelling import closest, suggestion
from platform_plugin_aspects.operations.checks.tag import TAG
from platform_plugin_aspects.settings import common

#: Settings with fixed keys, and the classes that read them.
MAPPINGS = {
    "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": Connection,
    "SUPERSET_CONFIG": SupersetConfig,
    "ASPECTS_SUPERSET_READER": Reader,
}
#: The beginnings of the names of the plugin's settings.
PREFIXES = ("EVENT_SINK_CLICKHOUSE_", "ASPECTS_", "SUPERSET_", "IN_CONTEXT_DASHBOARD_")


@register(TAG)
def check_keys(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W004: EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG, SUPERSET_CONFIG and ASPECTS_SUPERSET_READER have no keys that are not
    known."""
    found: list[CheckMessage] = []
    for name, kind in MAPPINGS.items():
        configured = getattr(settings, name, None)
        known = {field.name for field in fields(kind)}
        for key in configured if isinstance(configured, Mapping) else ():
            if key not in known:
                found.append(
                    Warning(
                        f"{key!r} in {name} has no effect.",
                        hint=suggestion(key, known),
                        id="platform_plugin_aspects.W004",
                    )
                )
    return found


@register(TAG)
def check_settings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W011: no setting has nearly the name of one of the plugin's, as misspelt ones and old ones have."""
    known = set(common.defaults())
    return [
        Warning(
            f"{name} is not a setting of this plugin, and has no effect.",
            hint=suggestion(name, known),
            id="platform_plugin_aspects.W011",
        )
        for name in dir(settings)
        if name.startswith(PREFIXES) and name not in known and not name.endswith("_ENABLED") and closest(name, known)
    ]
