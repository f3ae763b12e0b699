"""The stand-in's tracker emits, and logs, what the platform does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment
from django.test import Client
from eventtracking import tracker

from test_utils import factories
from test_utils.learners import tracking_log


class _Backend:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, event: dict[str, Any]) -> None:
        self.events.append(event)


@pytest.fixture
def emitted() -> Iterator[list[dict[str, Any]]]:
    """The events that backends of the tracker get."""
    backend = _Backend()
    tracker.get_tracker().routing_backend.register_backend("test", backend)
    yield backend.events
    del tracker.get_tracker().backends["test"]


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """The lines of the tracking log."""
    with tracking_log(json.loads) as lines:
        yield lines


@pytest.mark.django_db
def test_an_enrollment_is_emitted_with_its_course_as_context(emitted: list[dict[str, Any]]) -> None:
    user = factories.make_user("mira")
    course_key = factories.make_course("course-v1:Org+Tracks+1")

    CourseEnrollment.enroll(user, course_key, mode="verified")
    CourseEnrollment.enroll(user, course_key, mode="verified")
    CourseEnrollment.unenroll(user, course_key)

    # A new row is an audit one for a moment.
    assert [event["name"] for event in emitted] == [
        "edx.course.enrollment.activated",
        "edx.course.enrollment.mode_changed",
        "edx.course.enrollment.deactivated",
    ]
    data = {"user_id": user.pk, "course_id": "course-v1:Org+Tracks+1", "mode": "verified"}
    context = {"course_id": "course-v1:Org+Tracks+1", "org_id": "Org", "enterprise_uuid": ""}
    assert [(event["data"], event["context"]) for event in emitted] == [(data, context)] * 3


@pytest.mark.django_db
def test_a_browser_posts_what_it_reports_and_the_log_has_it_as_text(
    lms: None, emitted: list[dict[str, Any]], logged: list[dict[str, Any]]
) -> None:
    user = factories.make_user("mira")
    client = Client(HTTP_REFERER="http://lms/unit", HTTP_USER_AGENT="Browser", HTTP_ACCEPT_LANGUAGE="de")
    client.force_login(user)
    page = "http://lms.example.com/courses/course-v1:Org+Tracks+1/courseware/a/b/"

    client.post("/event", {"event_type": "play_video", "event": '{"id": "v1", "currentTime": 1.5}', "page": page})

    [event] = emitted
    session = event["context"].pop("session")
    assert len(session) == 32
    assert event["name"] == "play_video"
    assert event["data"] == {"id": "v1", "currentTime": 1.5}
    assert event["context"] == {
        "user_id": user.pk,
        "username": "mira",
        "ip": "127.0.0.1",
        "host": "testserver",
        "agent": "Browser",
        "path": "/event",
        "referer": "http://lms/unit",
        "accept_language": "de",
        "client_id": None,
        "course_id": "course-v1:Org+Tracks+1",
        "org_id": "Org",
        "enterprise_uuid": "",
        "event_source": "browser",
        "page": page,
    }
    assert logged == [
        {
            "name": "play_video",
            "context": {
                "user_id": user.pk,
                "path": "/event",
                "course_id": "course-v1:Org+Tracks+1",
                "org_id": "Org",
                "enterprise_uuid": "",
            },
            "username": "mira",
            "session": session,
            "ip": "127.0.0.1",
            "agent": "Browser",
            "host": "testserver",
            "referer": "http://lms/unit",
            "accept_language": "de",
            "event": '{"id": "v1", "currentTime": 1.5}',
            "time": event["timestamp"].isoformat(),
            "event_type": "play_video",
            "event_source": "browser",
            "page": page,
        }
    ]


@pytest.mark.django_db
def test_each_request_is_an_event_without_its_passwords(lms: None, logged: list[dict[str, Any]]) -> None:
    client = Client()
    client.get("/heartbeat")
    client.get("/courses/course-v1:Org+Tracks+1/instructor?password=secret&q=1")

    [line] = logged
    assert line["name"] == line["event_type"] == "/courses/course-v1:Org+Tracks+1/instructor"
    assert line["event"] == '{"GET": {"password": "********", "q": ["1"]}, "POST": {}}'
    assert line["context"]["course_id"] == "course-v1:Org+Tracks+1"
    assert (line["username"], line["context"]["user_id"], line["event_source"]) == ("", None, "server")


def test_moves_within_a_sequence_have_their_older_name_and_fields_too(logged: list[dict[str, Any]]) -> None:
    for name, data in (
        ("edx.ui.lms.sequence.next_selected", {"current_tab": 1, "tab_count": 3}),
        ("edx.ui.lms.sequence.next_selected", {"current_tab": 3, "tab_count": 3}),
        ("edx.ui.lms.sequence.tab_selected", {"current_tab": 1, "target_tab": 3, "tab_count": 3}),
    ):
        with tracker.get_tracker().context("browser", {"event_source": "browser"}):
            tracker.emit(name, data)

    assert [(line["event_type"], json.loads(line["event"])) for line in logged] == [
        ("seq_next", {"current_tab": 1, "tab_count": 3, "old": 1, "new": 2}),
        ("edx.ui.lms.sequence.next_selected", {"current_tab": 3, "tab_count": 3}),
        ("seq_goto", {"current_tab": 1, "target_tab": 3, "tab_count": 3, "old": 1, "new": 3}),
    ]


def test_videos_on_phones_are_logged_as_in_browsers(logged: list[dict[str, Any]]) -> None:
    data = {
        "module_id": "block-v1:Org+Tracks+1+type@video+block@v1",
        "old_time": 5,
        "new_time": 35,
        "seek_type": "skip",
        "requested_skip_interval": 30,
    }
    with tracker.get_tracker().context("phone", {"timestamp": "2026-03-01T10:00:00+00:00", "event_source": "mobile"}):
        tracker.emit("edx.video.position.changed", data)

    [line] = logged
    assert (line["name"], line["event_type"]) == ("edx.video.position.changed", "seek_video")
    assert line["event"] == {
        "id": "v1",
        "old_time": 5,
        "new_time": 35,
        "type": "onSkipSeek",
        "requested_skip_interval": 30,
    }
    assert line["time"] == "2026-03-01T10:00:00+00:00"
