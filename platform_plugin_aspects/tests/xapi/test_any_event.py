"""Whatever an event holds, transform gives statements or a reason, and never raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from platform_plugin_aspects.xapi.events import canonical, pack, unpack
from platform_plugin_aspects.xapi.transform import transform
from test_utils.factories import make_external_id, make_overview, make_user

FOLDER = Path(__file__).resolve().parents[3] / "test_utils/data/tracking_events"
EVENTS = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
NAMES = sorted(django_settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS)
WORDS = ("user_id", "username", "course_id", "session", "id", "problem_id", "submission", "timestamp", "answer", "a")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["7001", "ada", "course-v1:Org+Course+Run", "course-v1:O+C+R", "browser"])
    | st.sampled_from(["\ud800", "a\x00b", "💥"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """A true event in which some values are anything."""
    event: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(EVENTS))))
    for part in draw(st.lists(st.sampled_from(["data", "context"]), max_size=3)):
        if isinstance(event[part], dict) and event[part]:
            event[part][draw(st.sampled_from(sorted(event[part])))] = draw(JSON)
        else:
            event[part] = draw(JSON)
    return event


ANY = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES), "timestamp": st.datetimes(), "data": JSON, "context": JSON}
)


class AnyEventTest(TestCase):
    def setUp(self) -> None:
        make_overview("course-v1:Org+Course+Run", display_name="Course")
        make_external_id(make_user("ada", id=7001))

    @given(st.lists(spoilt() | ANY, min_size=1, max_size=5))
    def test_each_event_gives_statements_or_a_reason(self, events: list[dict[str, Any]]) -> None:
        stored = [unpack(pack(canonical(event))) for event in events]
        statements, rejected = transform(stored)
        assert len(statements) == len(events)
        for position, made in enumerate(statements):
            assert not (made and position in rejected)
            for statement in made:
                assert json.loads(statement.text)["id"] == str(statement.event_id)
                statement.text.encode()
        for reason in rejected.values():
            assert "ada" not in reason
            assert "7001" not in reason


@pytest.mark.django_db
def test_a_true_event_among_them_is_transformed() -> None:
    make_overview("course-v1:Org+Course+Run", display_name="Course")
    make_external_id(make_user("ada", id=7001))
    good = next(event for event in EVENTS if event["name"] == "play_video")
    bad: list[dict[str, Any]] = [{**good, "context": None}, {**good, "data": [1]}, {**good, "data": {}}]
    statements, rejected = transform([*map(canonical, bad), canonical(good)])
    assert [len(made) for made in statements] == [0, 0, 0, 1]
    assert set(rejected) == {1, 2}
