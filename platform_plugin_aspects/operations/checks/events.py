"""Checks of the way of learning events: the platform hands them over, and nothing else makes statements of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from platform_plugin_aspects.delivery.tracking import is_registered
from platform_plugin_aspects.operations.checks.check import check
from platform_plugin_aspects.sinks import StatementSink

#: The beginning of the names of edx-event-routing-backends' classes that make xAPI statements.
THEIR_PROCESSORS = "event_routing_backends.processors.xapi."
HOW_TO = 'the how-to "Learning events" says how to switch over without doubles'


@check("W026", "Add eventtracking.django.apps.EventTrackingConfig to INSTALLED_APPS, before this plugin.")
def check_tracker() -> Iterator[str]:
    """While learning events are set on, the platform's tracker hands them over."""
    if StatementSink.is_set_on() and not is_registered():
        yield f"{StatementSink.setting()} is True, but the platform's tracker does not hand its events over."


@check(
    "W027",
    'Remove the backend "xapi" from EVENT_TRACKING_BACKENDS["event_transformer"], or all of it where nobody uses '
    f"Caliper: {HOW_TO}.",
)
def check_one_writer() -> Iterator[str]:
    """While learning events are set on, edx-event-routing-backends does not make statements of them, too."""
    if StatementSink.is_set_on() and is_transformed_elsewhere():
        yield (
            f"{StatementSink.setting()} is True, and EVENT_TRACKING_BACKENDS still has edx-event-routing-backends make "
            "a statement of each event, in a Celery task of its own: Ralph and Vector get statements with other ids."
        )


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
