"""Events become statements, each for itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.xapi.events import canonical
from platform_plugin_aspects.xapi.transform import transform
from test_utils.factories import make_external_id, make_overview, make_user

pytestmark = pytest.mark.django_db

COURSE = "course-v1:Org+Course+Run"


def enrollment(user_id: Any, **changes: Any) -> dict[str, Any]:
    """A learner enrolls."""
    return {
        "name": "edx.course.enrollment.activated",
        "timestamp": "2026-03-01T10:00:00.123456+00:00",
        "data": {"user_id": user_id, "course_id": COURSE, "mode": "audit"},
        "context": {"user_id": user_id, "course_id": COURSE, "session": "1234567890abcdef1234567890abcdef"},
        **changes,
    }


@pytest.fixture(autouse=True)
def course() -> None:
    """The course of the events."""
    make_overview(COURSE, display_name="Course")


def test_an_event_becomes_a_statement() -> None:
    user = make_user()
    external_id = make_external_id(user)
    [[statement]], rejected = transform([canonical(enrollment(user.pk))])
    assert rejected == {}
    assert statement.emission_time == datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)
    parsed = json.loads(statement.text)
    assert parsed["id"] == str(statement.event_id)
    assert parsed["actor"]["account"]["name"] == str(external_id.external_user_id)
    assert parsed["verb"]["id"] == "http://adlnet.gov/expapi/verbs/registered"
    assert parsed["object"]["definition"]["name"] == {"en": "Course"}


def test_a_learner_without_an_external_id_gets_one() -> None:
    user = make_user()
    [[statement]], _ = transform([enrollment(user.pk)])
    external_id = ExternalId.objects.get(user=user, external_id_type__name="xapi")
    assert json.loads(statement.text)["actor"]["account"]["name"] == str(external_id.external_user_id)


def test_a_bad_event_costs_only_itself() -> None:
    good = enrollment(make_user().pk)
    nobody = enrollment(12345)
    no_course = enrollment(good["data"]["user_id"])
    no_course["context"] = {**no_course["context"], "course_id": "course-v1:Org+Gone+Run"}
    no_course["data"] = {**no_course["data"], "course_id": "course-v1:Org+Gone+Run"}
    of_a_browser = {**good, "name": "problem_check", "data": ["input_1=a", "b"]}
    of_a_browser["context"] = {**good["context"], "event_source": "browser"}
    statements, rejected = transform([nobody, good, no_course, of_a_browser, good])
    assert [len(made) for made in statements] == [0, 1, 0, 0, 1]
    assert rejected == {
        0: "the platform has no account of its learner",
        2: "the platform does not have its course",
        3: rejected[3],
    }
    assert rejected[3].startswith("it cannot be transformed: ValueError in base_transformer.py")
