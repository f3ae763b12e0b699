"""Every act of a learner: the tracking log gives the statement that the live event gives, and that is ERB's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import override_settings
from event_routing_backends.processors.xapi.transformer_processor import XApiProcessor
from eventtracking.tracker import get_tracker

from platform_plugin_aspects.delivery.replay.lines import events_in
from platform_plugin_aspects.load_test.acts import Act
from platform_plugin_aspects.xapi.events import canonical, pack, unpack
from platform_plugin_aspects.xapi.sessions import EXTENSION
from platform_plugin_aspects.xapi.transform import transform
from test_utils.learners import Learner, all_acts

from .conftest import COURSE

ACTS = all_acts(COURSE, 7)
NAMES = [f"{number}-{act.name}" for number, act in enumerate(ACTS)]
Events = list[dict[str, Any]]


class Backend:
    """A backend of the tracker, with the events that it got."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, event: dict[str, Any]) -> None:
        self.events.append(event)


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    """The events that the platform emits, as they come."""
    backend = Backend()
    get_tracker().routing_backend.register_backend("test", backend)
    yield backend.events
    del get_tracker().backends["test"]


def statements(event: dict[str, Any]) -> list[tuple[str, str]]:
    """The ids and texts of the statements of one event."""
    [made], rejected = transform([event])
    assert not rejected
    return [(str(statement.event_id), statement.text) for statement in made]


@pytest.mark.parametrize("act", ACTS, ids=NAMES)
def test_live_and_by_log_the_statement_is_the_same(
    act: Act, learner: Learner, events: Events, lines: list[bytes]
) -> None:
    learner.does(act)

    [live] = [unpack(pack(canonical(event))) for event in events]
    [[logged]] = [events_in(line) for line in lines]
    assert statements(logged) == statements(live) != []


@pytest.mark.parametrize("act", ACTS, ids=NAMES)
def test_it_is_the_statement_that_erb_makes(act: Act, learner: Learner, events: Events, lines: list[bytes]) -> None:
    learner.does(act)
    [event] = events
    found = [json.loads(text) for _, text in statements(*events_in(lines[0]))]

    if act.source == "phone":
        # ERB finds no video in these events, but in what the platform makes of them in its log.
        line = json.loads(lines[0])
        event = {**event, "timestamp": datetime.fromisoformat(line["time"])}
        event["data"] = {**line["event"], "id": "video_1"}
    with override_settings(XAPI_EVENT_LOGGING_ENABLED=False):
        as_logged = {"event": event["data"]} if event["name"].startswith("edx.special_exam.") else {}
        expected = XApiProcessor()([{**event, **as_logged, "timestamp": event["timestamp"].isoformat()}])
    for statement in (*expected, *found):
        statement["context"]["extensions"].pop(EXTENSION, None)
    assert found == expected
