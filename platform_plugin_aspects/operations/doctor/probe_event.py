"""A tracking event of the doctor's own: a click on a link, by somebody in a course, and its statement."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import router, transaction
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.delivery import tracking
from platform_plugin_aspects.models import TrackingEvent
from platform_plugin_aspects.operations.doctor.findings import manage
from platform_plugin_aspects.sinks import StatementSink
from platform_plugin_aspects.sinks.registry import is_on, why_off
from platform_plugin_aspects.xapi.events import is_allowed, unpack
from platform_plugin_aspects.xapi.transform import NotUsable, transform

#: An event that every release emits. Its statement says that somebody navigated, and counts as nothing else.
NAME = "edx.ui.lms.link_clicked"
#: The end of the link's address, which is the object of the statement.
MARK = "aspects_check"
#: The number of newest stored events among which ours is, because others store theirs meanwhile.
NEWEST = 200


class NotEmitted(Exception):
    """No statement can come of an event. ``problem``, and a ``remedy``."""

    def __init__(self, problem: str, remedy: str):
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class Probe:
    """A stored event: its row in the outbox, the id of its statement, and its moment in UTC."""

    row: int
    statement: uuid.UUID
    moment: datetime


def emit(user: Any, course_key: CourseKey) -> Probe:
    """Emit one event as ``user`` in the course, by the platform's own tracker. Raises NotEmitted."""
    if not is_on(StatementSink):
        raise NotEmitted("Learning events are off", f"{why_off(StatementSink)}: see docs/how-tos/learning_events")
    if not is_allowed(NAME):
        raise NotEmitted(
            f"Events {NAME} do not become statements",
            "Set XAPI_EVENTS_ENABLED to True, and add the name to EVENT_TRACKING_BACKENDS_ALLOWED_XAPI_EVENTS",
        )
    if not tracking.is_registered():
        raise NotEmitted(
            "The platform's tracker does not have the plugin's backend",
            "See that the app eventtracking.django is installed and TRACKING_ENABLED is not False, and restart",
        )
    address = f"{settings.LMS_ROOT_URL}/courses/{course_key}/{MARK}/{uuid.uuid4().hex}"
    alias = router.db_for_write(TrackingEvent)
    # Until the end of the transaction no worker sees the row, so that it can be read here.
    with transaction.atomic(using=alias):
        _emit(user, course_key, address)
        for row in TrackingEvent.objects.using(alias).filter(name=NAME).order_by("-pk")[:NEWEST]:
            event = unpack(bytes(row.payload))
            if event["data"].get("target_url") == address:
                return _probe(row.pk, event)
    raise NotEmitted(
        "The event was not stored", f"Look into this service's log, and run {manage('migrate platform_plugin_aspects')}"
    )


def _emit(user: Any, course_key: CourseKey, address: str) -> None:
    from eventtracking import tracker

    context = {
        "user_id": user.pk,
        "username": user.username,
        "course_id": str(course_key),
        "org_id": course_key.org or "",
        "event_source": "server",
        "session": "",
    }
    data = {"current_url": f"{settings.LMS_ROOT_URL}/courses/{course_key}/", "target_url": address}
    with tracker.get_tracker().context("platform_plugin_aspects.check", context):
        tracker.emit(NAME, data)


def _probe(row: int, event: dict[str, Any]) -> Probe:
    try:
        made = transform([event])
    except NotUsable as error:
        raise NotEmitted(f"No statements can be made: {error}", "See the how-to on learning events") from None
    if made.rejected:
        raise NotEmitted(f"The event cannot become a statement: {made.rejected[0]}", "Choose another course or user")
    if not made.statements[0]:
        raise NotEmitted("The event became no statement", "Choose another user by --as_user")
    statement = made.statements[0][0]
    return Probe(row, statement.event_id, statement.emission_time)
