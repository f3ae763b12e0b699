"""Settings in the env tokens of operators override the defaults of ``common``."""

from __future__ import annotations

from typing import Any

from platform_plugin_aspects.settings import common


def plugin_settings(settings: Any) -> None:
    """Take the plugin's settings from ``settings.ENV_TOKENS``; keep what is set already; else use the default.

    Values are taken whole, in the operator's shape: missing keys get their defaults where they are read.
    """
    tokens = getattr(settings, "ENV_TOKENS", None) or {}
    for name, default in common.defaults().items():
        setattr(settings, name, tokens.get(name, getattr(settings, name, default)))
    for name, value in tokens.items():
        if name.startswith("EVENT_SINK_CLICKHOUSE_") and name.endswith("_ENABLED"):
            setattr(settings, name, value)
