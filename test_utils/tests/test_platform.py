"""The stand-in platform has the quirks that the real one has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import celery
import pytest
from celery.signals import task_postrun
from cms.djangoapps.contentstore.views.course import create_new_course_in_store
from common.djangoapps.student.auth import has_studio_read_access
from common.djangoapps.student.helpers import AccountValidationError, do_create_account
from common.djangoapps.student.models import (
    CourseAccessRole,
    CourseEnrollment,
    EnrollmentNotAllowed,
    Registration,
    UnenrollmentNotAllowed,
    UserProfile,
)
from common.djangoapps.student.roles import (
    CourseBetaTesterRole,
    CourseDataResearcherRole,
    CourseInstructorRole,
    CourseLimitedStaffRole,
    CourseStaffRole,
    GlobalStaff,
    OrgInstructorRole,
    OrgStaffRole,
)
from common.djangoapps.student.signals.signals import ENROLL_STATUS_CHANGE
from django.conf import settings as django_settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.test import Client, RequestFactory
from django.urls import get_resolver
from edx_django_utils.cache import DEFAULT_REQUEST_CACHE, RequestCache
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.content_tagging.api import delete_object_tags, get_object_tags
from openedx.core.djangoapps.external_user_ids.models import ExternalId
from openedx.core.djangoapps.user_api.accounts.signals import USER_RETIRE_LMS_MISC
from openedx.core.djangoapps.user_api.models import UserPreference, UserRetirementRequest, UserRetirementStatus
from openedx.core.djangoapps.user_authn.views.registration_form import AccountCreationForm
from openedx.core.lib.api.permissions import IsStaffOrReadOnly
from openedx.envs.environment import databases
from openedx_events.content_authoring.signals import CONTENT_OBJECT_ASSOCIATIONS_CHANGED, CONTENT_OBJECT_TAGS_CHANGED
from openedx_events.learning.signals import (
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)
from openedx_filters import PipelineStep
from openedx_filters.learning.filters import CourseEnrollmentStarted, CourseUnenrollmentStarted
from xmodule.modulestore import ModuleStoreEnum
from xmodule.modulestore.django import COURSE_DELETED, COURSE_PUBLISHED, SignalHandler, modulestore
from xmodule.modulestore.exceptions import DuplicateCourseError, DuplicateItemError, ItemNotFoundError
from xmodule.modulestore.inmemory import InMemoryModuleStore
from xmodule.modulestore.store_utilities import DETACHED_XBLOCK_TYPES

from test_utils import factories
from test_utils.demo_data import load_demo, read_learners
from test_utils.factories import make_ccx, make_course, make_course_key, make_enrollment, make_user
from test_utils.retirement import STEPS, cancel_retirement, clean_up, request_retirement, retire, retirement_steps

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED_ONLY = ModuleStoreEnum.RevisionOption.published_only
PUBLISHED = ModuleStoreEnum.BranchName.published

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Iterator[InMemoryModuleStore]:
    modulestore().clear()
    yield modulestore()
    modulestore().clear()


@pytest.fixture
def listen() -> Iterator[Callable[..., list[Any]]]:
    """``listen(note, signal, ...)`` returns the list that ``note(**what was sent)`` fills from then on."""
    connected = []

    def _listen(note: Callable[..., Any], *signals: Any) -> list[Any]:
        heard: list[Any] = []

        def receiver(**kwargs: Any) -> None:
            heard.append(note(**kwargs))

        for signal in signals:
            signal.connect(receiver, weak=False)
            connected.append((signal, receiver))
        return heard

    yield _listen
    for signal, receiver in connected:
        signal.disconnect(receiver)


class RefuseEnrollment(PipelineStep):
    """A step that lets nobody in."""

    def run_filter(self, **_kwargs: Any) -> None:
        raise CourseEnrollmentStarted.PreventEnrollment("not today")


class RefuseUnenrollment(PipelineStep):
    """A step that lets nobody out."""

    def run_filter(self, **_kwargs: Any) -> None:
        raise CourseUnenrollmentStarted.PreventUnenrollment("not today")


class TestEnrollments:
    @pytest.fixture
    def heard(self, listen: Callable[..., list[Any]]) -> list[str]:
        names = {
            COURSE_ENROLLMENT_CHANGED: "changed",
            COURSE_ENROLLMENT_CREATED: "created",
            COURSE_UNENROLLMENT_COMPLETED: "unenrolled",
        }
        return listen(lambda signal, event=None, **_: names.get(signal, event), ENROLL_STATUS_CHANGE, *names)

    def test_each_action_sends_what_the_platform_sends(self, heard: list[str]) -> None:
        user, key = make_user(), make_course_key()

        def sent(action: Callable[..., Any], *args: Any) -> list[str]:
            heard.clear()
            action(*args)
            return list(heard)

        enrollment: list[CourseEnrollment] = []
        assert sent(lambda: enrollment.append(CourseEnrollment.enroll(user, key))) == ["changed", "enroll", "created"]
        assert sent(CourseEnrollment.enroll, user, key) == ["enroll", "created"]
        assert sent(enrollment[0].change_mode, "verified") == ["changed"]
        assert sent(enrollment[0].change_mode, "verified") == []
        assert sent(CourseEnrollment.unenroll, user, key) == ["changed", "unenroll", "unenrolled"]
        assert sent(CourseEnrollment.unenroll, user, key) == []
        assert sent(CourseEnrollment.unenroll, user, make_course_key()) == []
        enrollment[0].refresh_from_db()
        assert sent(enrollment[0].activate) == ["changed"]
        assert sent(enrollment[0].deactivate) == ["changed", "unenroll", "unenrolled"]
        assert sent(CourseEnrollment.enroll, user, key) == ["changed", "enroll", "created"]
        assert sent(make_enrollment, user) == []
        assert CourseEnrollment.is_enrolled(user, key)

    def test_events_carry_the_enrollment_even_without_an_overview(self, listen: Callable[..., list[Any]]) -> None:
        heard = listen(lambda enrollment, **_: enrollment, COURSE_ENROLLMENT_CHANGED)
        user, key = make_user(), make_course_key()

        row = CourseEnrollment.enroll(user, key, mode="verified")

        assert (heard[0].user.id, heard[0].course.course_key, heard[0].mode) == (user.id, key, "verified")
        assert (heard[0].is_active, heard[0].creation_date) == (True, row.created)
        assert CourseEnrollment.objects.values_list("course_id", flat=True).get() == key

    def test_a_filter_may_refuse(self, settings: Any, heard: list[str]) -> None:
        enrollment = CourseEnrollment.enroll(make_user(), make_course_key())
        heard.clear()
        settings.OPEN_EDX_FILTERS_CONFIG = {
            f"org.openedx.learning.course.{kind}.started.v1": {
                "pipeline": [f"{__name__}.{step}"],
                "fail_silently": False,
            }
            for kind, step in (("enrollment", "RefuseEnrollment"), ("unenrollment", "RefuseUnenrollment"))
        }
        with pytest.raises(EnrollmentNotAllowed, match="not today"):
            CourseEnrollment.enroll(enrollment.user, make_course_key())
        with pytest.raises(UnenrollmentNotAllowed, match="not today"):
            CourseEnrollment.unenroll(enrollment.user, enrollment.course_id)
        assert heard == []
        assert CourseEnrollment.objects.get().is_active

    def test_the_signal_is_plain_and_the_events_are_robust(self) -> None:
        def fail(**kwargs: Any) -> None:
            raise RuntimeError("receiver")

        user, key = make_user(), make_course_key()
        COURSE_ENROLLMENT_CHANGED.connect(fail)
        try:
            CourseEnrollment.enroll(user, key)
        finally:
            COURSE_ENROLLMENT_CHANGED.disconnect(fail)

        ENROLL_STATUS_CHANGE.connect(fail)
        try:
            with pytest.raises(RuntimeError, match="receiver"):
                CourseEnrollment.unenroll(user, key)
        finally:
            ENROLL_STATUS_CHANGE.disconnect(fail)


class TestProfiles:
    def test_the_session_key_is_in_meta_while_logged_in(self, client: Client, settings: Any) -> None:
        user = make_user(profile={"meta": '{"theme": "dark"}'})
        client.force_login(user)
        profile = UserProfile.objects.get(user=user)
        assert json.loads(profile.meta) == {"theme": "dark", "session_id": client.session.session_key}

        client.logout()
        profile.refresh_from_db()
        assert json.loads(profile.meta) == {"theme": "dark", "session_id": None}

        settings.FEATURES = {"PREVENT_CONCURRENT_LOGINS": False}
        client.force_login(user)
        profile.refresh_from_db()
        assert json.loads(profile.meta)["session_id"] is None

    def test_a_second_login_ends_the_first_session(self) -> None:
        user, first, second = make_user(), Client(), Client()
        first.force_login(user)
        first_key = first.session.session_key
        second.force_login(user)
        assert not first.session.exists(first_key)

    def test_meta_may_be_no_json(self) -> None:
        with pytest.raises(ValueError, match="Expecting"):
            make_user(profile={"meta": "{'session_id': 1}"}).profile.set_login_session("key")

    def test_preferences(self) -> None:
        user = make_user()
        UserPreference.objects.create(user=user, key="pref-lang", value="ar")
        assert UserPreference.get_value(user, "pref-lang") == "ar"
        assert UserPreference.get_value(user, "time_zone", "UTC") == "UTC"


class TestAccounts:
    def form(self, tos_required: bool, **data: str) -> AccountCreationForm:
        given = {"username": "somebody", "email": "somebody@example.invalid", "password": "pass word", "name": "Some"}
        return AccountCreationForm(data={**given, **data}, tos_required=tos_required)

    def make(self, **data: str) -> User:
        return do_create_account(self.form(tos_required=False, **data))[0]

    def test_a_registration_makes_an_inactive_user_with_a_profile(self) -> None:
        user = self.make()
        assert (user.is_active, user.check_password("pass word"), user.profile.name) == (False, True, "Some")
        assert len(Registration.objects.get(user=user).activation_key) == 32

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("username", "x"),
            ("username", "x" * 31),
            ("username", "some body"),
            ("username", "jemánd"),
            ("email", "somebody"),
            ("password", ""),
            ("name", ""),
            ("name", "<b>"),
            ("name", "http://example.invalid"),
        ],
    )
    def test_the_form_refuses(self, field: str, wrong: str) -> None:
        with pytest.raises(ValidationError) as caught:
            self.make(**{field: wrong})
        assert list(caught.value.error_dict) == [field]

    def test_the_terms_of_service_must_be_accepted(self) -> None:
        assert list(self.form(tos_required=True).errors) == ["terms_of_service"]

    def test_the_site_allows_some_addresses_only(self, settings: Any) -> None:
        settings.REGISTRATION_EMAIL_PATTERNS_ALLOWED = [r".*@example\.invalid"]
        self.make()
        with pytest.raises(ValidationError, match="Unauthorized"):
            self.make(email="other@example.invalid.com")

    def test_what_is_taken(self) -> None:
        self.make()
        with pytest.raises(ValidationError, match="existing account"):
            self.make(username="other")
        with pytest.raises(AccountValidationError) as caught:
            self.make(email="other@example.invalid")
        assert caught.value.field == "username"

    def test_a_site_where_nobody_registers(self, settings: Any) -> None:
        settings.FEATURES = {**settings.FEATURES, "ALLOW_PUBLIC_ACCOUNT_CREATION": False}
        with pytest.raises(PermissionDenied):
            self.make()


class TestExternalIds:
    def test_a_batch_sends_no_post_save(self, listen: Callable[..., list[Any]]) -> None:
        factories.make_external_id_type("xapi")
        one, two = make_user(), make_user()
        heard = listen(lambda instance, **_: instance, post_save)

        known, is_new = ExternalId.add_new_user_id(one, "xapi")
        assert (is_new, heard) == (True, [known])

        ids = ExternalId.batch_get_or_create_user_ids([one, two], "xapi")
        assert heard == [known]
        assert ids == {row.user_id: row for row in ExternalId.objects.all()}
        assert set(ids) == {one.id, two.id}

    def test_an_unknown_type_has_no_external_ids(self) -> None:
        assert ExternalId.batch_get_or_create_user_ids([make_user()], "fax") is None
        assert ExternalId.add_new_user_id(make_user(), "fax") == (None, False)


class TestModulestore:
    def test_a_course_that_is_gone(self, store: InMemoryModuleStore) -> None:
        key = make_course_key()
        assert store.get_course(key) is None
        assert not store.has_course(key)
        with pytest.raises(ItemNotFoundError):
            store.get_items(key)
        with pytest.raises(ItemNotFoundError):
            store.publish(key)

    def test_the_draft_shows_in_studio_and_the_published_course_to_learners(
        self, store: InMemoryModuleStore, settings: Any
    ) -> None:
        key = make_course(publish=False, display_name="First")
        assert store.get_course(key.for_branch(PUBLISHED)) is None

        factories.publish_course(key, loudly=False)
        store.edit_course(key, display_name="Second")

        assert store.get_course(key.for_branch(PUBLISHED)).display_name == "First"
        assert store.get_course(key).display_name == "Second"
        # get_course ignores the revision; get_items and get_item do not.
        assert store.get_course(key, revision=PUBLISHED_ONLY).display_name == "Second"
        for revision, name in ((PUBLISHED_ONLY, "First"), (None, "Second")):
            (course,) = store.get_items(key, qualifiers={"category": "course"}, revision=revision)
            assert course.display_name == name
            assert store.get_item(key.make_usage_key("course", "course"), revision=revision).display_name == name
        settings.MODULESTORE_BRANCH = "published-only"  # the LMS's
        assert store.get_course(key).display_name == "First"
        assert [course.id for course in store.get_courses()] == [key]

    def test_keys_carry_branch_and_version(self, store: InMemoryModuleStore) -> None:
        key = make_course()
        course = store.get_course(key.for_branch(PUBLISHED))
        chapter = course.get_children()[0]

        assert course.id == key
        assert chapter.location != key.make_usage_key("chapter", "chapter_1")
        assert chapter.location.for_branch(None) == key.make_usage_key("chapter", "chapter_1")
        assert chapter.location.branch == "published-branch"
        assert chapter.location.version_guid
        assert chapter.scope_ids.block_type == chapter.category == "chapter"
        version = chapter.location.version_guid
        factories.publish_course(key, loudly=False)
        assert store.get_course(key.for_branch(PUBLISHED)).location.version_guid != version

    def test_block_fields(self, store: InMemoryModuleStore) -> None:
        moment = factories.utc(2026, 1, 2, 3, 4, 5, 6)
        nameless = {"type": "vertical", "id": "no_name", "edited_on": None}
        named = {"type": "html", "id": "x", "fields": {"display_name": "", "graded": True}, "edited_on": moment}
        key = make_course_key()
        store.create_course(key, {"children": [nameless, named]})
        first, second = store.get_course(key).get_children()

        assert not hasattr(first, "edited_on")
        assert (first.display_name, first.display_name_with_default, first.graded) == (None, "no name", False)
        assert (first.completion_mode, first.has_children, first.get_children()) == ("aggregator", True, [])
        assert second.edited_on == moment
        assert (second.display_name_with_default, second.graded, second.completion_mode) == ("", True, "completable")
        with pytest.raises(DuplicateItemError):
            store.create_course(key, {})

    def test_a_child_that_fails_to_load_is_left_out(self, store: InMemoryModuleStore) -> None:
        key = make_course()
        store.add_broken_child(key.make_usage_key("chapter", "chapter_1"))
        (chapter,) = store.get_course(key).get_children()
        assert [child.category for child in chapter.get_children()] == ["sequential"]
        assert [child.block_type for child in chapter.children] == ["sequential", "html"]

    def test_a_block_that_cannot_be_built_is_an_error_block(self, store: InMemoryModuleStore) -> None:
        key = make_course()
        store.break_block(key.make_usage_key("sequential", "sequential_2"))
        (chapter,) = store.get_course(key).get_children()
        (error,) = chapter.get_children()
        assert (error.category, error.location.block_type, error.get_children()) == ("error", "error", [])
        assert error.location.block_id != "sequential_2"
        assert [child.block_type for child in chapter.children] == ["sequential"]
        store.break_block(key.make_usage_key("course", "course"))
        assert store.get_course(key).category == "error"

    def test_a_tree_with_a_cycle_and_a_block_with_two_parents(self, store: InMemoryModuleStore) -> None:
        key = make_course(chapters=2)
        first, second = store.get_course(key).get_children()
        store.add_child(second.location, first.get_children()[0].location)
        store.add_child(first.get_children()[0].location, key.make_usage_key("course", "course"))
        first, second = store.get_course(key).get_children()
        assert second.get_children()[-1].location == first.get_children()[0].location
        assert first.get_children()[0].get_children()[-1].location.block_type == "course"
        # Each block goes once.
        store.remove_block(key.make_usage_key("chapter", "chapter_1"))
        assert [block.category for block in store.get_items(key, qualifiers={"category": "chapter"})] == []

    def test_a_video_has_a_beginning_and_an_end(
        self, store: InMemoryModuleStore, settings: Any, tmp_path: Path
    ) -> None:
        settings.STANDIN_COURSES_DIR = str(tmp_path / "courses")
        key = make_course_key()
        fields = {"start_time": timedelta(seconds=90, milliseconds=500)}
        store.create_course(key, {"children": [{"type": "video", "id": "x", "fields": fields}]})
        factories.publish_course(key, loudly=False)
        for each in (store, InMemoryModuleStore(SignalHandler(InMemoryModuleStore))):
            (video,) = each.get_course(key.for_branch(PUBLISHED)).get_children()
            assert (video.start_time, video.end_time) == (timedelta(seconds=90.5), timedelta(0))

    def test_structures_stay_in_the_request_cache(self, store: InMemoryModuleStore) -> None:
        key = make_course()
        RequestCache.clear_all_namespaces()
        store.get_course(key.for_branch(PUBLISHED))
        with store.bulk_operations(key):
            store.get_course(key)
        assert sorted(each.branch for each in DEFAULT_REQUEST_CACHE.data["course_cache"].values()) == [
            "draft-branch",
            "published-branch",
        ]
        RequestCache.clear_all_namespaces()
        assert "course_cache" not in DEFAULT_REQUEST_CACHE.data

    def test_items_come_in_no_order_with_detached_blocks_and_orphans(self, store: InMemoryModuleStore) -> None:
        key = make_course(leaves=12)
        store.add_block(key, {"type": "html", "id": "orphan"})

        everything = store.get_items(key)
        htmls = [block.location.block_id for block in store.get_items(key, qualifiers={"category": "html"})]
        detached = store.get_items(key, qualifiers={"category": list(DETACHED_XBLOCK_TYPES)})
        in_tree = store.get_items(key, qualifiers={"name": "html_4"}, settings={"graded": False})

        assert len(everything) == 1 + 3 + 12 + 3 + 1
        assert "orphan" in htmls
        assert htmls != sorted(htmls)
        assert {block.category for block in detached} == DETACHED_XBLOCK_TYPES
        assert len(in_tree) == 1
        assert "about" not in {block.category for block in store.get_course(key).get_children()}

    def test_editing(self, store: InMemoryModuleStore) -> None:
        key = make_course()
        vertical = key.make_usage_key("vertical", "vertical_3")
        added = store.add_block(vertical, {"type": "video", "id": "new", "children": [{"type": "html", "id": "below"}]})
        assert [block.category for block in store.get_item(vertical).get_children()] == ["html", "video"]

        store.remove_block(added)
        assert [block.category for block in store.get_item(vertical).get_children()] == ["html"]
        for gone in (added, key.make_usage_key("html", "below")):
            with pytest.raises(ItemNotFoundError):
                store.get_item(gone)

    def test_reads_share_one_fetch_in_bulk_operations(self, store: InMemoryModuleStore) -> None:
        key = make_course()
        store.reads_outside_bulk, store.structure_fetches[str(key)] = 0, 0
        with store.bulk_operations(key):
            for category in DETACHED_XBLOCK_TYPES:
                store.get_items(key, qualifiers={"category": category}, revision=PUBLISHED_ONLY)
            store.get_course(key.for_branch(PUBLISHED))
        assert (store.reads_outside_bulk, store.structure_fetches[str(key)]) == (0, 1)

        store.get_course(key)
        assert (store.reads_outside_bulk, store.structure_fetches[str(key)]) == (1, 2)

    def test_a_publish_is_announced_once_and_survives_its_receivers(
        self, store: InMemoryModuleStore, listen: Callable[..., list[Any]]
    ) -> None:
        heard = listen(lambda sender, course_key, **_: (sender, course_key), COURSE_PUBLISHED)
        listen(lambda **_: 1 / 0, COURSE_PUBLISHED)
        key = make_course(loudly=True)
        assert heard == [(InMemoryModuleStore, key)]

        with store.bulk_operations(key):
            store.edit_course(key, display_name="Twice")
            store.publish(key)
            store.publish(key)
            assert store.get_course(key.for_branch(PUBLISHED)).display_name == "Twice"
            assert len(heard) == 1
        assert len(heard) == 2
        assert CourseOverview.objects.get(id=key).display_name == "Twice"
        assert SignalHandler.course_published is COURSE_PUBLISHED

    def test_a_publish_shares_the_fate_of_its_transaction(self, store: InMemoryModuleStore) -> None:
        key = make_course(display_name="First")

        with transaction.atomic():
            store.edit_course(key, display_name="Second")
            factories.publish_course(key)
            assert store.get_course(key.for_branch(PUBLISHED)).display_name == "Second"
            transaction.set_rollback(True)

        RequestCache.clear_all_namespaces()
        assert store.get_course(key.for_branch(PUBLISHED)).display_name == "First"
        assert CourseOverview.objects.get(id=key).display_name == "First"

    def test_a_request_remembers_what_was_published_when_it_looked(self, store: InMemoryModuleStore) -> None:
        key = make_course(display_name="First")

        def published() -> str:
            return store.get_course(key.for_branch(PUBLISHED)).display_name

        assert published() == "First"
        with factories.elsewhere():
            store.edit_course(key, display_name="Second")
            factories.publish_course(key)
        assert published() == "First"
        # The next request, or task.
        RequestCache.clear_all_namespaces()
        assert published() == "Second"

    def test_a_task_begins_with_nothing_remembered(self, store: InMemoryModuleStore, settings: Any) -> None:
        RequestCache("remembered").set("by", "a task")
        task_postrun.send(sender=None)
        assert not RequestCache("remembered").get_cached_response("by").is_found
        # If tasks run within the request, the cache is the request's.
        settings.CELERY_TASK_ALWAYS_EAGER = True
        RequestCache("remembered").set("by", "a request")
        task_postrun.send(sender=None)
        assert RequestCache("remembered").get_cached_response("by").is_found

    def test_a_deleted_course_loses_its_overview_and_a_vanished_one_does_not(
        self, store: InMemoryModuleStore, listen: Callable[..., list[Any]]
    ) -> None:
        heard = listen(lambda course_key, **_: course_key, COURSE_DELETED)
        deleted, vanished = make_course(), make_course()
        store.delete_course(deleted)
        store.vanish(vanished)

        assert heard == [deleted]
        assert list(CourseOverview.objects.values_list("id", flat=True)) == [vanished]
        assert store.get_course(vanished.for_branch(PUBLISHED)) is None
        assert [CourseOverview.course_exists(key) for key in (deleted, vanished)] == [False, True]
        assert CourseOverview.course_exists(make_course(publish=False))
        assert CourseOverview.get_from_id(vanished).id == vanished
        with pytest.raises(CourseOverview.DoesNotExist):
            CourseOverview.get_from_id(deleted)

    def test_a_malformed_grading_policy_leaves_no_lowest_passing_grade(self, store: InMemoryModuleStore) -> None:
        for policy in ({}, {"GRADE_CUTOFFS": {}}, {"GRADE_CUTOFFS": {"Pass": "half"}}, None):
            key = make_course(grading_policy=policy)
            assert CourseOverview.objects.get(id=key).lowest_passing_grade is None

    def test_a_ccx_has_the_blocks_of_its_master(self, store: InMemoryModuleStore) -> None:
        master = make_course(display_name="Master")
        key = make_ccx(master, "Evening class")
        course = store.get_course(key.for_branch(PUBLISHED))
        chapter = course.get_children()[0]

        assert course.id == key
        assert str(chapter.location.for_branch(None)) == (
            f"ccx-block-v1:{key.org}+{key.course}+{key.run}+ccx@{key.ccx}+type@chapter+block@chapter_1"
        )
        assert CourseOverview.objects.get(id=key).display_name == "Evening class"
        assert CourseOverview.objects.get(id=key).org == "Org"

    def test_processes_share_published_courses_through_files(
        self, store: InMemoryModuleStore, settings: Any, tmp_path: Path
    ) -> None:
        settings.STANDIN_COURSES_DIR = str(tmp_path / "courses")
        start = factories.utc(2026, 1, 2)
        key = make_course(start=start, display_name="First")
        store.add_broken_child(key.make_usage_key("vertical", "vertical_3"))
        factories.publish_course(key, loudly=False)
        other = InMemoryModuleStore(SignalHandler(InMemoryModuleStore))

        course = other.get_course(key.for_branch(PUBLISHED))
        assert (course.start, course.edited_on) == (start, store.get_course(key).edited_on)
        vertical = other.get_item(key.make_usage_key("vertical", "vertical_3"))
        assert len(vertical.children) == len(vertical.get_children()) + 1

        other.edit_course(key, display_name="Second")
        other.publish(key, emit_signals=False)
        assert store.get_course(key.for_branch(PUBLISHED)).display_name == "Second"
        assert store.get_course(key).display_name == "Second"
        assert [course.id for course in store.get_courses()] == [key]

        other.vanish(key)
        assert store.get_course(key.for_branch(PUBLISHED)) is None

    def test_a_large_course_is_made_quickly(self, store: InMemoryModuleStore) -> None:
        begin = time.process_time()
        key = make_course(chapters=10, sequentials=10, verticals=10, leaves=4)
        assert time.process_time() - begin < 1
        assert len(store.get_items(key)) == 1 + 10 + 100 + 1000 + 4000 + 3

    def test_a_new_course_is_published_with_its_maker_as_instructor(
        self, store: InMemoryModuleStore, listen: Callable[..., list[Any]]
    ) -> None:
        heard = listen(lambda course_key, **_: course_key, COURSE_PUBLISHED)
        user, fields = make_user(), {"display_name": "New"}
        course = create_new_course_in_store("split", user, "Org", "Course", "new", fields)
        key = course.id.for_branch(None)
        assert (heard, fields["language"]) == ([key], "en")
        assert CourseOverview.objects.get().display_name == "New"
        assert CourseInstructorRole(key).has_user(user)
        assert CourseStaffRole(key).has_user(user)
        assert CourseEnrollment.is_enrolled(user, key)
        with pytest.raises(DuplicateCourseError):
            create_new_course_in_store("split", user, "Org", "Course", "new", {})
        with pytest.raises(ValueError, match="store"):
            create_new_course_in_store("old mongo", user, "Org", "Course", "newer", {})

    def test_an_inactive_user_makes_no_course(self, store: InMemoryModuleStore) -> None:
        with pytest.raises(PermissionDenied):
            create_new_course_in_store("split", make_user(is_active=False), "Org", "Course", "new", {})
        assert not CourseAccessRole.objects.exists()


class TestTags:
    def test_both_events_are_sent_for_courses_and_blocks(self, listen: Callable[..., list[Any]]) -> None:
        changed = listen(lambda content_object, **_: content_object, CONTENT_OBJECT_ASSOCIATIONS_CHANGED)
        older = listen(lambda content_object, **_: content_object.object_id, CONTENT_OBJECT_TAGS_CHANGED)
        tags = factories.make_tag_branch("Root", "Branch", "Twig", "Leaf", "Bug")
        block = make_course_key().make_usage_key("html", "one")

        factories.tag_object(block, tags[0].taxonomy, "Bug", "Root")
        factories.tag_object(block, tags[0].taxonomy)

        assert [(data.object_id, data.changes) for data in changed] == [(str(block), ["tags"])] * 2
        assert older == [str(block)] * 2

    def test_clearing_the_tags_of_an_object_sends_no_event(self, listen: Callable[..., list[Any]]) -> None:
        tag = factories.make_tag()
        key = make_course_key()
        factories.tag_object(key, tag.taxonomy, tag.value)
        events = [
            listen(lambda **_: "event", event)
            for event in (CONTENT_OBJECT_ASSOCIATIONS_CHANGED, CONTENT_OBJECT_TAGS_CHANGED)
        ]
        deleted = listen(lambda instance, **_: instance.object_id, post_delete)

        delete_object_tags(str(key))

        assert (events, deleted) == ([[], []], [str(key)])
        assert list(get_object_tags(str(key))) == []

    def test_the_tags_of_an_object(self) -> None:
        tags = factories.make_tag_branch("Root", "Branch", "Twig", "Leaf", "Bug")
        words = factories.make_taxonomy(free_text=True)
        key = make_course_key()
        factories.make_object_tag(key, tags[-1])
        factories.make_object_tag(key, taxonomy=words, value="free")

        found = {row.value: row.get_lineage() for row in get_object_tags(str(key))}
        assert found == {"Bug": ["Root", "Branch", "Twig", "Leaf", "Bug"], "free": ["free"]}


class TestRetirement:
    def test_the_order(self, listen: Callable[..., list[Any]]) -> None:
        user = make_user("original", profile={"name": "Original Name", "bio": "bio", "year_of_birth": 1990})
        key = make_course_key()
        CourseEnrollment.enroll(user, key)
        names = {USER_RETIRE_LMS_MISC: "retire", COURSE_UNENROLLMENT_COMPLETED: "unenroll"}
        events = listen(lambda signal, **_: names[signal], *names)
        at_misc = listen(
            lambda user, **_: (UserProfile.objects.get(user=user).name, user.username), USER_RETIRE_LMS_MISC
        )
        saves = listen(
            lambda instance, **_: (
                (type(instance).__name__, user.username) if type(instance).__name__ in ("User", "UserProfile") else None
            ),
            post_save,
        )
        steps = []
        for step in retirement_steps(user):
            steps.append(step)
            if step == "request":
                assert UserRetirementStatus.objects.get(user=user).original_username == "original"
            if step == "clear_profile":
                stored = UserProfile.objects.select_related("user").get(user=user)
                assert (stored.name, stored.bio, stored.year_of_birth) == ("", None, None)
                assert stored.user.username == "original"
                assert stored.user.email == UserRetirementStatus.objects.get(user=user).retired_email

        assert steps == [name for name, _, _ in STEPS]
        assert events == ["retire", "unenroll"]
        assert at_misc == [("Original Name", "original")]
        status = UserRetirementStatus.objects.get(user=user)
        # The first of the user's saves is that of the request.
        assert [save for save in saves if save] == [
            ("User", "original"),
            ("UserProfile", "original"),
            ("User", status.retired_username),
        ]
        user.refresh_from_db()
        assert (user.username, user.email, user.is_active) == (status.retired_username, status.retired_email, False)
        assert "original" not in user.username
        assert (status.current_state.state_name, CourseEnrollment.is_enrolled(user, key)) == ("COMPLETE", False)

    def test_the_request_stays_when_the_status_is_cleaned_up(self) -> None:
        user = make_user("original")
        request_retirement(user)
        stored = User.objects.get(pk=user.pk)
        assert stored.username == "original"
        assert stored.email.endswith("@retired.invalid")
        assert UserRetirementRequest.has_user_requested_retirement(user)
        clean_up()
        assert UserRetirementStatus.objects.filter(user=user).exists()
        retire(make_user("other"))
        clean_up()
        other = User.objects.get(username__startswith=django_settings.RETIRED_USERNAME_PREFIX)
        assert not UserRetirementStatus.objects.filter(user=other).exists()
        assert UserRetirementRequest.has_user_requested_retirement(other)

    def test_a_retirement_is_cancelled_only_while_it_is_pending(self) -> None:
        user = make_user("original")
        steps = retirement_steps(user)
        next(steps)
        cancel_retirement(user)
        assert User.objects.get(pk=user.pk).email == "original@example.invalid"
        assert not UserRetirementStatus.objects.filter(user=user).exists()
        assert not UserRetirementRequest.has_user_requested_retirement(user)
        steps = retirement_steps(user)
        while next(steps) != "forums":
            pass
        with pytest.raises(ValueError, match="no longer PENDING"):
            cancel_retirement(user)

    def test_a_receiver_breaks_the_misc_step(self) -> None:
        def fail(**kwargs: Any) -> None:
            raise RuntimeError("receiver")

        USER_RETIRE_LMS_MISC.connect(fail)
        try:
            with pytest.raises(RuntimeError, match="receiver"):
                retire(make_user())
        finally:
            USER_RETIRE_LMS_MISC.disconnect(fail)


class TestRoles:
    KEY = CourseKey.from_string("course-v1:Org+Course+Run")
    OTHER = CourseKey.from_string("course-v1:Org+Course+Other")
    ELSEWHERE = CourseKey.from_string("course-v1:Else+Course+Run")

    @pytest.mark.usefixtures("lms_permissions")
    @pytest.mark.parametrize(
        ("role", "lms", "studio"),
        [
            (None, "", ""),
            (CourseStaffRole(KEY), "K", "K"),
            (CourseInstructorRole(KEY), "K", "K"),
            (CourseLimitedStaffRole(KEY), "K", ""),
            (CourseDataResearcherRole(KEY), "K", ""),
            (CourseBetaTesterRole(KEY), "", ""),
            (OrgStaffRole("Org"), "KO", "KO"),
            (OrgInstructorRole("Org"), "KO", "KO"),
            (GlobalStaff(), "KOE", "KOE"),
        ],
        ids=lambda value: type(value).__name__ if value is None or hasattr(value, "has_user") else value,
    )
    def test_who_may_see_what(self, role: Any, lms: str, studio: str) -> None:
        user = make_user()
        if role:
            role.add_users(user)
        courses = {"K": self.KEY, "O": self.OTHER, "E": self.ELSEWHERE}
        assert "".join(name for name, key in courses.items() if user.has_perm("instructor.dashboard", key)) == lms
        assert "".join(name for name, key in courses.items() if has_studio_read_access(user, key)) == studio

    @pytest.mark.usefixtures("lms_permissions")
    def test_nobody_else(self) -> None:
        inactive = make_user(is_active=False)
        CourseStaffRole(self.KEY).add_users(inactive)
        for user in (AnonymousUser(), inactive):
            assert not user.has_perm("instructor.dashboard", self.KEY)
            assert not has_studio_read_access(user, self.KEY)
        superuser = make_user(is_superuser=True)
        assert superuser.has_perm("instructor.dashboard", self.KEY)
        assert not has_studio_read_access(superuser, self.KEY)
        assert not make_user().has_perm("instructor.dashboard")

    def test_the_cms_does_not_know_the_lms_permissions(self) -> None:
        user = make_user(is_staff=True)
        assert not user.has_perm("instructor.dashboard", self.KEY)

    def test_nobody_sees_a_ccx_in_studio(self) -> None:
        ccx = CourseKey.from_string("ccx-v1:Org+Course+Run+ccx@1")
        assert not has_studio_read_access(make_user(is_staff=True), ccx)

    def test_a_user_object_remembers_its_roles(self) -> None:
        user = make_user()
        assert not CourseStaffRole(self.KEY).has_user(user)
        CourseAccessRole.objects.create(user=user, role="staff", course_id=self.KEY, org="Org")
        assert not CourseStaffRole(self.KEY).has_user(user)
        assert CourseStaffRole(self.KEY).has_user(type(user).objects.get(pk=user.pk))
        CourseStaffRole(self.KEY).remove_users(user)
        assert not CourseStaffRole(self.KEY).has_user(user)

    def test_read_only_means_everybody(self) -> None:
        permission, learner = IsStaffOrReadOnly(), make_user()
        enrollment = make_enrollment(course_key=self.KEY)
        for method, allowed in (("get", True), ("post", False)):
            request = getattr(RequestFactory(), method)("/")
            request.user = learner
            assert permission.has_object_permission(request, None, enrollment) is allowed
            assert permission.has_permission(request, None)


PROBE = {
    "probe/__init__.py": "",
    "probe/apps.py": """
