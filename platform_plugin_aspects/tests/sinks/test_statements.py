"""The sink of xAPI statements: what waits in TrackingEvent becomes rows, each event for itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks import Selection, StatementSink, Written, statement_sink
from platform_plugin_aspects.sinks.batch import NeedsCommit
from platform_plugin_aspects.xapi.events import pack
from test_utils.factories import make_external_id, make_overview, make_user

pytestmark = pytest.mark.django_db

COURSE = "course-v1:Org+Course+Run"


def enrollment(user_id: int, second: int = 0) -> dict[str, Any]:
    """A learner enrolls, in that second of the hour."""
    return {
        "name": "edx.course.enrollment.activated",
        "timestamp": f"2026-03-01T10:00:{second:02}.123456+00:00",
        "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
        "context": {"user_id": user_id, "course_id": COURSE},
    }


def stored(event: dict[str, Any] | bytes) -> int:
    """The key of an event that waits."""
    payload = event if isinstance(event, bytes) else pack(event)
    return int(TrackingEvent.objects.create(name="an event", payload=payload).pk)


def write(*keys: int) -> Written:
    sink = StatementSink()
    return sink.write(sink.read(Selection(keys=keys)), timezone.now())


def rows(clickhouse: ClickHouse, table: str = "xapi_events_all") -> list[Any]:
    """(event_id, emission_time, statement) in the order of time."""
    client = get_client(StatementSink.place(clickhouse.connection))
    found = client.select(
        f"SELECT event_id, toString(emission_time), event FROM {client.qualified(table)} FINAL ORDER BY emission_time"
    )
    return [(event_id, moment, json.loads(text)) for event_id, moment, text in found]


@pytest.fixture(autouse=True)
def course() -> None:
    """The course of the events."""
    make_overview(COURSE, display_name="Course")


def test_an_event_becomes_a_row(clickhouse: ClickHouse) -> None:
    external_id = make_external_id()
    key = stored(enrollment(external_id.user_id))
    assert write(key) == Written({"xapi_events_all": 1})
    [(event_id, moment, statement)] = rows(clickhouse)
    assert event_id == statement["id"]
    assert moment == "2026-03-01 10:00:00.123456"
    assert statement["timestamp"] == "2026-03-01T10:00:00.123456+00:00"
    assert statement["actor"]["account"]["name"] == str(external_id.external_user_id)


def test_an_event_that_is_written_twice_is_one_row(clickhouse: ClickHouse) -> None:
    key = stored(enrollment(make_external_id().user_id))
    write(key)
    write(key)
    assert len(rows(clickhouse)) == 1


def test_an_event_that_cannot_be_transformed_is_left_out(clickhouse: ClickHouse) -> None:
    known = make_external_id().user_id
    keys = [stored(enrollment(known, 1)), stored(enrollment(99_999, 2)), stored(b"?"), stored(enrollment(known, 3))]
    assert write(*keys) == Written(
        {"xapi_events_all": 2},
        rejected={
            keys[1]: "the platform has no account of its learner",
            keys[2]: "the stored event is damaged",
        },
    )
    assert [moment[-9:] for _, moment, _ in rows(clickhouse)] == ["01.123456", "03.123456"]


def test_a_learner_without_an_external_id_gets_one_before_anything_is_written(clickhouse: ClickHouse) -> None:
    user = make_user()
    key = stored(enrollment(user.pk))
    with pytest.raises(NeedsCommit) as needed:
        write(key)
    assert rows(clickhouse) == []
    assert not ExternalId.objects.filter(user=user).exists()
    needed.value.prepare()
    assert write(key) == Written({"xapi_events_all": 1})
    [external_id] = ExternalId.objects.filter(user=user)
    assert rows(clickhouse)[0][2]["actor"]["account"]["name"] == str(external_id.external_user_id)


def test_the_table_may_be_called_otherwise(clickhouse: ClickHouse, settings: Any) -> None:
    client = get_client(StatementSink.place(clickhouse.connection))
    client.command(f"RENAME TABLE {client.qualified('xapi_events_all')} TO {client.qualified('openedx')}")
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"xapi_table": "openedx"}
    write(stored(enrollment(make_external_id().user_id)))
    assert len(rows(clickhouse, "openedx")) == 1


def test_no_event_is_lost_while_erb_is_off(clickhouse: ClickHouse, settings: Any) -> None:
    settings.XAPI_EVENTS_ENABLED = False
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    assert not StatementSink.is_enabled()
    with pytest.raises(Misconfigured, match="No statements can be made: XAPI_EVENTS_ENABLED is off: set it to True"):
        write(stored(enrollment(make_external_id().user_id)))


def test_events_of_very_many_months_get_through_together(clickhouse: ClickHouse) -> None:
    """ClickHouse refuses an insert for more than 100 months; the clocks of mobile apps may show any."""
    user_id = make_external_id().user_id
    keys = [
        stored({**enrollment(user_id), "timestamp": f"{year}-{month:02}-01T10:00:00.123456+00:00"})
        for year in range(1960, 1970)
        for month in range(1, 13)
    ]
    assert write(*keys) == Written({"xapi_events_all": 120})
    moments = [moment for _, moment, _ in rows(clickhouse)]
    assert (moments[0], moments[-1]) == ("1960-01-01 10:00:00.123456", "1969-12-01 10:00:00.123456")
    assert len(moments) == 120


def test_very_large_events_are_written_in_parts(clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = make_external_id().user_id
    keys = [stored(enrollment(user_id, second)) for second in range(5)] + [stored(b"?")]
    monkeypatch.setattr(statement_sink, "PART_BYTES", 500)
    inserts: list[int] = []

    class Counting(StatementSink):
        def insert(self, statements: Any) -> None:
            inserts.append(len(statements))
            super().insert(statements)

    sink = Counting()
    written = sink.write(sink.read(Selection(keys=keys)), timezone.now())
    assert written == Written({"xapi_events_all": 5}, rejected={keys[5]: "the stored event is damaged"})
    assert inserts == [2, 2, 1]
    assert len(rows(clickhouse)) == 5


@pytest.mark.parametrize("text", ["\ud800", "a\udc00b", "a\x00b", "💥"])
def test_clickhouse_can_read_each_statement(clickhouse: ClickHouse, text: str) -> None:
    event = enrollment(make_external_id().user_id)
    event["data"]["mode"] = text
    write(stored(event))
    client = get_client(StatementSink.place(clickhouse.connection))
    found = client.select(f"SELECT isValidJSON(event) FROM {client.qualified('xapi_events_all')}")
    assert [is_valid for (is_valid,) in found] == [1]
