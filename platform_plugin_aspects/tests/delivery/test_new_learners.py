"""Learners of events who have no external id yet get one before their statements are written."""

from __future__ import annotations

import json
from typing import Any

from django.db.models.signals import post_save
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.delivery.deliver import Status, deliver_changes
from platform_plugin_aspects.models import SinkState, TrackingEvent
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.xapi.events import pack
from test_utils.factories import make_external_id, make_external_id_type, make_overview, make_user

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


def test_an_id_that_cannot_be_made_is_a_failure_that_operators_see(
    transactional_db: None, clickhouse: ClickHouse, all_on: None
) -> None:
    make_overview(COURSE, display_name="Course")
    make_external_id_type("xapi")
    store(make_user().pk)

    def refuse(**_arguments: Any) -> None:
        raise KeyError("a secret")

    post_save.connect(refuse, sender=ExternalId)
    try:
        delivery = deliver_changes("xapi")
    finally:
        post_save.disconnect(refuse, sender=ExternalId)
    assert delivery.status is Status.FAILED
    assert delivery.error.startswith("The sink's own code failed: KeyError in test_new_learners.py, line ")
    state = SinkState.objects.get(sink="xapi")
    assert (state.failures, state.last_error) == (1, delivery.error)
    assert TrackingEvent.objects.count() == 1

    SinkState.objects.update(retry_at=None)
    assert deliver_changes("xapi").status is Status.DELIVERED
    assert not TrackingEvent.objects.exists()
