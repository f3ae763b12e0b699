"""Learners of events who have no external id yet get one before their statements are written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, OperationalError
from django.db.models.signals import post_save
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.delivery.deliver import Status, deliver_changes
from platform_plugin_aspects.delivery.outbox import retry_failed
from platform_plugin_aspects.models import SinkState, TrackingEvent
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.xapi.events import pack
from platform_plugin_aspects.xapi.transform import transform
from test_utils.factories import make_external_id, make_external_id_type, make_overview, make_user

COURSE = "course-v1:Org+Course+Run"


def enrollment(user_id: int) -> dict[str, Any]:
    return {
        "name": "edx.course.enrollment.activated",
        "timestamp": "2026-03-01T10:00:00.123456+00:00",
        "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
        "context": {"user_id": user_id, "course_id": COURSE},
    }


def store(user_id: int) -> None:
    event = enrollment(user_id)
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


@contextmanager
def refused(user: User, error: Exception) -> Iterator[None]:
    """The external id of this user cannot be made: another plugin's receiver raises an error each time."""

    def refuse(instance: ExternalId, **_arguments: Any) -> None:
        if instance.user_id == user.pk:
            raise error

    post_save.connect(refuse, sender=ExternalId)
    try:
        yield
    finally:
        post_save.disconnect(refuse, sender=ExternalId)


@pytest.mark.parametrize("error", [KeyError("a secret"), IntegrityError("a secret"), DataError("a secret")])
def test_a_learner_whose_id_cannot_be_made_does_not_hold_up_others(
    transactional_db: None, clickhouse: ClickHouse, all_on: None, error: Exception
) -> None:
    make_overview(COURSE, display_name="Course")
    make_external_id_type("xapi")
    before, bad, after = make_user(), make_user(), make_user()
    for user in (before, bad, bad, after):
        store(user.pk)
    with refused(bad, error):
        delivery = deliver_changes("xapi")
    assert (delivery.status, delivery.objects, delivery.error) == (Status.DELIVERED, 2, "")
    reason = f"the external id of its learner cannot be made: {type(error).__name__} in test_new_learners.py, line "
    kept = TrackingEvent.objects.order_by("pk")
    assert [(event.attempts, event.error[: len(reason)]) for event in kept] == [(1, reason), (1, reason)]
    assert list(delivery.outcome.rejected) == [event.pk for event in kept]
    assert {row.user_id for row in ExternalId.objects.all()} == {before.pk, after.pk}
    assert SinkState.objects.get(sink="xapi").failures == 0

    assert retry_failed("xapi") == 2
    assert deliver_changes("xapi").objects == 2
    assert not TrackingEvent.objects.exists()
    client = get_client(StatementSink.place(clickhouse.connection))
    rows = client.select(f"SELECT event FROM {client.qualified('xapi_events_all')} FINAL")
    actors = {json.loads(text)["actor"]["account"]["name"] for (text,) in rows}
    assert actors == {str(row.external_user_id) for row in ExternalId.objects.all()}
    assert len(actors) == 3


def test_a_database_that_is_away_is_no_learner_s_fault(
    transactional_db: None, clickhouse: ClickHouse, all_on: None
) -> None:
    make_overview(COURSE, display_name="Course")
    make_external_id_type("xapi")
    user = make_user()
    store(user.pk)
    with refused(user, OperationalError("gone away")), pytest.raises(OperationalError, match="gone away"):
        deliver_changes("xapi")
    assert [(event.attempts, event.error) for event in TrackingEvent.objects.all()] == [(0, "")]


def test_a_log_is_loaded_without_a_learner_whose_id_cannot_be_made(db: None) -> None:
    make_overview(COURSE, display_name="Course")
    make_external_id_type("xapi")
    bad, good = make_user(), make_user()
    with refused(bad, KeyError("a secret")):
        statements, rejected = transform([enrollment(bad.pk), enrollment(good.pk)])
    assert [len(made) for made in statements] == [0, 1]
    assert list(rejected) == [0]
    assert rejected[0].startswith("the external id of its learner cannot be made: KeyError in test_new_learners.py")
