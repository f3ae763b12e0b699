"""Learners of events who have no external id yet get one before their statements are written."""

from __future__ import annotations

import json

from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import SinkState, TrackingEvent
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.xapi.events import pack
from test_utils.factories import make_external_id, make_overview, make_user

COURSE = "course-v1:Org+Course+Run"


def store(user_id: int) -> None:
    event = {
        "name": "edx.course.enrollment.activated",
        "timestamp": "2026-03-01T10:00:00.123456+00:00",
        "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
        "context": {"user_id": user_id, "course_id": COURSE},
    }
    TrackingEvent.objects.create(name=event["name"], payload=pack(event))


def test_an_id_that_is_made_stays_though_the_insert_fails(
    transactional_db: None, clickhouse: ClickHouse, all_on: None
) -> None:
    make_overview(COURSE, display_name="Course")
    new, known = make_user(), make_external_id().user
    store(new.pk)
    store(known.pk)
    client = get_client(StatementSink.place(clickhouse.connection))
    client.command(f"RENAME TABLE {client.qualified('xapi_events_all')} TO {client.qualified('away')}")
    assert "table is missing" in deliver_changes("xapi").error
    external_id = ExternalId.objects.get(user=new).external_user_id
    client.command(f"RENAME TABLE {client.qualified('away')} TO {client.qualified('xapi_events_all')}")
    SinkState.objects.update(retry_at=None)
    delivery = deliver_changes("xapi")
    assert (delivery.error, delivery.objects) == ("", 2)
    assert not TrackingEvent.objects.exists()
    rows = client.select(f"SELECT event FROM {client.qualified('xapi_events_all')}")
    actors = {json.loads(text)["actor"]["account"]["name"] for (text,) in rows}
    assert actors == {str(external_id), str(ExternalId.objects.get(user=known).external_user_id)}
