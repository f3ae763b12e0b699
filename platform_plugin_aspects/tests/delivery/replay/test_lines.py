"""Lines of tracking logs: which hold an event, and why others do not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.delivery.replay.lines import Left, Unusable, events_in

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
    assert events_in(prefix + LINE + end) == [EVENT]


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
        events_in(line)
    assert str(left.value) == reason


def test_an_event_without_a_moment_is_unusable() -> None:
    [found] = events_in(json.dumps({**ENTRY, "time": None}).encode())
    assert isinstance(found, Unusable)
    assert (found.name, str(found)) == ("play_video", "the event has no timestamp in ISO 8601")


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
        assert events_in(LINE, *bounds) == [EVENT]
    else:
        with pytest.raises(Left, match="outside of --since and --until"):
            events_in(LINE, *bounds)


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
        events = events_in(line)
    except Left:
        return
    assert events
    for event in events:
        assert isinstance(event, Unusable) or event["timestamp"].endswith("+00:00")


SECOND = json.dumps({**ENTRY, "time": "2026-03-01T10:00:01+00:00"}).encode()
SECOND_EVENT = {**EVENT, "timestamp": "2026-03-01T10:00:01+00:00"}
FOREIGN = b'{"level": "info"}'
#: As nested as an answer to a problem of many questions.
NESTED = b'{"name": "problem_check", "event": {' + b", ".join(b'"%d": {"ok": true}' % n for n in range(25)) + b', "x'


@pytest.mark.parametrize(
    ("line", "events"),
    [
        (LINE + SECOND, [EVENT, SECOND_EVENT]),
        (LINE + b" Mar  1 10:00:01 lms-1 INFO - " + SECOND + b"\n", [EVENT, SECOND_EVENT]),
        (b"Mar  1 10:00:00 lms-1 INFO - " + LINE + SECOND, [EVENT, SECOND_EVENT]),
        # The writer was killed within the second, or within the first.
        (LINE + SECOND[:100], [EVENT]),
        (LINE[:100] + SECOND, [SECOND_EVENT]),
        (LINE[:-1] + SECOND, [SECOND_EVENT]),
        (NESTED + SECOND, [SECOND_EVENT]),
        (LINE[:100] + LINE + SECOND, [EVENT, SECOND_EVENT]),
        (LINE + b" and more", [EVENT]),
        (FOREIGN + LINE, [EVENT]),
        (LINE + FOREIGN, [EVENT]),
    ],
)
def test_lines_that_a_killed_writer_left_in_one(line: bytes, events: list[Any]) -> None:
    assert events_in(line) == events


def test_a_part_of_half_an_event_is_not_taken_for_one() -> None:
    half = b'{"name": "x", "event": {"inner": ' + LINE + b', "more'
    with pytest.raises(Left, match="without a JSON object"):
        events_in(half)
