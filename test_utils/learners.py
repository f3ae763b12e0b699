"""Learners who act on the stand-in platform: their tracking events go through its tracker, as the platform's do."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from common.djangoapps.track import contexts
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from eventtracking import tracker
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.load_test.acts import Act, courses, exams, forum, problems, videos

Line = TypeVar("Line")
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Stand-in/1.0"
ADDRESS = "198.51.100.7"


@contextmanager
def tracking_log(read: Callable[[str], Line]) -> Iterator[list[Line]]:
    """The lines of the platform's tracking log, each as ``read`` gives it, as they come within the context."""
    lines: list[Line] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(read(record.getMessage()))

    handler, logger = Handler(), logging.getLogger("tracking")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)


class Learner:
    """Somebody who is logged in. Browsers' events take the way of POST /event, in the LMS."""

    def __init__(self, user: User):
        self.user = user
        self._client = Client(HTTP_USER_AGENT=AGENT, HTTP_ACCEPT_LANGUAGE="en", REMOTE_ADDR=ADDRESS)
        self._client.force_login(user)

    def does(self, act: Act) -> None:
        """Have the platform emit the event of an act, now."""
        page = f"{settings.LMS_ROOT_URL}/courses/{act.course}/courseware/week_1/lesson_1/1"
        if act.source == "browser":
            values = {"event_type": act.name, "event": json.dumps(act.data), "page": page}
            answer = self._client.post("/event", values, HTTP_REFERER=page)
            if answer.status_code != 200:
                raise RuntimeError(f"POST /event was answered with {answer.status_code}: is this the LMS?")
            return
        if act.source == "phone":
            self._sends(act)
            return
        course = contexts.course_context_from_course_id(act.course)
        request = self._request(act, page) if act.source == "server" else {}
        with (
            tracker.get_tracker().context("edx.request", {**request, **course}),
            tracker.get_tracker().context(act.name, dict(act.context)),
        ):
            tracker.emit(act.name, act.data)

    def _sends(self, act: Act) -> None:
        """As the platform emits what Segment passes on from a mobile app, some seconds after it happened."""
        request = {"session": "", "user_id": None, "username": "", "ip": "192.0.2.1", "host": "lms.standin.invalid"}
        happened = datetime.now(UTC) - timedelta(seconds=5)
        context = {
            "event_source": "mobile",
            "application": {"name": "edx.mobileapp.android", "version": "5.0.1"},
            "client": {"library": {"name": "analytics-android"}, "device": {"name": "phone"}},
            "agent": "okhttp/4.12",
            "course_id": str(act.course),
            "org_id": act.course.org,
            "user_id": self.user.pk,
            "username": self.user.username,
            "timestamp": happened,
            "received_at": happened + timedelta(seconds=4),
            "ip": ADDRESS,
        }
        with (
            tracker.get_tracker().context("edx.request", request),
            tracker.get_tracker().context("edx.segmentio", context),
        ):
            tracker.emit(act.name, act.data)

    def _request(self, act: Act, page: str) -> dict[str, Any]:
        return {
            "session": "2f1a0c5e7b9d4e6f8a1b3c5d7e9f0a2b",
            "user_id": self.user.pk,
            "username": self.user.username,
            "ip": ADDRESS,
            "host": "lms.standin.invalid",
            "agent": AGENT,
            "path": act.path,
            "referer": page,
            "accept_language": "en",
            "client_id": None,
            # As server_track has it for what blocks publish; the platform emits other events without it.
            **({"event_source": "server"} if act.context.get("page") else {}),
        }


def all_acts(course: CourseKey, user_id: int) -> list[Act]:
    """One act of every kind."""
    sequence, video, problem, html = (
        course.make_usage_key(kind, f"{kind}_1") for kind in ("sequential", "video", "problem", "html")
    )
    right = problems.Answer(1, "Which one rises in the east?", "The sun", correct=True)
    wrong = problems.Answer(
        2, "How many moons has Mars?", "3", correct=False, kind="numericalresponse", field="textline"
    )
    page = f"{settings.LMS_ROOT_URL}/courses/{course}/course/"
    topic, thread, response = "topic-1", "65a1c0ffee65a1c0ffee0001", "65a1c0ffee65a1c0ffee0002"
    return [
        courses.enrolled(course, user_id, "audit"),
        courses.mode_changed(course, user_id, "verified"),
        courses.outline_chosen(course, page, "Week 1"),
        courses.link_clicked(course, page, "https://example.com/reading"),
        courses.next_unit(sequence, 1, 3),
        courses.next_unit(sequence, 3, 3),
        courses.previous_unit(sequence, 2, 3),
        courses.previous_unit(sequence, 1, 3),
        courses.unit_chosen(sequence, 1, 3, 3),
        videos.video_loaded(video, 120.5),
        videos.played(video, 120.5, 0),
        videos.paused(video, 120.5, 30.25),
        videos.sought(video, 120.5, 30.25, 60),
        videos.speed_changed(video, 120.5, 60, "1.00", "1.50"),
        videos.transcript_shown(video, 120.5, 61.5),
        videos.transcript_hidden(video, 120.5, 62),
        videos.captions_shown(video, 120.5, 63),
        videos.stopped(video, 120.5, 120.5),
        videos.completed(video, 120.5),
        problems.submitted(problem, [right]),
        problems.submitted(problem, [right, wrong]),
        problems.evaluated(problem, "Sky", [right], 1),
        problems.evaluated(problem, "Sky", [right, wrong], 2),
        problems.hint_shown(problem, "Sky", 0, 2, "Look up."),
        problems.answer_shown(problem, "Sky"),
        courses.block_completed(html, user_id),
        courses.subsection_graded(sequence, user_id, 1, 2),
        courses.course_graded(course, user_id, 0.75, "Pass"),
        courses.course_graded(course, user_id, 0.25, ""),
        courses.passed_first(course, user_id),
        courses.passed(course, user_id),
        courses.failed(course, user_id),
        forum.thread_created(course, topic, thread, "Which moon?", "I saw two."),
        forum.thread_viewed(course, topic, thread, "Which moon?"),
        forum.thread_voted(course, topic, thread),
        forum.response_created(course, topic, thread, response, "Both."),
        forum.comment_created(course, topic, thread, response, "65a1c0ffee65a1c0ffee0003", "Thanks 🌖"),
        *(
            step(sequence, "Final", user_id, 7, kind)
            for kind in ("timed", "practice", "proctored")
            for step in (exams.exam_started, exams.exam_submitted)
        ),
        *(
            Act(f"edx.video.{what}", {"module_id": str(video), "code": "mobile", **data}, course, "phone")
            for what, data in (
                ("loaded", {}),
                ("played", {"current_time": 3.5}),
                ("position.changed", {"old_time": 3.5, "new_time": 33.5, "seek_type": "skip"}),
                ("paused", {"current_time": 40}),
                ("stopped", {"current_time": 120}),
                ("completed", {"duration": 120}),
                ("transcript.shown", {"current_time": 5}),
            )
        ),
        courses.left(course, user_id, "verified"),
    ]
