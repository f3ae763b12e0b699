"""A site whose router reads from a replica: within a transaction, what was just written is not there yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from common.djangoapps.student.signals.signals import ENROLL_STATUS_CHANGE
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from openedx_events.learning.signals import (
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery.backfill import ranges
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk, key_range
from platform_plugin_aspects.delivery.backfill.runs import walk_range
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.backfill.watcher import Watcher
from platform_plugin_aspects.delivery.compare import compare
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import BackfillRange, Change, SinkState
from platform_plugin_aspects.operations import status
from platform_plugin_aspects.sinks import CourseEnrollmentSink, Selection, UserProfileSink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.sinks.tag_sink import tags_in_course
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories, retirement

#: SQLite keeps counting after the greatest key of earlier tests, some of which is too large for ClickHouse.
pytestmark = [
    pytest.mark.django_db(transaction=True, reset_sequences=True),
    pytest.mark.usefixtures("all_on", "replica"),
]

COURSE = "course-v1:Org+Course+replica"


class PrimaryAndReplica:
    """A router for replication, as in Django's documentation."""

    reads: ClassVar[str] = "replica"

    def db_for_read(self, model: Any, **hints: Any) -> str:
        # The modulestore's own reading is the platform's business.
        return "default" if model._meta.app_label == "split_modulestore_django" else self.reads

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True


@pytest.fixture
def replica(settings: Any, tmp_path: Path, empty_store: None) -> Iterator[None]:
    """Another database, with all tables and no rows, however long one waits: its replication has just stopped."""
    path = tmp_path / "replica.sqlite3"
    connection.ensure_connection()
    with closing(sqlite3.connect(path)) as target:
        connection.connection.backup(target)
    connections.settings["replica"] = {**connection.settings_dict, "NAME": str(path)}
    # Django's test cases refuse databases of which they did not know to connect later.
    connections["replica"].connect()
    settings.DATABASE_ROUTERS = [f"{__name__}.PrimaryAndReplica"]
    yield
    settings.DATABASE_ROUTERS = []
    connections["replica"].close()
    del connections["replica"]
    del connections.settings["replica"]


def changes() -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sink, object_id FROM platform_plugin_aspects_change")
        return set(cursor.fetchall())


def deliver_all() -> None:
    for name in sinks():
        assert deliver_changes(name).status == "delivered"
    assert changes() == set()


def test_the_router_reads_from_the_replica() -> None:
    """The test can tell."""
    factories.make_user()
    assert not User.objects.exists()
    assert User.objects.using("default").count() == 1


def _signal(enrollment: CourseEnrollment) -> None:
    ENROLL_STATUS_CHANGE.send(
        sender=None, event="enroll", user=enrollment.user, mode="audit", course_id=enrollment.course_id
    )


def _event(event: Any) -> Callable[[CourseEnrollment], None]:
    return lambda enrollment: event.send_event(enrollment=enrollment._event_data())


@pytest.mark.parametrize(
    "announce",
    [
        _signal,
        _event(COURSE_ENROLLMENT_CREATED),
        _event(COURSE_ENROLLMENT_CHANGED),
        _event(COURSE_UNENROLLMENT_COMPLETED),
    ],
)
def test_an_enrollment_is_found_where_it_was_written(announce: Callable[[CourseEnrollment], None]) -> None:
    user = factories.make_user()
    overview = factories.make_overview(COURSE)
    with transaction.atomic():
        enrollment = CourseEnrollment(user=user, course=overview)
        # Sends nothing: only what is announced is heard.
        CourseEnrollment.objects.bulk_create([enrollment])
        announce(enrollment)
        assert ("course_enrollment", str(enrollment.pk)) in changes()


def test_what_names_an_account_is_found_where_it_was_written() -> None:
    external_id = factories.make_external_id()
    user = external_id.user
    factories.make_enrollment(user)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM platform_plugin_aspects_change")
    with transaction.atomic():
        user.username = "another_name"
        user.save()
        assert {sink for sink, _key in changes()} == {"user_profile", "external_id", "course_enrollment"}


