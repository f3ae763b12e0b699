"""The admin site's pages: permissions to view, retry and give up; nothing can be edited."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from platform_plugin_aspects.models import BackfillRange, Change, ProvisionedDashboard, SinkState, TrackingEvent
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.xapi.events import pack
from test_utils.factories import make_user

pytestmark = pytest.mark.django_db

MODELS = (Change, SinkState, BackfillRange, TrackingEvent, ProvisionedDashboard)
LATER = timedelta(hours=5)


@pytest.fixture(autouse=True)
def rows() -> list[Any]:
    """A row of each model; the change is of an object that failed."""
    retry_at = datetime.now(UTC) + LATER
    return [
        Change.objects.create(sink="tag", object_id="7", attempts=3, error="it is bad " * 50, retry_at=retry_at),
        SinkState.objects.create(sink="tag", failures=2, last_error="ClickHouse is away " * 50, retry_at=retry_at),
        BackfillRange.objects.create(sink="tag", status=BackfillRange.Status.FAILED, message="it failed"),
        TrackingEvent.objects.create(
            name="edx.video.played", payload=b"secret", attempts=3, error="it is bad " * 50, retry_at=retry_at
        ),
        ProvisionedDashboard.objects.create(slug="course", language="en", title="Course", dashboard_uuid="1", hash="2"),
    ]


@pytest.fixture
def log_in(client: Client) -> Callable[..., User]:
    """Log in a new member of the staff with these permissions of the plugin."""

    def _log_in(*permissions: str, **columns: Any) -> User:
        user = make_user(**{"is_staff": True, **columns})
        found = Permission.objects.filter(codename__in=permissions, content_type__app_label="platform_plugin_aspects")
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        client.force_login(user)
        return user

    return _log_in


def page(model: Any, name: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:platform_plugin_aspects_{model._meta.model_name}_{name}", args=args)


def act(client: Client, action: str, *chosen: Any, **more: Any) -> Any:
    """Choose an action for these rows in their list."""
    data = {"action": action, "_selected_action": [row.pk for row in chosen], **more}
    return client.post(page(type(chosen[0])), data, follow=True)


def said(response: Any) -> list[str]:
    """The messages on the page."""
    return [str(message) for message in response.context["messages"]]


def actions(client: Client, model: Any) -> set[str]:
    """The actions that the list offers."""
    form = client.get(page(model)).context["action_form"]
    return {name for name, _text in form.fields["action"].choices if name} if form else set()


# Looking


@pytest.mark.parametrize("model", MODELS)
def test_learners_and_staff_without_permission_see_nothing(
    model: Any, client: Client, log_in: Any, rows: list[Any]
) -> None:
    (row,) = [each for each in rows if isinstance(each, model)]
    for columns, status in (({"is_staff": False}, 302), ({}, 403)):
        log_in(**columns)
        for path in (page(model), page(model, "change", row.pk)):
            assert client.get(path).status_code == status
    assert client.get("/admin/").status_code == 200
    assert b"Aspects" not in client.get("/admin/").content


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("variant", ["lms", "cms"])
def test_nobody_adds_or_edits(
    model: Any, variant: str, client: Client, log_in: Any, rows: list[Any], request: pytest.FixtureRequest
) -> None:
    if variant == "lms":
        request.getfixturevalue("lms")
    log_in(is_superuser=True)
    (row,) = [each for each in rows if isinstance(each, model)]
    assert client.get(page(model)).status_code == 200
    assert client.get(page(model, "add")).status_code == 403
    form = client.get(page(model, "change", row.pk))
    assert form.status_code == 200
    assert b'name="_save"' not in form.content
    column = {TrackingEvent: "name", ProvisionedDashboard: "slug"}.get(model, "sink")
    before = getattr(row, column)
    assert f'name="{column}"' not in form.content.decode()
    assert client.post(page(model, "change", row.pk), {column: "another"}).status_code == 403
    row.refresh_from_db()
    assert getattr(row, column) == before


def test_what_a_superuser_may_do(client: Client, log_in: Any, rows: list[Any]) -> None:
    log_in(is_superuser=True)
    assert [actions(client, model) for model in MODELS] == [
        {"retry", "delete_selected"},
        {"retry"},
        set(),
        {"retry", "delete_selected"},
        set(),
    ]
    assert b"Forget the selected changes" in client.get(page(Change)).content
    for row in rows[1:3]:
        assert client.post(page(type(row), "delete", row.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("permission", "offered"),
    [("view_change", set()), ("change_change", {"retry"}), ("delete_change", {"delete_selected"})],
)
def test_what_each_permission_allows(permission: str, offered: set[str], client: Client, log_in: Any) -> None:
    log_in("view_change", *{permission} - {"view_change"})
    assert actions(client, Change) == offered


def test_changes_are_found_by_sink_object_and_failure(client: Client, log_in: Any) -> None:
    Change.objects.create(sink="tag", object_id="77")
    Change.objects.create(sink="taxonomy", object_id="7")
    log_in("view_change")

    def found(**query: Any) -> set[str]:
        return {str(change) for change in client.get(page(Change), query).context["cl"].result_list}

    assert found() == {"tag 7", "tag 77", "taxonomy 7"}
    assert found(sink="tag") == {"tag 7", "tag 77"}
    assert found(q="7") == {"tag 7", "taxonomy 7"}
    assert found(retry_at__isempty="0") == {"tag 7"}


def test_lists_show_the_beginning_of_an_error_and_pages_all_of_it(client: Client, log_in: Any, rows: list[Any]) -> None:
    log_in("view_change", "view_sinkstate")
    for row, error in zip(rows[:2], ("it is bad ", "ClickHouse is away "), strict=True):
        listed = client.get(page(type(row))).content.decode()
        assert 2 < listed.count(error.strip()) < 15
        assert client.get(page(type(row), "change", row.pk)).content.decode().count(error) == 50
    assert "Recorded at" in client.get(page(Change, "change", rows[0].pk)).content.decode()


def test_an_error_is_listed_while_deliveries_fail_only(client: Client, log_in: Any) -> None:
    SinkState.objects.update(failures=0)
    log_in("view_sinkstate")
    listed = client.get(page(SinkState)).content.decode()
    assert "tag" in listed
    assert "ClickHouse is away" not in listed


# Trying again


@pytest.mark.django_db(transaction=True)
def test_a_change_is_tried_again_now(
    client: Client, log_in: Any, broker: Broker, rows: list[Any], settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = True
    fresh = Change.objects.create(sink="taxonomy", object_id="1")
    left = Change.objects.create(sink="tag", object_id="8", attempts=1, retry_at=datetime.now(UTC) + LATER)
    log_in("view_change", "change_change")
    response = act(client, "retry", rows[0], fresh)
    assert said(response) == ["Delivery requested: tag, taxonomy (objects that waited: 1)"]
    due = Change.objects.filter(retry_at__lte=datetime.now(UTC))
    assert list(due) == [rows[0]]
    left.refresh_from_db()
    assert left.retry_at > datetime.now(UTC)
    assert sorted(broker.asked()) == ["tag", "taxonomy"]


@pytest.mark.django_db(transaction=True)
def test_a_sink_is_tried_again_now(client: Client, log_in: Any, broker: Broker, rows: list[Any], settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = True
    log_in("view_sinkstate", "change_sinkstate")
    assert said(act(client, "retry", rows[1])) == ["Delivery requested: tag"]
    state = SinkState.objects.get(sink="tag")
    assert (state.retry_at, state.failures) == (None, 2)
    assert broker.asked() == ["tag"]


@pytest.mark.django_db(transaction=True)
def test_nobody_is_asked_for_sinks_that_are_off_here(
    client: Client, log_in: Any, broker: Broker, rows: list[Any], settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_TAG_ENABLED = True
    others = [Change.objects.create(sink=name, object_id="1") for name in ("taxonomy", "gone")]
    log_in("view_change", "change_change")
    response = act(client, "retry", rows[0], *others)
    assert said(response) == [
        "Delivery requested: tag. Off in this service, not requested: gone, taxonomy (objects that waited: 1)"
    ]
    assert broker.asked() == ["tag"]


def test_who_may_only_look_cannot_try_again(client: Client, log_in: Any, broker: Broker, rows: list[Any]) -> None:
    log_in("view_change", "delete_change", "view_sinkstate")
    for row in rows[:2]:
        act(client, "retry", row)
        before = row.retry_at
        row.refresh_from_db()
        assert row.retry_at == before
    assert broker.take() == []


# Giving up


def test_objects_are_given_up_after_a_confirmation(client: Client, log_in: Any, rows: list[Any]) -> None:
    for sink, object_id in (("tag", "7"), ("tag", "77"), ("taxonomy", "7")):
        Change.objects.create(sink=sink, object_id=object_id)
    log_in("view_change", "delete_change")
    asked = act(client, "delete_selected", rows[0])
    assert "dump_data_to_clickhouse --object" in asked.content.decode()
    assert "no backfill deletes it" in asked.content.decode()
    assert Change.objects.count() == 4
    act(client, "delete_selected", rows[0], post="yes")
    assert sorted(map(str, Change.objects.all())) == ["tag 77", "taxonomy 7"]


def test_one_object_is_given_up_on_its_page(client: Client, log_in: Any, rows: list[Any]) -> None:
    Change.objects.create(sink="tag", object_id="7")
    log_in("view_change", "delete_change")
    path = page(Change, "delete", rows[0].pk)
    assert "dump_data_to_clickhouse --object" in client.get(path).content.decode()
    assert Change.objects.count() == 2
    client.post(path, {"post": "yes"})
    assert not Change.objects.exists()


def test_who_may_only_try_again_cannot_give_up(client: Client, log_in: Any, rows: list[Any]) -> None:
    log_in("view_change", "change_change")
    act(client, "delete_selected", rows[0], post="yes")
    assert client.post(page(Change, "delete", rows[0].pk), {"post": "yes"}).status_code == 403
    assert Change.objects.count() == 1


# Learning events


def test_what_an_event_holds_is_not_shown(client: Client, log_in: Any, rows: list[Any]) -> None:
    log_in("view_trackingevent")
    listed = client.get(page(TrackingEvent)).content.decode()
    shown = client.get(page(TrackingEvent, "change", rows[3].pk)).content.decode()
    assert "edx.video.played" in listed
    assert "edx.video.played" in shown
    assert "it is bad" in listed
    for text in (listed, shown):
        assert "secret" not in text
        assert "payload" not in text.lower()


def test_an_event_s_course_is_shown(client: Client, log_in: Any, rows: list[Any]) -> None:
    payload = pack({"name": "edx.video.played", "context": {"course_id": "course-v1:A+B+C", "username": "ada"}})
    TrackingEvent.objects.update(payload=payload)
    log_in("view_trackingevent")
    for url in (page(TrackingEvent), page(TrackingEvent, "change", rows[3].pk)):
        text = client.get(url).content.decode()
        assert "course-v1:A+B+C" in text
        assert "ada" not in text


def test_events_are_counted_and_chosen_by_reason(client: Client, log_in: Any) -> None:
    for number in range(3):
        TrackingEvent.objects.create(
            name=f"event_{number}",
            payload=b"",
            error="no course" if number else "no account",
            retry_at=datetime.now(UTC),
        )
    # Its error is of an attempt before it was recorded anew.
    TrackingEvent.objects.create(name="event_4", payload=b"", error="no course")
    log_in("view_trackingevent")
    listed = client.get(page(TrackingEvent)).content.decode()
    assert "no course (2)" in listed
    assert "no account (1)" in listed
    chosen = client.get(page(TrackingEvent), {"error": "no course"}).content.decode()
    assert [number for number in range(5) if f"event_{number}" in chosen] == [1, 2]


def test_an_event_is_tried_again_now(
    client: Client, log_in: Any, rows: list[Any], settings: Any, broker: Broker, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_XAPI_ENABLED = True
    log_in("view_trackingevent", "change_trackingevent")
    with django_capture_on_commit_callbacks(execute=True):
        told = said(act(client, "retry", rows[3]))
    assert told == ["Delivery requested: xapi (objects that waited: 1)"]
    assert broker.asked() == ["xapi"]
    rows[3].refresh_from_db()
    assert rows[3].retry_at <= datetime.now(UTC)


def test_events_are_given_up_after_a_confirmation(client: Client, log_in: Any, rows: list[Any]) -> None:
    TrackingEvent.objects.create(name="edx.video.paused", payload=b"")
    log_in("view_trackingevent", "delete_trackingevent")
    act(client, "delete_selected", rows[3])
    assert TrackingEvent.objects.count() == 2
    act(client, "delete_selected", rows[3], post="yes")
    assert [row.name for row in TrackingEvent.objects.all()] == ["edx.video.paused"]
