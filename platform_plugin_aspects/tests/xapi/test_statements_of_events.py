"""The statement of each kind of event is that of edx-event-routing-backends (ERB), but for the session's hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from common.djangoapps.track.shim import LegacyFieldMappingProcessor, PrefixedEventProcessor
from django.conf import settings as django_settings
from django.utils import timezone
from event_routing_backends import helpers
from event_routing_backends.processors.xapi.transformer_processor import XApiProcessor
from eventtracking.backends.logger import DateTimeJSONEncoder

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks import Selection, StatementSink
from platform_plugin_aspects.xapi.events import canonical, pack
from test_utils.factories import make_external_id, make_overview, make_user

pytestmark = pytest.mark.django_db

FOLDER = Path(__file__).resolve().parents[3] / "test_utils/data/tracking_events"
EVENTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
#: The extension with the session.
SESSION_ID = "https://w3id.org/xapi/openedx/extensions/session-id"
#: The session of all events, and its hash with the stand-in's SECRET_KEY.
SESSION, HASHED = "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "bd08294c883d1e044ce9fd1c9165ceb4"
#: Names without a transformer.
WITHOUT_STATEMENT = {"edx.video.language_menu.hidden", "edx.video.language_menu.shown"}
#: Statements of these events: as many as questions, and one for the problem.
SEVERAL = {"problem_check.several_questions": 4}


@pytest.fixture(autouse=True)
def platform() -> None:
    """The learners and the course of the events; ERB remembers nobody."""
    make_overview("course-v1:Org+Course+Run", display_name="Zahlen, größer als «blau»")
    for pk, name in ((7001, "ada"), (7002, "grace")):
        user = make_user(name, id=pk)
        make_external_id(user, external_user_id=UUID(int=pk))
    helpers.get_anonymous_user_id.cache_clear()
    helpers.get_course_from_id.cache_clear()


def of_erb(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements that ERB makes by itself, with the hash in place of the session."""
    statements: list[dict[str, Any]] = XApiProcessor()([event])
    for statement in statements:
        assert statement["context"]["extensions"].pop(SESSION_ID) == SESSION
        statement["context"]["extensions"][SESSION_ID] = HASHED
    return statements


def landed(clickhouse: ClickHouse, events: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The statements in ClickHouse of these events, by id."""
    keys = [TrackingEvent.objects.create(name=event["name"], payload=pack(event)).pk for event in events]
    sink = StatementSink()
    assert sink.write(sink.read(Selection(keys=keys)), timezone.now()).rejected == {}
    client = get_client(StatementSink.place(clickhouse.connection))
    rows = client.select(
        "SELECT event_id, toUnixTimestamp64Micro(emission_time), event "
        f"FROM {client.qualified('xapi_events_all')} FINAL"
    )
    found = {event_id: json.loads(text) for event_id, _, text in rows}
    for event_id, microseconds, _ in rows:
        assert found[event_id]["id"] == event_id
        moment = datetime.fromisoformat(found[event_id]["timestamp"])
        assert microseconds == int(moment.timestamp()) * 1_000_000 + moment.microsecond
    return found


def test_there_is_an_event_of_each_name_on_the_allow_list() -> None:
    allowed = django_settings.EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS
    assert {event["name"] for event in EVENTS.values()} == set(allowed)


def logged(event: dict[str, Any]) -> dict[str, Any]:
    """The entry of an event in the tracking log."""
    entry = deepcopy(event)
    for process in (LegacyFieldMappingProcessor(), PrefixedEventProcessor()):
        entry = process(entry) or entry
    parsed: dict[str, Any] = json.loads(json.dumps(entry, cls=DateTimeJSONEncoder))
    return parsed


def emitted(event: dict[str, Any]) -> dict[str, Any]:
    """An event as the platform's tracker hands it out: its moment is not text."""
    return {**event, "timestamp": datetime.fromisoformat(event["timestamp"])}


@pytest.mark.parametrize("as_given", [emitted, logged], ids=["live", "by log"])
def test_the_statements_are_those_of_erb(as_given: Callable[[Any], Any], clickhouse: ClickHouse) -> None:
    found = landed(clickhouse, [canonical(as_given(event)) for event in EVENTS.values()])
    for name, event in EVENTS.items():
        expected = of_erb(canonical(event))
        assert len(expected) == (0 if name in WITHOUT_STATEMENT else SEVERAL.get(name, 1)), name
        for statement in expected:
            assert found.pop(statement["id"]) == statement, name
    assert found == {}