def test_tags_on_content_are_found_where_they_were_written(clickhouse: ClickHouse) -> None:
    key = factories.make_course(COURSE)
    root, leaf = factories.make_tag_branch("Mars", "Phobos")
    object_tag = factories.make_object_tag(COURSE, leaf)
    assert tags_in_course(key) == {COURSE: [leaf.pk, root.pk]}
    deliver_all()
    with transaction.atomic():
        leaf.delete()
        assert {("object_tag", str(object_tag.pk)), ("course_overviews", COURSE)} <= changes()
    deliver_all()


def test_a_delivery_reads_and_deletes_changes_on_the_primary(clickhouse: ClickHouse) -> None:
    user = factories.make_user()
    enrollment = factories.make_enrollment(user)
    root, leaf = factories.make_tag_branch("Mars", "Phobos")
    object_tag = factories.make_object_tag(COURSE, leaf)
    deliver_all()
    assert latest(clickhouse, "user_profile")[user.profile.pk]["username"] == user.username
    assert latest(clickhouse, "course_enrollment")[enrollment.pk]["mode"] == "audit"
    root.value = "Ares"
    root.save()
    # Dependents of a tag are found, too.
    deliver_all()
    assert latest(clickhouse, "tag")[leaf.pk]["lineage"] == '["Ares", "Phobos"]'
    assert latest(clickhouse, "object_tag")[object_tag.pk]["lineage"] == '["Ares", "Phobos"]'
    assert SinkState.objects.get(sink="tag").objects_delivered == 2 + 2


def test_custom_courses_follow_their_course(clickhouse: ClickHouse, settings: Any) -> None:
    settings.CUSTOM_COURSES_EDX = True
    key = factories.make_course(COURSE)
    ccx = factories.make_ccx(key)
    assert edx_platform.ccx_keys([key]) == [ccx]


def test_a_backfill_and_a_comparison_read_the_primary(clickhouse: ClickHouse) -> None:
    users = [factories.make_user() for _ in range(3)]
    assert key_range(UserProfileSink()) is not None
    summary = Summary()
    backfill(UserProfileSink(), Walk(), summary)
    assert summary.objects == 3
    assert sorted(row["user_id"] for row in rows(clickhouse, "user_profile")) == [user.pk for user in users]
    found = compare(UserProfileSink())
    assert (found.objects, found.equal) == (3, True)


def test_a_backfill_that_is_asked_to_read_the_replica_does(clickhouse: ClickHouse) -> None:
    for _ in range(3):
        factories.make_user()
    summary = Summary()
    backfill(UserProfileSink(database="replica"), Walk(), summary)
    assert summary.objects == 0


def test_progress_is_noted_and_read_on_the_primary(clickhouse: ClickHouse) -> None:
    for _ in range(3):
        factories.make_user()
    sink = UserProfileSink()
    ranges.save_ranges(sink, ranges.plan(sink, Walk()))
    (row,) = ranges.saved_ranges(sink)
    walk_range(row, Connection.from_settings(), Watcher())
    assert BackfillRange.objects.get().objects_written == 3


def test_what_is_pending_is_read_on_the_primary() -> None:
    profile = factories.make_user().profile
    assert Change.objects.get().object_id == str(profile.pk)
    (of_profiles,) = [each for each in status.sink_statuses() if each.sink == "user_profile"]
    assert of_profiles.pending == 1


@pytest.mark.parametrize("database", [None, "replica"])
def test_a_retirement_is_read_on_the_primary(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch, database: str | None
) -> None:
    """The replica has the learner, but not the retirement yet."""
    leaving, staying = factories.make_user(), factories.make_user()
    with closing(sqlite3.connect(connections.settings["replica"]["NAME"])) as target:
        connection.connection.backup(target)
    with monkeypatch.context() as patch:
        # The platform's own requests read what they write.
        patch.setattr(PrimaryAndReplica, "reads", "default")
        retirement.retire(leaving)
    assert deliver_changes("auth_user").status == "delivered"
    backfill(UserProfileSink(database=database), Walk(), Summary())
    assert {row["user_id"] for row in rows(clickhouse, "user_profile")} == {staying.pk}


def test_reading_by_key_in_a_transaction() -> None:
    with transaction.atomic():
        enrollment = factories.make_enrollment()
        assert CourseEnrollmentSink().read(Selection(keys=[enrollment.pk])).keys == [enrollment.pk]
        assert UserProfile.objects.using("default").count() == 1
