"""Checks of sinks that are set on and stay off all the same."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Warning, register

from platform_plugin_aspects.operations.checks.tag import TAG
from platform_plugin_aspects.sinks.registry import sinks


@register(TAG)
def check_usable(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W025: each sink that is set on can be used; that of xAPI statements needs edx-event-routing-backends."""
    found: list[CheckMessage] = []
    for sink in sinks().values():
        unusable = sink.why_unusable() if sink.is_set_on() else ""
        if unusable:
            why, _, remedy = unusable.partition(": ")
            found.append(
                Warning(
                    f"{sink.setting()} is True, but the sink {sink.name} is off: {why}.",
                    hint=f"{remedy[:1].upper()}{remedy[1:]}.",
                    id="platform_plugin_aspects.W025",
                )
            )
    return found
