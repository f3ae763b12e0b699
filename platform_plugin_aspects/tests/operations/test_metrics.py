"""The metrics endpoint: permissions, and figures that Prometheus' own parser reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from edx_rest_framework_extensions.auth.jwt.tests.utils import generate_jwt
from prometheus_client.parser import text_string_to_metric_families

from platform_plugin_aspects.models import Change, SinkState, TrackingEvent
from platform_plugin_aspects.sinks.registry import sinks
from test_utils.factories import make_user

pytestmark = pytest.mark.django_db

PATH = "/aspects/metrics"
#: The Accept header of Prometheus 3.
SCRAPE = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=1.0.0;q=0.4,*/*;q=0.1"


@pytest.fixture
def staff(client: Client) -> User:
    """A member of the platform's staff, who is logged in."""
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


def scraped(client: Client) -> dict[str, dict[str, float]]:
    """{name of a sample: {sink or, where there are reasons, reason: value}}"""
    response = client.get(PATH)
    assert response.status_code == 200
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(response.content.decode()):
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert sample.name.startswith("aspects_")
            found.setdefault(sample.name, {})[sample.labels.get("reason", sample.labels["sink"])] = sample.value
    return found


@pytest.mark.parametrize(
    ("columns", "status", "code"),
    [
        (None, 401, "not_authenticated"),
        ({}, 403, "permission_denied"),
        ({"is_superuser": True}, 403, "permission_denied"),
        ({"is_staff": True, "is_active": False}, 403, "permission_denied"),
        ({"is_staff": True}, 200, None),
    ],
)
def test_who_may_see_them(
    service: str, client: Client, columns: dict[str, bool] | None, status: int, code: str | None
) -> None:
    if columns is not None:
        client.force_login(make_user(**columns))
    response = client.get(PATH)
    assert (response.status_code, response["Cache-Control"]) == (status, "no-store")
    if code:
        assert response.json()["code"] == code


def test_a_scraper_with_a_jwt(service: str, client: Client) -> None:
    for user, status in ((make_user(is_staff=True), 200), (make_user(), 403)):
        headers = {"Authorization": f"JWT {generate_jwt(user)}", "Accept": SCRAPE}
        assert client.get(PATH, headers=headers).status_code == status


@pytest.mark.parametrize("accept", [SCRAPE, "text/plain", "application/json", "text/html"])
def test_whatever_is_asked_for_the_answer_is_in_prometheus_format(client: Client, staff: User, accept: str) -> None:
    response = client.get(PATH, headers={"Accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    assert b"# TYPE aspects_pending_changes gauge\n" in response.content
    assert b"# TYPE aspects_objects_delivered_total counter\n" in response.content


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "head", "options"])
def test_only_get(client: Client, staff: User, method: str) -> None:
    assert getattr(client, method)(PATH).status_code == 405


def test_the_name_of_the_url(service: str, client: Client, staff: User) -> None:
    assert reverse("platform_plugin_aspects:metrics") == PATH
    assert client.get(f"{PATH}/").status_code == 200


def test_nothing_has_happened_yet(client: Client, staff: User) -> None:
    zeros = dict.fromkeys(sinks(), 0.0)
    assert scraped(client) == {
        "aspects_sink_enabled": zeros,
        "aspects_pending_changes": zeros,
        "aspects_oldest_pending_seconds": zeros,
        "aspects_failing_objects": zeros,
        "aspects_delivery_failures": zeros,
        "aspects_objects_delivered_total": zeros,
        "aspects_pending_limit": {"xapi": 100_000},
    }


def test_the_figures(client: Client, staff: User, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = True
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    SinkState.objects.create(sink="tag", objects_delivered=7, failures=2, last_success_at=noon)
    Change.objects.create(sink="tag", object_id="1")
    Change.objects.update(recorded_at=datetime.now(UTC) - timedelta(hours=1))
    Change.objects.create(sink="tag", object_id="2")
    Change.objects.create(sink="tag", object_id="3", attempts=1, retry_at=noon)
    found = {name: values.get("tag") for name, values in scraped(client).items()}
    assert 3600 <= found.pop("aspects_oldest_pending_seconds") < 3700
    assert found == {
        "aspects_sink_enabled": 1,
        "aspects_pending_changes": 2,
        "aspects_failing_objects": 1,
        "aspects_delivery_failures": 2,
        "aspects_objects_delivered_total": 7,
        "aspects_last_success_timestamp_seconds": noon.timestamp(),
        "aspects_pending_limit": None,
    }


def test_learning_events_have_figures_by_reason(client: Client, staff: User) -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for number in range(5):
        failed = {"retry_at": noon, "error": "no course" if number == 1 else "no account"} if number < 3 else {}
        TrackingEvent.objects.create(name="edx.video.played", payload=b"", **failed)
    found = scraped(client)
    assert found["aspects_pending_changes"]["xapi"] == 2
    assert found["aspects_failing_objects"]["xapi"] == 3
    assert found["aspects_failing_events"] == {"no account": 2, "no course": 1}
    sample = 'aspects_failing_events{name="edx.video.played",reason="no account",sink="xapi"} 2.0'
    assert sample in client.get(PATH).content.decode().splitlines()


def test_a_sink_that_is_not_registered_has_figures_too(client: Client, staff: User) -> None:
    Change.objects.create(sink='a "sink"\n', object_id="1")
    assert scraped(client)["aspects_pending_changes"]['a "sink"\n'] == 1


def test_a_scrape_is_few_queries_and_there_may_be_many(
    all_on: None, service: str, client: Client, staff: User, settings: Any
) -> None:
    settings.ASPECTS_API_THROTTLE_RATE = "1/day"
    with CaptureQueriesContext(connection) as captured:
        assert [client.get(PATH).status_code for _ in range(5)] == [200] * 5
    # Each: session, user, language and a savepoint's two of the platform's; four of ours.
    assert len(captured) == 5 * 9
