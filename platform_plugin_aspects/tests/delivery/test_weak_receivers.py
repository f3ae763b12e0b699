"""Receivers are connected weakly, as the platform's own are, and live as long as the process."""

from __future__ import annotations

import gc
from io import StringIO
from typing import Any
from weakref import ReferenceType

import pytest
from django.core.management import call_command
from opaque_keys.edx.keys import CourseKey
from openedx_events.learning.signals import COURSE_ENROLLMENT_CREATED
from xmodule.modulestore.django import COURSE_PUBLISHED

from platform_plugin_aspects.delivery import triggers
from platform_plugin_aspects.delivery.triggers import TRIGGERS, Trigger
from platform_plugin_aspects.models import Change
from test_utils import factories

PUBLISHED = "xmodule.modulestore.django.COURSE_PUBLISHED"
NAME = f"platform_plugin_aspects.delivery.triggers.course_overviews.{PUBLISHED}."


@pytest.fixture
def courses(all_on: None, empty_store: None) -> list[str]:
    """Two published courses, of which nothing is recorded."""
    keys = [str(factories.make_course()) for _ in range(2)]
    Change.objects.all().delete()
    return keys


def recorded() -> list[str]:
    return sorted(Change.objects.filter(sink="course_overviews").values_list("object_id", flat=True))


@pytest.mark.django_db
def test_simulate_publish_publishes_all_courses(courses: list[str]) -> None:
    call_command("simulate_publish")
    assert recorded() == sorted(courses)


@pytest.mark.django_db
def test_simulate_publish_lists_and_chooses_the_receiver_by_name(courses: list[str]) -> None:
    out = StringIO()
    call_command("simulate_publish", "--show_receivers", stdout=out)
    assert NAME in out.getvalue().splitlines()
    before = list(COURSE_PUBLISHED.receivers)
    try:
        call_command("simulate_publish", "--receivers", NAME, "--courses", courses[0])
    finally:
        COURSE_PUBLISHED.receivers[:] = before
        COURSE_PUBLISHED.sender_receivers_cache.clear()
    assert recorded() == [courses[0]]


@pytest.mark.parametrize(
    ("signal", "path"),
    [
        (COURSE_PUBLISHED, PUBLISHED),
        (COURSE_ENROLLMENT_CREATED, "openedx_events.learning.signals.COURSE_ENROLLMENT_CREATED"),
    ],
)
def test_each_entry_of_a_signal_is_a_weak_reference(signal: Any, path: str) -> None:
    assert all(isinstance(entry[1], ReferenceType) for entry in signal.receivers)
    ours = [entry[1]() for entry in signal.receivers if isinstance(entry[1](), Trigger)]
    assert ours == [trigger for trigger in TRIGGERS if trigger.signal == path]


@pytest.mark.django_db
def test_a_receiver_that_nobody_else_holds_stays_connected(settings: Any) -> None:
    """Those of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS stand in no table."""
    heard: list[Any] = []

    def note(course_key: Any, **_kwargs: Any) -> list[Any]:
        heard.append(course_key)
        return []

    key = CourseKey.from_string("course-v1:Org+Course+Kept")
    uid = Trigger(PUBLISHED, "taxonomy", note).uid
    for _ in range(2):
        # Twice is the same as once.
        triggers.connect([Trigger(PUBLISHED, "taxonomy", note)])
        gc.collect()
    settings.EVENT_SINK_CLICKHOUSE_TAXONOMY_ENABLED = True
    COURSE_PUBLISHED.send_robust(sender=None, course_key=key)
    assert COURSE_PUBLISHED.disconnect(dispatch_uid=uid)
    assert heard == [key]
