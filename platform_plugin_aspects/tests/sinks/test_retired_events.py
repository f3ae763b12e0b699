"""Retirement: waiting events of a learner go, and statements that name the learner by an address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.sinks import Selection, StatementSink, UserRetirementSink
from platform_plugin_aspects.sinks.batch import NeedsCommit
from platform_plugin_aspects.xapi.events import pack
from test_utils.clickhouse_endpoint import READ_WRITE, ClickHouseEndpoint
from test_utils.factories import make_overview, make_user
from test_utils.retirement import request_retirement, retirement_steps

pytestmark = pytest.mark.django_db

COURSE = "course-v1:Org+Course+Run"


@pytest.fixture(autouse=True)
def platform(settings: Any) -> None:
    """The course of the events, and the sinks on."""
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    settings.EVENT_SINK_CLICKHOUSE_AUTH_USER_ENABLED = True
    make_overview(COURSE, display_name="Course")


def waiting(context: dict[str, Any], data: dict[str, Any] | None = None, **columns: Any) -> int:
    """The key of an event that waits."""
    event = {
        "name": "edx.course.enrollment.activated",
        "timestamp": "2026-03-01T10:00:00.123456+00:00",
        "data": {"course_id": COURSE, "mode": "audit", **(data or {})},
        "context": {"course_id": COURSE, **context},
    }
    return int(TrackingEvent.objects.create(name=event["name"], payload=pack(event), **columns).pk)


def retire_in_clickhouse(*users: User) -> None:
    sink = UserRetirementSink()
    sink.write(sink.read(Selection(keys=[user.pk for user in users])), timezone.now())


def actors(clickhouse: ClickHouse) -> list[str]:
    """The actors of the statements."""
    client = get_client(StatementSink.place(clickhouse.connection))
    found = client.select(f"SELECT event FROM {client.qualified('xapi_events_all')} ORDER BY event")
    all_actors = [json.loads(text)["actor"] for (text,) in found]
    return sorted(actor.get("mbox") or actor.get("mbox_sha1sum") or "an external id" for actor in all_actors)


def deliver(*keys: int) -> None:
    sink = StatementSink()
    sink.write(sink.read(Selection(keys=keys)), timezone.now())


def test_events_that_wait_are_deleted(clickhouse: ClickHouse) -> None:
    staying, leaving = make_user("grace"), make_user("ada")
    kept = [waiting({"user_id": staying.pk}), waiting({"username": "grace"}), waiting({"user_id": None})]
    for context, data in (
        ({"user_id": leaving.pk}, {}),
        ({"user_id": str(leaving.pk)}, {}),
        ({"username": "Ada"}, {}),
        ({"user_id": staying.pk}, {"user_id": leaving.pk}),
    ):
        waiting(context, data)
    waiting({"user_id": leaving.pk}, attempts=3, error="it cannot be transformed", retry_at=timezone.now())
    TrackingEvent.objects.create(name="damaged", payload=b"?")
    retire_in_clickhouse(leaving)
    assert list(TrackingEvent.objects.exclude(name="damaged").values_list("pk", flat=True)) == kept


def test_events_under_the_former_username_are_deleted(clickhouse: ClickHouse) -> None:
    user = make_user("ada")
    waiting({"username": "ada"})
    for _ in retirement_steps(user):
        pass
    TrackingEvent.objects.exclude(name="edx.course.enrollment.activated").delete()
    assert User.objects.get(pk=user.pk).username.startswith("retired__user_")
    retire_in_clickhouse(user)
    assert not TrackingEvent.objects.exists()


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("mbox", "mailto:grace@example.com"),
        # sha1 of grace@example.com
        ("mbox_sha1sum", "0c4d35a12f58282925d5240fa4ad85bdbc7c5e41"),
    ],
)
def test_statements_with_the_learner_s_address_are_deleted(
    kind: str, left: str, clickhouse: ClickHouse, settings: Any
) -> None:
    settings.XAPI_AGENT_IFI_TYPE = kind
    staying, leaving = make_user("grace", email="grace@example.com"), make_user("ada", email="ada@example.com")
    deliver(waiting({"user_id": staying.pk}), waiting({"user_id": leaving.pk}))
    assert len(actors(clickhouse)) == 2
    # The account has the retired address from now on.
    request_retirement(leaving)
    retire_in_clickhouse(leaving)
    assert actors(clickhouse) == [left]


def test_statements_with_external_ids_stay(clickhouse: ClickHouse) -> None:
    user = make_user("ada", email="ada@example.com")
    key = waiting({"user_id": user.pk})
    with pytest.raises(NeedsCommit) as needed:
        deliver(key)
    needed.value.prepare()
    deliver(key)
    retire_in_clickhouse(user)
    assert actors(clickhouse) == ["an external id"]


def test_without_the_right_the_retirement_is_kept(
    clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.XAPI_AGENT_IFI_TYPE = "mbox"
    user = make_user("ada", email="ada@example.com")
    deliver(waiting({"user_id": user.pk}))
    rights = {"event_sink*": READ_WRITE, "xapi*": ("SELECT", "INSERT")}
    monkeypatch.setitem(clickhouse_http.users, "ch_cms", ("password", rights))
    with pytest.raises(Misconfigured, match="the user lacks a grant"):
        retire_in_clickhouse(user)
    assert actors(clickhouse) == ["mailto:ada@example.com"]


@pytest.mark.parametrize("timestamp", ["yesterday", "", None])
def test_a_waiting_event_without_a_moment_goes_with_its_learner(clickhouse: ClickHouse, timestamp: str | None) -> None:
    user = make_user()
    payload = pack({"name": "play_video", "timestamp": timestamp, "data": {}, "context": {"user_id": user.pk}})
    TrackingEvent.objects.create(name="play_video", payload=payload, error="the event has no timestamp in ISO 8601")
    retire_in_clickhouse(user)
    assert not TrackingEvent.objects.exists()