from django.apps import AppConfig
kinds = {kind: {"relative_path": f"settings.{kind}"} for kind in ("common", "production")}
receiver = {"receiver_func_name": "heard", "signal_path": "xmodule.modulestore.django.COURSE_PUBLISHED"}
class ProbeConfig(AppConfig):
    name = "probe"
    plugin_app = {
        "settings_config": {"lms.djangoapp": kinds, "cms.djangoapp": kinds},
        "signals_config": {"cms.djangoapp": {"relative_path": "signals", "receivers": [receiver]}},
        "url_config": {"lms.djangoapp": {"namespace": "probe", "regex": "^probe/"}},
    }
""",
    "probe/signals.py": "def heard(sender, course_key, **kwargs):\n    print('heard', sender.__name__, course_key)\n",
    "probe/urls.py": "urlpatterns = []\n",
    "probe/settings/__init__.py": "",
    "probe/settings/common.py": """
def plugin_settings(settings):
    settings.A = settings.B = settings.C = "common"
    settings.SEEN = ["common", hasattr(settings, "ENV_TOKENS")]
    settings.MAKO_TEMPLATE_DIRS_BASE.append("probe/templates")
""",
    "probe/settings/production.py": """
def plugin_settings(settings):
    settings.SEEN += ["production", settings.A, settings.ENV_TOKENS["A"]]
    settings.B = settings.C = "production"
