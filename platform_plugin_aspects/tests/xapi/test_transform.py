"""Events become statements, each for itself."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from importlib import import_module
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from event_routing_backends import helpers
from event_routing_backends.processors.xapi import transformer
from event_routing_backends.processors.xapi.transformer_processor import XApiProcessor
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.external_user_ids.models import ExternalId, ExternalIdType
from pytest_django import DjangoAssertNumQueries

from platform_plugin_aspects.xapi import processor
from platform_plugin_aspects.xapi.events import canonical
from platform_plugin_aspects.xapi.sessions import EXTENSION
from platform_plugin_aspects.xapi.transform import NewLearners, transform
from test_utils.factories import make_external_id, make_overview, make_user
from test_utils.retirement import retirement_steps

pytestmark = pytest.mark.django_db

#: The sha1 of ada@example.com.
ADA_SHA1 = "3ca93ad87e0bb737e653b66ad67731e86bbc050f"
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


def actor(statement: Any) -> str:
    return str(json.loads(statement.text)["actor"]["account"]["name"])


def test_a_batch_takes_one_query_for_learners_and_one_for_courses(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    users = [make_user() for _ in range(200)]
    ids = [str(make_external_id(user).external_user_id) for user in users]
    events = [enrollment(user.pk) for user in users]
    transform(events[:1])
    with django_assert_num_queries(2):
        statements, _ = transform(events)
    assert [actor(each) for [each] in statements] == ids


@pytest.mark.parametrize(
    ("context", "data"),
    [
        ({"username": "ada"}, {}),
        ({}, {"username": "ada"}),
        ({"user_id": "7001"}, {}),
        ({"user_id": 999, "username": "grace"}, {"user_id": 7001}),
        ({"user_id": 999}, {"username": "ada"}),
    ],
)
def test_the_learner_is_whom_erb_takes(context: dict[str, Any], data: dict[str, Any]) -> None:
    external_id = make_external_id(make_user("ada", id=7001))
    make_external_id(make_user("grace", id=999))
    event = enrollment(None)
    event["context"] = {"course_id": COURSE, **context}
    event["data"] = {"course_id": COURSE, **data}
    [[statement]], _ = transform([event])
    assert actor(statement) == str(external_id.external_user_id)


def played_video(actor: Any, source: str, **data: Any) -> dict[str, Any]:
    """A video plays; ``data`` is what the client adds."""
    return enrollment(
        actor,
        name="play_video",
        data={"id": "v1", "code": "abc", "duration": 60.0, "currentTime": 1.0, **data},
        context={"user_id": actor, "course_id": COURSE, "event_source": source},
    )


@pytest.mark.parametrize("source", ["browser", "mobile"])
@pytest.mark.parametrize("forged", ["user_id", "username", "deep"])
def test_a_client_cannot_act_in_another_learner_s_name(source: str, forged: str) -> None:
    mine, other = make_external_id(make_user("ada")), make_external_id(make_user("bob"))
    names = {"user_id": other.user.pk, "username": "bob"}
    data = {"x": {"y": names}, "user_id": None} if forged == "deep" else {forged: names[forged]}
    event = played_video(mine.user.pk, source, **data)
    entry = {
        "name": event["name"],
        "event_type": event["name"],
        "time": event["timestamp"],
        "event": json.dumps(event["data"]),
        "event_source": source,
        "username": "ada",
        "context": {"user_id": mine.user.pk, "course_id": COURSE},
    }
    for given in (event, entry):
        [[statement]], rejected = transform([canonical(given)])
        assert rejected == {}
        assert json.loads(statement.text)["actor"]["account"]["name"] == str(mine.external_user_id)
    visitor = played_video("", source, **data)
    assert transform([canonical(visitor)]) == ([[]], {})


def test_a_server_s_event_may_be_about_another_learner() -> None:
    staff, learner = make_user("staff"), make_external_id(make_user("bob"))
    event = enrollment(learner.user.pk, context={"user_id": staff.pk, "course_id": COURSE, "event_source": "server"})
    [[statement]], _ = transform([canonical(event)])
    assert json.loads(statement.text)["actor"]["account"]["name"] == str(learner.external_user_id)


def test_a_former_username_is_found() -> None:
    user = make_user("ada")
    external_id = make_external_id(user)
    for _ in retirement_steps(user):
        pass
    assert User.objects.get(pk=user.pk).username != "ada"
    event = enrollment(None)
    event["context"]["username"] = "ada"
    [[statement]], _ = transform([event])
    assert actor(statement) == str(external_id.external_user_id)


def test_a_visitor_s_event_yields_no_statement() -> None:
    event = enrollment(None)
    event["context"] |= {"user_id": "", "username": ""}
    assert transform([event]) == ([[]], {})


def test_the_course_s_name_is_that_of_now() -> None:
    user_id = make_external_id().user_id
    transform([enrollment(user_id)])
    CourseOverview.objects.update(display_name="New name")
    [[statement]], _ = transform([enrollment(user_id)])
    assert json.loads(statement.text)["object"]["definition"]["name"] == {"en": "New name"}


def test_ids_that_may_be_rolled_back_are_not_made() -> None:
    user = make_user()
    with pytest.raises(NewLearners) as caught:
        transform([enrollment(user.pk)], register=False)
    assert not ExternalId.objects.exists()
    caught.value.register()
    [[statement]], _ = transform([enrollment(user.pk)], register=False)
    assert actor(statement) == str(ExternalId.objects.get(user=user).external_user_id)


def test_without_a_type_for_xapi_the_events_are_rejected() -> None:
    ExternalIdType.objects.all().delete()
    statements, rejected = transform([enrollment(make_user().pk)], register=False)
    assert (statements, rejected) == ([[]], {0: "the platform has no external ids of the type xapi"})


def test_erb_is_left_as_it_was() -> None:
    before = [vars(import_module(name)).copy() for name in processor.HOLDERS]
    transform([enrollment(make_external_id().user_id), enrollment(99)])
    assert [vars(import_module(name)) for name in processor.HOLDERS] == before


def test_other_threads_see_erb_as_it_is() -> None:
    """While a batch is transformed here, another thread asks ERB for a learner: it makes its own query."""
    user_id = make_external_id().user_id
    asked: list[Any] = []

    class Learners:
        def external_id(self, key: Any) -> str:
            raise AssertionError("that is the other thread's")

    def other() -> None:
        try:
            transformer.get_anonymous_user_id(0, "XAPI")
        except Exception as error:
            asked.append(type(error))

    with processor.serving(processor.Lookups(Learners(), None)):  # type: ignore[arg-type]
        with pytest.raises(AssertionError):
            transformer.get_anonymous_user_id(user_id, "XAPI")
        thread = Thread(target=other)
        thread.start()
        thread.join()
    # There is no user 0.
    assert asked == [ValueError]


def test_threads_transform_at_once(transactional_db: None) -> None:
    users = [make_user() for _ in range(40)]
    ids = {user.pk: str(make_external_id(user).external_user_id) for user in users}
    found: dict[int, str] = {}

    def work(some: list[User]) -> None:
        try:
            for user in some:
                [[statement]], _ = transform([enrollment(user.pk)])
                found[user.pk] = actor(statement)
        finally:
            connection.close()

    threads = [Thread(target=work, args=[users[start::4]]) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ids
    assert transformer.get_anonymous_user_id is helpers.get_anonymous_user_id


def test_nothing_is_logged_a_second_time(caplog: pytest.LogCaptureFixture, settings: Any) -> None:
    settings.XAPI_EVENT_LOGGING_ENABLED = True
    good, unknown = enrollment(make_external_id().user_id), enrollment(None)
    unknown["context"]["username"] = "somebody"
    with caplog.at_level(logging.INFO):
        transform([good, unknown])
        assert caplog.records == []
        # ERB itself does.
        XApiProcessor()([good])
    assert [record.name for record in caplog.records] == ["xapi_tracking"]


@pytest.mark.parametrize(("kind", "expected"), [("mbox", "mailto:ada@example.com"), ("mbox_sha1sum", ADA_SHA1)])
def test_addresses_as_actors(
    kind: str, expected: str, settings: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.XAPI_AGENT_IFI_TYPE = kind
    user = make_user("ada", email="ada@example.com")
    with django_assert_num_queries(2):
        [[statement], [other]], _ = transform([enrollment(user.pk), enrollment(user.pk)])
    assert json.loads(statement.text)["actor"] == {"objectType": "Agent", kind: expected}
    assert statement == other


def test_the_session_is_hashed_with_the_site_s_key(settings: Any) -> None:
    event = enrollment(make_external_id().user_id)
    sessions = []
    for secret in ("one secret key of the site", "another secret key of a site", "one secret key of the site"):
        settings.SECRET_KEY = secret
        [[statement]], _ = transform([event])
        assert event["context"]["session"] not in statement.text
        sessions.append(json.loads(statement.text)["context"]["extensions"][EXTENSION])
    assert sessions[0] == sessions[2] != sessions[1]
    assert re.fullmatch("[0-9a-f]{32}", sessions[0])
