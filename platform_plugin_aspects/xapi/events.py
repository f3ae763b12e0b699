"""Tracking events: which are kept, in which shape they are transformed, and the bytes in which they wait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import lz4.frame
from django.conf import settings
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import UsageKey

#: As many characters of a course id as people see; the platform has none that is longer.
COURSE_LENGTH = 255
#: The beginning of the names of events of special exams.
EXAMS = "edx.special_exam."
#: The beginning of the names of events of videos that mobile apps send.
VIDEOS = "edx.video."
#: Fields that the platform moves from an event's context to its top level when it writes the tracking log.
MOVED = (
    "username",
    "session",
    "ip",
    "agent",
    "host",
    "referer",
    "accept_language",
    "event_type",
    "event_source",
    "page",
)

#: Sources whose data a client wrote, so that they must not say who acted.
OF_CLIENTS = ("browser", "mobile")
#: ERB takes these for the learner, at any depth of an event's data, before it looks at the context.
WHO = ("user_id", "username")

#: The largest event that is kept, in bytes of JSON. The platform's tracking log leaves out those of more than 50,000
#: (TRACK_MAX_EVENT). MySQL closes the connection, and so ends the request's transaction, when it gets more than
#: max_allowed_packet, which is 4 MB on old servers.
LARGEST = 1_000_000


def is_allowed(name: Any) -> bool:
    """Whether events of this name become statements: the allow list of edx-event-routing-backends (ERB) has it.

    False while XAPI_EVENTS_ENABLED, which is ERB's switch, is off, and where ERB's settings do not exist.
    """
    if not getattr(settings, "XAPI_EVENTS_ENABLED", False):
        return False
    return name in getattr(settings, "EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS", ())


def canonical(event: Mapping[str, Any], *, parsed: bool = False) -> dict[str, Any]:
    """The event as it is transformed: ``name``, ``timestamp``, ``data`` and ``context``, with values of JSON only.

    The timestamp is ISO text in UTC that ends in ``+00:00``, because the statement's id depends on its letters. Both
    an event of the platform's tracker and an entry of its tracking log, in which the fields have other names, give the
    same. Events of special exams have their data a second time, as ``event``; those of videos on phones have an ``id``.
    Data of browsers and apps do not say who acted: the platform's context does.
    Raises ValueError for an event without a name or a moment. ``parsed``: the event was read from JSON.
    """
    plain: Mapping[str, Any] = event if parsed else json.loads(_json(event))
    if "event_type" in plain and "data" not in plain:
        plain = _from_log(plain)
    context = plain.get("context")
    context = context if isinstance(context, dict) else {}
    if not plain.get("name") or not isinstance(plain["name"], str):
        raise ValueError("the event has no name")
    # The tracking log has the moment of the context, which mobile apps send, where there is one.
    moment = _utc(context.pop("timestamp", None)) or _utc(plain.get("timestamp"))
    if not moment:
        raise ValueError("the event has no timestamp in ISO 8601")
    data = plain.get("data")
    if context.get("event_source") in OF_CLIENTS:
        _forget_who(data)
    if plain["name"].startswith(VIDEOS) and isinstance(data, dict):
        data = _with_block_id(data)
    event = {"name": plain["name"], "timestamp": moment, "data": data, "context": context}
    if plain["name"].startswith(EXAMS):
        # ERB's transformers read these events as the tracking log has them, and fail for live ones.
        event["event"] = event["data"]
    return event


class TooLarge(ValueError):
    """An event is too large, or nested too deeply, to be kept; the text says so, and names no value."""


def pack(event: Mapping[str, Any]) -> bytes:
    """An event as it waits: JSON, compressed by what is quickest, because a request does this.

    Raises TooLarge, and ValueError for an event that contains itself.
    """
    text = _json(event)
    if len(text) > LARGEST:
        raise TooLarge(f"it has {len(text):,} bytes as JSON; at most {LARGEST:,} are kept")
    return bytes(lz4.frame.compress(text.encode()))


def unpacked_size(payload: bytes) -> int:
    """How many bytes of JSON ``pack`` made these bytes of; 0 for others."""
    try:
        return int(lz4.frame.get_frame_info(payload)["content_size"])
    except (RuntimeError, ValueError):
        return 0


def unpack(payload: bytes) -> dict[str, Any]:
    """The canonical event of which ``pack`` made these bytes. Raises ValueError for others, and as ``canonical``."""
    return canonical(stored_event(payload), parsed=True)


def stored_event(payload: bytes) -> dict[str, Any]:
    """The event as it was emitted, of which ``pack`` made these bytes. Raises ValueError for others."""
    try:
        event = json.loads(lz4.frame.decompress(payload))
    except (RuntimeError, ValueError):
        raise ValueError("the stored event is damaged") from None
    if not isinstance(event, dict):
        raise ValueError(f"the stored event is a {type(event).__name__}, expected an object")
    return event


def course_of(payload: bytes) -> str:
    """The course id in a stored event, for people; empty for an event without one. It may be any text."""
    try:
        event = stored_event(payload)
    except ValueError:
        return ""
    for part in (event.get("context"), event.get("data")):
        found = part.get("course_id") if isinstance(part, dict) else None
        if found and isinstance(found, str):
            return found[:COURSE_LENGTH]
    return ""


def _json(event: Mapping[str, Any]) -> str:
    try:
        return _ENCODER.encode(event)
    except RecursionError:
        raise TooLarge("the event is nested too deeply") from None


def _from_log(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The event that led to this entry of a tracking log."""
    context = dict(entry["context"]) if isinstance(entry.get("context"), dict) else {}
    for field in MOVED:
        if entry.get(field):
            context.setdefault(field, entry[field])
    data = entry.get("event")
    if isinstance(data, str):
        # The data of browsers' events are text there, with JSON in it.
        try:
            parsed = json.loads(data)
        except (ValueError, RecursionError):
            parsed = None
        data = parsed if isinstance(parsed, dict) else data
    name = entry.get("name") or entry.get("event_type")
    return {"name": name, "timestamp": entry.get("time"), "data": data, "context": context}


def _forget_who(data: Any) -> None:
    """Remove what names a learner from data, in place; they were read from JSON, so nobody else has them."""
    unseen = [data]
    while unseen:
        part = unseen.pop()
        if isinstance(part, dict):
            for name in WHO:
                part.pop(name, None)
            unseen.extend(part.values())


def _with_block_id(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Data of a video event with ``id``, which ERB needs, in place of the ``module_id`` of mobile apps.

    The platform does the same when it writes the tracking log.
    """
    try:
        key: Any = UsageKey.from_string(str(data.get("module_id")))
    except InvalidKeyError:
        return data
    others = {name: value for name, value in data.items() if name != "module_id"}
    return {**others, "id": key.html_id()}


def _plain(value: Any) -> Any:
    """A value that JSON does not know, as the platform's log writes it: moments in ISO, others as text."""
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


#: Made once, because json.dumps makes one for each call.
_ENCODER = json.JSONEncoder(default=_plain, skipkeys=True, separators=(",", ":"))


def _text(moment: datetime) -> str:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat()


def _utc(moment: Any) -> str:
    """ISO text of a moment in UTC; empty when this is not one."""
    try:
        return _text(datetime.fromisoformat(moment)) if isinstance(moment, str) else ""
    except (ValueError, OverflowError):
        return ""