""",
    "probe-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 1\n",
    "probe-1.dist-info/entry_points.txt": """
[lms.djangoapp]
probe = probe.apps:ProbeConfig
[cms.djangoapp]
probe = probe.apps:ProbeConfig
""",
}

REPORT = """
import django, importlib, json, os
from django.conf import settings
django.setup()
from django.urls import get_resolver
from xmodule.modulestore.django import modulestore
from opaque_keys.edx.keys import CourseKey
key = CourseKey.from_string("course-v1:A+B+C")
modulestore().signal_handler.send("course_published", course_key=key)
variant = importlib.import_module(settings.SERVICE_VARIANT + ".celery")
print(json.dumps({
    "values": [settings.A, settings.B, settings.C],
    "seen": settings.SEEN,
    "features": settings.FEATURES,
    "mako": settings.MAKO_TEMPLATE_DIRS_BASE.count("probe/templates"),
    "apps": [app for app in settings.INSTALLED_APPS if app in ("probe.apps.ProbeConfig", "lms.djangoapps.ccx")],
    "namespaces": "probe" in get_resolver().namespace_dict,
    "queue": variant.APP.conf.task_default_queue,
}))
"""


class TestSettings:
    @pytest.mark.parametrize("variant", ["lms", "cms"])
    def test_the_order_in_which_plugins_operators_and_tutor_have_their_say(self, variant: str, tmp_path: Path) -> None:
        files = {
            **PROBE,
            "tokens.yml": "A: token\nB: token\nFEATURES: {PROBE: true}\nCUSTOM_COURSES_EDX: false\n",
            "tutor.json": '{"C": "tutor"}',
        }
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [tmp_path, REPOSITORY / "test_utils/edx_platform", REPOSITORY])),
            "DJANGO_SETTINGS_MODULE": f"{variant}.envs.standin",
            "STANDIN_DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "STANDIN_ENV_TOKENS": str(tmp_path / "tokens.yml"),
            "STANDIN_TUTOR_SETTINGS": str(tmp_path / "tutor.json"),
        }
        result = subprocess.run(
            [sys.executable, "-c", REPORT], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert result.returncode == 0, result.stderr
        *heard, report = result.stdout.splitlines()

        assert json.loads(report) == {
            "values": ["token", "production", "tutor"],
            "seen": ["common", False, "production", "token", "token"],
            "features": {"PREVENT_CONCURRENT_LOGINS": True, "PROBE": True},
            "mako": 1,
            "apps": ["probe.apps.ProbeConfig"],
            "namespaces": variant == "lms",
            "queue": f"edx.{variant}.core.default",
        }
        assert heard == (["heard InMemoryModuleStore course-v1:A+B+C"] if variant == "cms" else [])

    def test_these_tests_run_as_the_cms(self, client: Client) -> None:
        assert django_settings.SERVICE_VARIANT == "cms"
        assert celery.current_app.conf.task_default_queue == "edx.cms.core.default"
        assert client.get("/heartbeat").json() == {"status": "OK"}

    @pytest.mark.usefixtures("lms")
    def test_a_test_may_run_as_the_lms(self) -> None:
        assert (django_settings.SERVICE_VARIANT, get_resolver().urlconf_name) == ("lms", "lms.urls")
        assert make_user(is_staff=True).has_perm("instructor.dashboard", make_course_key())

    def test_inactive_users_may_log_in(self, client: Client) -> None:
        user = make_user(is_active=False)
        client.force_login(user)
        assert get_user(client) == user

    def test_the_database_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STANDIN_DATABASE_URL", "mysql://me:p%40ss@127.0.0.1:3307/edx")
        database = databases()["default"]
        assert {name: database[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME", "ATOMIC_REQUESTS")} == {
            "USER": "me",
            "PASSWORD": "p@ss",
            "HOST": "127.0.0.1",
            "PORT": 3307,
            "NAME": "edx",
            "ATOMIC_REQUESTS": True,
        }
        monkeypatch.setenv("STANDIN_DATABASE_URL", "oracle://x")
        with pytest.raises(ValueError, match="'oracle'"):
            databases()


class TestDemo:
    def test_the_demo_is_loaded_once_and_sends_no_signal(
        self, store: InMemoryModuleStore, listen: Callable[..., list[Any]]
    ) -> None:
        published = listen(lambda **_: True, COURSE_PUBLISHED)
        assert load_demo(course_only=True).learners == 0
        demo = load_demo()

        assert demo.blocks >= 150
        assert demo.learners == 500 + 1  # and the coach
        assert min(demo.enrollments, demo.external_ids) > 400
        assert min(demo.tags, demo.object_tags) > 60
        assert not published
        assert store.get_course(demo.vanished_course_key) is None
        assert CourseOverview.objects.filter(id=demo.vanished_course_key).exists()

        store.clear()  # as in another process
        assert load_demo() == demo

    def test_the_demo_has_difficult_values_of_every_kind(self, store: InMemoryModuleStore) -> None:
        demo = load_demo()
        learners = {row["username"]: row for row in read_learners()}
        profiles = UserProfile.objects.filter(user__username__in=learners).select_related("user")
        names = {profile.name for profile in profiles}
        assert all(profile.name == learners[profile.user.username]["profile"]["name"] for profile in profiles)
        assert {"", "NULL", "\\N", "\\", '"', "line one\nline two", "tab\there", "a" * 255, "שרה כהן"} <= names
        assert any("\u200d" in name for name in names)
        metas = [profile.meta for profile in profiles]
        assert any("session_id" in meta and not _is_json(meta) for meta in metas)
        assert any("session_id" in meta and _is_json(meta) for meta in metas)

        blocks = store.get_items(demo.course_key)
        assert any(not hasattr(block, "edited_on") for block in blocks)
        assert {True, False} == {block.graded for block in blocks}
        assert any(len(block.children) > len(block.get_children()) for block in blocks)
        assert {block.category for block in blocks} >= {"problem", "video", "discussion", *DETACHED_XBLOCK_TYPES}
        assert max(len(row.get_lineage()) for row in factories.ObjectTag.objects.all()) >= 4


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
