"""Gives the lines of the tracking log the fields that they had before event-tracking."""

import json
from typing import Any

from common.djangoapps.track.transformers import EventTransformerRegistry

CONTEXT_FIELDS_TO_INCLUDE = ["username", "session", "ip", "agent", "host", "referer", "accept_language"]


class LegacyFieldMappingProcessor:
    """Moves fields out of the context, and ``data`` to ``event``: as text when a browser sent it."""

    def __call__(self, event: dict[str, Any]) -> None:
        context = event.get("context", {})
        if "context" in event:
            for field in CONTEXT_FIELDS_TO_INCLUDE:
                self.move_from_context(field, event)
            # For Segment only.
            context.pop("client_id", None)
        data = event.pop("data", {})
        is_text = context.get("event_source", "") == "browser" and isinstance(data, dict)
        event["event"] = json.dumps(data) if is_text else data
        # Phones say when it happened. The time at which the platform emitted the event is lost then.
        if "timestamp" in context:
            event["time"] = context.pop("timestamp")
        elif "timestamp" in event:
            event["time"] = event["timestamp"]
        event.pop("timestamp", None)
        self.move_from_context("event_type", event, event.get("name", ""))
        self.move_from_context("event_source", event, "server")
        self.move_from_context("page", event, None)

    def move_from_context(self, field: str, event: dict[str, Any], default: Any = "") -> None:
        event[field] = event.get("context", {}).pop(field, default)


class PrefixedEventProcessor:
    """Gives some events, by their name or its beginning, the names and fields of their predecessors besides."""

    def __call__(self, event: dict[str, Any]) -> dict[str, Any] | None:
        try:
            transformer = EventTransformerRegistry.create_transformer(event)
        except KeyError:
            return None
        transformer.transform()
        return transformer
