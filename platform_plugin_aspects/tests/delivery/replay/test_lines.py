"""Lines of tracking logs: which hold an event, and why others do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.delivery.replay.lines import Left, Unusable, event_in

ENTRY: dict[str, Any] = {
    "name": "play_video",
    "context": {"user_id": 7, "course_id": "course-v1:Org+Sky+2026", "path": "/event"},
    "username": "mira",
    "session": "",
    "event": '{"id": "v1", "currentTime": 1.5}',
    "time": "2026-03-01T10:00:00.123456+00:00",
    "event_type": "play_video",
    "event_source": "browser",
    "page": None,
}
LINE = json.dumps(ENTRY).encode()
EVENT = {
    "name": "play_video",
    "timestamp": "2026-03-01T10:00:00.123456+00:00",
    "data": {"id": "v1", "currentTime": 1.5},
    "context": {
        "user_id": 7,
        "course_id": "course-v1:Org+Sky+2026",
        "path": "/event",
        "username": "mira",
        "event_type": "play_video",
        "event_source": "browser",
    },
}


@pytest.mark.parametrize(
    "prefix",
    [
        b"",
        b"Mar  1 10:00:00 lms-1 [service_variant=lms][tracking][env:prod] INFO [lms-1 7] [logger.py:41] - ",
        b"2026-03-01 10:00:00,123 INFO 17 [tracking] [user 7] [ip 198.51.100.7] logger.py:41 - ",
        b"<14>1 2026-03-01T10:00:00Z h\xfcgel app - {id} [a@b c={1}] ",
        b"\t",
        # Half a line of another process.
        LINE[:50],
    ],
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_an_event_may_have_a_prefix(prefix: bytes, end: bytes) -> None:
    assert event_in(prefix + LINE + end) == EVENT


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "blank"),
        (b" \r\n", "blank"),
        (b"Traceback (most recent call last):", "without a JSON object"),
        (LINE[:-1], "without a JSON object"),
        (LINE.replace(b"mira", b"m\xffra"), "without a JSON object"),
        (b"[1, 2]", "without a JSON object"),
        (b"{" * 100_000, "without a JSON object"),
        (b'{"a":' * 100_000, "without a JSON object"),
        (b"{}", "not a tracking event"),
        (b'{"name": "play_video"}', "not a tracking event"),
        (b'{"name": 5, "event_type": 5}', "not a tracking event"),
        (b'{"name": {"a": 1}, "event_type": "x"}', "not a tracking event"),
        (b'{"event_type": "/courses/x", "event": ""}', "an event that does not become a statement"),
        (b'{"name": "page_close", "event_type": "page_close"}', "an event that does not become a statement"),
    ],
)
def test_a_line_without_an_event_is_left_out(line: bytes, reason: str) -> None:
    with pytest.raises(Left) as left:
        event_in(line)
    assert str(left.value) == reason


def test_an_event_without_a_moment_is_unusable() -> None:
    with pytest.raises(Unusable, match="the event has no timestamp") as caught:
        event_in(json.dumps({**ENTRY, "time": None}).encode())
    assert caught.value.name == "play_video"


@pytest.mark.parametrize(
    ("since", "until", "is_in"),
    [
        ((2026, 3, 1, 10, 0, 0, 123456), None, True),
        ((2026, 3, 1, 10, 0, 0, 123457), None, False),
        (None, (2026, 3, 1, 10, 0, 0, 123457), True),
        (None, (2026, 3, 1, 10, 0, 0, 123456), False),
    ],
)
def test_events_are_from_since_on_and_before_until(since: Any, until: Any, is_in: bool) -> None:
    bounds = [None if parts is None else datetime(*parts, tzinfo=UTC) for parts in (since, until)]
    if is_in:
        assert event_in(LINE, *bounds) == EVENT
    else:
        with pytest.raises(Left, match="outside of --since and --until"):
            event_in(LINE, *bounds)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.binary()
    | st.fixed_dictionaries({}, optional=dict.fromkeys(ENTRY, json_values)).map(
        lambda values: json.dumps({**ENTRY, **values}).encode()
    )
)
def test_any_line_is_an_event_or_left_out_or_unusable(line: bytes) -> None:
    try:
        event = event_in(line)
    except (Left, Unusable):
        return
    assert event["timestamp"].endswith("+00:00")
    json.dumps(event)
