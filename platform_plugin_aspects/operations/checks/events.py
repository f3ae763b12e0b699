"""Checks of the way of learning events: the platform hands them over, and nothing else makes statements of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from platform_plugin_aspects.delivery.tracking import is_registered
from platform_plugin_aspects.operations.checks.tag import TAG
from platform_plugin_aspects.sinks import StatementSink

#: The beginning of the names of edx-event-routing-backends' classes that make xAPI statements.
THEIR_PROCESSORS = "event_routing_backends.processors.xapi."
HOW_TO = 'the how-to "Learning events" says how to switch over without doubles'


@register(TAG)
def check_tracker(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W026: while learning events are set on, the platform's tracker hands them over."""
    if not StatementSink.is_set_on() or is_registered():
        return []
    return [
        Warning(
            f"{StatementSink.setting()} is True, but the platform's tracker does not hand its events over.",
            hint="Add eventtracking.django.apps.EventTrackingConfig to INSTALLED_APPS, before this plugin.",
            id="platform_plugin_aspects.W026",
        )
    ]


@register(TAG)
def check_one_writer(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W027: while learning events are set on, edx-event-routing-backends does not make statements of them, too."""
    if not StatementSink.is_set_on() or not is_transformed_elsewhere():
        return []
    return [
        Warning(
            f"{StatementSink.setting()} is True, and EVENT_TRACKING_BACKENDS still has edx-event-routing-backends make "
            "a statement of each event, in a Celery task of its own: Ralph and Vector get statements with other ids.",
            hint='Remove the backend "xapi" from EVENT_TRACKING_BACKENDS["event_transformer"], or all of it where '
            f"nobody uses Caliper: {HOW_TO}.",
            id="platform_plugin_aspects.W027",
        )
    ]


def is_transformed_elsewhere() -> bool:
    """Whether the tracker's settings have statements made of each event by edx-event-routing-backends' own tasks."""
    return _names(getattr(settings, "EVENT_TRACKING_BACKENDS", None))


def _names(node: Any) -> bool:
    """Whether a part of the setting names one of the classes that make xAPI statements."""
    if isinstance(node, Mapping):
        return any(map(_names, node.values()))
    if isinstance(node, list | tuple):
        return any(map(_names, node))
    return isinstance(node, str) and node.startswith(THEIR_PROCESSORS)
