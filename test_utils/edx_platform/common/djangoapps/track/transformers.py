"""The events that the tracking log has under older names too: moves in a sequence, and videos on phones."""

import json
from typing import Any, ClassVar

from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import UsageKey


class EventTransformer(dict[str, Any]):
    """An event that changes itself; ``self.event`` is its payload, which may stand in it as text."""

    legacy_event_type = ""

    def __init__(self, event: dict[str, Any]):
        super().__init__(event)
        self.event = json.loads(self["event"]) if isinstance(self["event"], str) else self["event"]

    def is_legacy_event(self) -> bool:
        return True

    def transform(self) -> None:
        if self.is_legacy_event():
            self["event_type"] = self.legacy_event_type
            self.process_legacy_fields()
        self.process_event()
        self["event"] = json.dumps(self.event) if isinstance(self.get("event"), str) else self.event

    def process_legacy_fields(self) -> None:
        """Add the fields of the older event."""

    def process_event(self) -> None:
        """Change the event itself."""


class SequenceTabSelectedEventTransformer(EventTransformer):
    """seq_goto."""

    legacy_event_type = "seq_goto"

    def process_legacy_fields(self) -> None:
        self.event["old"] = self.event["current_tab"]
        self.event["new"] = self.event["target_tab"]


class NextSelectedEventTransformer(EventTransformer):
    """seq_next, within a sequence."""

    legacy_event_type = "seq_next"
    offset = 1

    def is_legacy_event(self) -> bool:
        return bool(self.event["current_tab"] != self.event["tab_count"])

    def process_legacy_fields(self) -> None:
        self.event["old"] = self.event["current_tab"]
        self.event["new"] = self.event["current_tab"] + self.offset


class PreviousSelectedEventTransformer(NextSelectedEventTransformer):
    """seq_prev, within a sequence."""

    legacy_event_type = "seq_prev"
    offset = -1

    def is_legacy_event(self) -> bool:
        return bool(self.event["current_tab"] != 1)


class VideoEventTransformer(EventTransformer):
    """The video events of phones, as the ones of browsers."""

    name_to_event_type_map: ClassVar = {
        "edx.video.played": "play_video",
        "edx.video.paused": "pause_video",
        "edx.video.stopped": "stop_video",
        "edx.video.loaded": "load_video",
        "edx.video.position.changed": "seek_video",
        "edx.video.seeked": "seek_video",
        "edx.video.transcript.shown": "show_transcript",
        "edx.video.transcript.hidden": "hide_transcript",
        "edx.video.language_menu.shown": "video_show_cc_menu",
        "edx.video.language_menu.hidden": "video_hide_cc_menu",
    }

    def transform(self) -> None:
        if self["name"] in self.name_to_event_type_map:
            self.legacy_event_type = self.name_to_event_type_map[self["name"]]
            super().transform()

    def process_event(self) -> None:
        if self["name"] == "edx.video.seeked":
            self["name"] = "edx.video.position.changed"
        if not self.event:
            return
        if "module_id" in self.event:
            module_id = self.event.pop("module_id")
            try:
                key: Any = UsageKey.from_string(module_id)
                self.event["id"] = key.html_id()
            except InvalidKeyError:
                pass
        if "current_time" in self.event:
            self.event["currentTime"] = self.event.pop("current_time")
        kind = self.event.pop("seek_type", None)
        if kind in ("slide", "skip"):
            self.event["type"] = "onSlideSeek" if kind == "slide" else "onSkipSeek"
        if "type" in self.event and abs(self.event.get("requested_skip_interval", 30)) != 30:
            self.event["type"] = "onSlideSeek"
        context = self.get("context", {})
        if "open_in_browser_url" in context:
            self["page"] = context.pop("open_in_browser_url").rpartition("/")[0]


class EventTransformerRegistry:
    """Which events are changed, by name, or by the beginning of the name if that ends with a dot."""

    mapping: ClassVar[dict[str, type[EventTransformer]]] = {
        "edx.ui.lms.sequence.tab_selected": SequenceTabSelectedEventTransformer,
        "edx.ui.lms.sequence.next_selected": NextSelectedEventTransformer,
        "edx.ui.lms.sequence.previous_selected": PreviousSelectedEventTransformer,
        "edx.video.": VideoEventTransformer,
    }

    @classmethod
    def create_transformer(cls, event: dict[str, Any]) -> EventTransformer:
        """Return the event as one that can change itself; KeyError if nothing is to change."""
        name = event.get("name", "")
        for match, transformer in cls.mapping.items():
            if name == match or (match.endswith(".") and name.startswith(match)):
                return transformer(event)
        raise KeyError(name)
