"""Triggers: each change on the platform is recorded, reaches ClickHouse, and never breaks the platform."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from openedx.core.djangoapps.content_tagging.api import delete_object_tags, resync_object_tags
from openedx.core.djangoapps.external_user_ids.models import ExternalId
from openedx_events.content_authoring.data import ContentObjectChangedData
from openedx_events.content_authoring.signals import CONTENT_OBJECT_ASSOCIATIONS_CHANGED
from waffle.testutils import override_flag
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox, triggers
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.delivery.triggers import TRIGGERS, Trigger
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import ModelBaseSink, Selection, TaxonomySink
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.broker import Broker
from platform_plugin_aspects.tests.conftest import latest
from test_utils import factories, retirement

pytestmark = pytest.mark.usefixtures("empty_store")

COURSE = "course-v1:Org+Course+signals"
PLUGIN_LOG = "platform_plugin_aspects"


def changes() -> set[tuple[str, str]]:
    return set(Change.objects.values_list("sink", "object_id"))


def deliver_all() -> None:
    """Deliver all pending changes, and the dependents that this records."""
    for _ in range(len(sinks())):
        for name in Change.objects.values_list("sink", flat=True).distinct().order_by():
            assert deliver_changes(name).status == "delivered"
    assert not Change.objects.exists()


def backfill() -> None:
    """Write everything that exists to ClickHouse, so that a test sees later changes only."""
    for sink in sinks().values():
        if sink.has_objects:
            outbox.record(sink.name, sink().read(Selection()).keys)
    deliver_all()


@contextmanager
def only(trigger: Trigger | None) -> Iterator[None]:
    """Connect one line of the table and no other."""
    senders = [(each, edx_platform.get_signal(each.signal)) for each in TRIGGERS]
    for each, signal in senders:
        for sender in triggers.senders(each):
            assert signal.disconnect(sender=sender, dispatch_uid=each.uid)
    try:
        if trigger is not None:
            triggers.connect([trigger])
        yield
    finally:
        triggers.connect()


@dataclass
class Seen:
    """The expected rows of ClickHouse: the values of the row of ``key``, or no row."""

    table: str
    key: Any
    values: dict[str, Any] | None
    key_column: str = "id"


# Each of these prepares something, yields, does the real thing, and yields what must be seen. The preparation has
# been written to ClickHouse when the case continues.
Case = Callable[[], Iterator[Seen | None]]


def enrolls() -> Iterator[Seen | None]:
    user = factories.make_user()
    yield None
    enrollment = CourseEnrollment.enroll(user, factories.make_course_key())
    yield Seen("course_enrollment", enrollment.pk, {"is_active": True, "mode": "audit", "user_id": user.pk})


def _enrolled(**columns: Any) -> CourseEnrollment:
    return factories.make_enrollment(**columns)


def unenrolls() -> Iterator[Seen | None]:
    enrollment = _enrolled()
    yield None
    CourseEnrollment.unenroll(enrollment.user, enrollment.course_id)
    yield Seen("course_enrollment", enrollment.pk, {"is_active": False})


def changes_mode() -> Iterator[Seen | None]:
    enrollment = _enrolled(mode="audit")
    yield None
    enrollment.change_mode("verified")
    yield Seen("course_enrollment", enrollment.pk, {"mode": "verified", "is_active": True})


def activates() -> Iterator[Seen | None]:
    enrollment = _enrolled(is_active=False)
    yield None
    enrollment.activate()
    yield Seen("course_enrollment", enrollment.pk, {"is_active": True})


def publishes() -> Iterator[Seen | None]:
    key = factories.make_course(COURSE)
    yield None
    modulestore().edit_course(key, display_name="Another name")
    factories.publish_course(key)
    yield Seen("course_overviews", COURSE, {"display_name": "Another name"}, "course_key")


def _tagged_course(object_id: str) -> Any:
    factories.make_course(COURSE)
    tag = factories.make_tag(value="Mars")
    factories.make_object_tag(object_id, tag)
    return tag


def _tags(*ids: int) -> str:
    return '"tags": [' + ", ".join(map(str, ids)) + "]}"


def tags_course() -> Iterator[Seen | None]:
    factories.make_course(COURSE)
    tag = factories.make_tag(value="Mars")
    yield None
    factories.tag_object(COURSE, tag.taxonomy, "Mars")
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags(tag.pk)}, "course_key")


def tags_block() -> Iterator[Seen | None]:
    key = factories.make_course(COURSE)
    block = str(key.make_usage_key("html", "html_4"))
    tag = factories.make_tag(value="Mars")
    yield None
    factories.tag_object(block, tag.taxonomy, "Mars")
    yield Seen("course_blocks", block, {"xblock_data_json": _tags(tag.pk)}, "location")


def untags_course() -> Iterator[Seen | None]:
    tag = _tagged_course(COURSE)
    yield None
    factories.tag_object(COURSE, tag.taxonomy)
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags()}, "course_key")


def clears_tags_of_course() -> Iterator[Seen | None]:
    _tagged_course(COURSE)
    yield None
    delete_object_tags(COURSE)
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags()}, "course_key")


def clears_tags_of_block() -> Iterator[Seen | None]:
    block = f"{COURSE.replace('course', 'block', 1)}+type@html+block@html_4"
    _tagged_course(block)
    yield None
    delete_object_tags(block)
    yield Seen("course_blocks", block, {"xblock_data_json": _tags()}, "location")


def resyncs_tags_of_course() -> Iterator[Seen | None]:
    """A tag that comes back with an import finds the content that it was on."""
    tag = _tagged_course(COURSE)
    taxonomy = tag.taxonomy
    tag.delete()
    yield None
    again = factories.make_tag(taxonomy, "Mars")
    resync_object_tags()
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags(again.pk)}, "course_key")


def moves_tag_of_course() -> Iterator[Seen | None]:
    leaf = _tagged_course(COURSE)
    root = factories.make_tag(leaf.taxonomy, "Planets")
    yield None
    leaf.parent = root
    leaf.save()
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags(leaf.pk, root.pk)}, "course_key")


def moves_tag_above() -> Iterator[Seen | None]:
    root, branch, leaf = factories.make_tag_branch("Sky", "Planets", "Mars")
    factories.make_course(COURSE)
    factories.make_object_tag(COURSE, leaf)
    yield None
    branch.parent = None
    branch.save()
    assert root.pk is not None
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags(leaf.pk, branch.pk)}, "course_key")


def deletes_tag_on_course() -> Iterator[Seen | None]:
    tag = _tagged_course(COURSE)
    yield None
    tag.delete()
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags()}, "course_key")


def deletes_taxonomy_of_course() -> Iterator[Seen | None]:
    tag = _tagged_course(COURSE)
    yield None
    tag.taxonomy.delete()
    yield Seen("course_overviews", COURSE, {"course_data_json": _tags()}, "course_key")


def saves_profile() -> Iterator[Seen | None]:
    profile = factories.make_user().profile
    yield None
    profile.city = "Ōsaka"
    profile.save()
    yield Seen("user_profile", profile.pk, {"city": "Ōsaka", "username": profile.user.username})


def logs_in() -> Iterator[Seen | None]:
    profile = factories.make_user(profile={"meta": '{"a": 1}'}).profile
    yield None
    profile.set_login_session("the-session-key")
    yield Seen("user_profile", profile.pk, {"meta": '{"a": 1}'})


def gets_external_id() -> Iterator[Seen | None]:
    user = factories.make_user()
    factories.make_external_id_type("xapi")
    yield None
    external_id, _new = ExternalId.add_new_user_id(user, "xapi")
    values = {"user_id": user.pk, "external_id_type": "xapi"}
    yield Seen("external_id", str(external_id.external_user_id), values, "external_user_id")


def saves_enrollment() -> Iterator[Seen | None]:
    """As the admin does: no event."""
    enrollment = _enrolled(mode="audit")
    yield None
    enrollment.mode = "verified"
    enrollment.save()
    yield Seen("course_enrollment", enrollment.pk, {"mode": "verified", "is_active": True})


def deletes_enrollment() -> Iterator[Seen | None]:
    enrollment = _enrolled()
    pk = enrollment.pk
    yield None
    enrollment.delete()
    yield Seen("course_enrollment", pk, None)


def _rename(user: User) -> None:
    """As UsernameReplacement and the admin do: the user is saved, and nothing else."""
    user.username, user.email = "another_name", "another@example.invalid"
    user.save()


def renames_user_with_profile() -> Iterator[Seen | None]:
    user = factories.make_user("former_name")
    yield None
    _rename(user)
    values = {"username": "another_name", "email": "another@example.invalid", "user_id": user.pk}
    yield Seen("user_profile", user.profile.pk, values)


def renames_user_with_external_id() -> Iterator[Seen | None]:
    external_id = factories.make_external_id(factories.make_user("former_name"))
    yield None
    _rename(external_id.user)
    values = {"username": "another_name", "external_id_type": "xapi"}
    yield Seen("external_id", str(external_id.external_user_id), values, "external_user_id")


def renames_user_with_enrollment() -> Iterator[Seen | None]:
    enrollment = factories.make_enrollment(factories.make_user("former_name"))
    yield None
    _rename(enrollment.user)
    yield Seen("course_enrollment", enrollment.pk, {"username": "another_name", "mode": "audit"})


def deletes_profile() -> Iterator[Seen | None]:
    profile = factories.make_user().profile
    pk = profile.pk
    yield None
    profile.delete()
    yield Seen("user_profile", pk, None)


def deletes_external_id() -> Iterator[Seen | None]:
    external_id = factories.make_external_id()
    key = str(external_id.external_user_id)
    yield None
    external_id.delete()
    yield Seen("external_id", key, None, "external_user_id")


def deletes_user_with_profile() -> Iterator[Seen | None]:
    user = factories.make_user()
    pk = user.profile.pk
    yield None
    user.delete()
    yield Seen("user_profile", pk, None)


def deletes_user_with_external_id() -> Iterator[Seen | None]:
    external_id = factories.make_external_id()
    yield None
    external_id.user.delete()
    yield Seen("external_id", str(external_id.external_user_id), None, "external_user_id")


def deletes_user_with_enrollment() -> Iterator[Seen | None]:
    enrollment = _enrolled()
    pk = enrollment.pk
    yield None
    enrollment.user.delete()
    yield Seen("course_enrollment", pk, None)


def renames_taxonomy() -> Iterator[Seen | None]:
    taxonomy = factories.make_taxonomy()
    yield None
    taxonomy.name = "Planets"
    taxonomy.save()
    yield Seen("taxonomy", taxonomy.pk, {"name": "Planets"})


def deletes_taxonomy() -> Iterator[Seen | None]:
    taxonomy = factories.make_taxonomy()
    pk = taxonomy.pk
    yield None
    taxonomy.delete()
    yield Seen("taxonomy", pk, None)


def renames_tag() -> Iterator[Seen | None]:
    root, _leaf = factories.make_tag_branch("Mars", "Phobos")
    yield None
    root.value = "Ares"
    root.save()
    yield Seen("tag", root.pk, {"value": "Ares", "lineage": '["Ares"]'})


def renames_tag_above() -> Iterator[Seen | None]:
    root, leaf = factories.make_tag_branch("Mars", "Phobos")
    yield None
    root.value = "Ares"
    root.save()
    yield Seen("tag", leaf.pk, {"value": "Phobos", "lineage": '["Ares", "Phobos"]'})


def renames_tag_of_object() -> Iterator[Seen | None]:
    root, leaf = factories.make_tag_branch("Mars", "Phobos")
    object_tag = factories.make_object_tag(COURSE, leaf)
    yield None
    root.value = "Ares"
    root.save()
    yield Seen("object_tag", object_tag.pk, {"lineage": '["Ares", "Phobos"]'})


def deletes_tag() -> Iterator[Seen | None]:
    root, leaf = factories.make_tag_branch("Mars", "Phobos")
    pk = leaf.pk
    yield None
    root.delete()
    yield Seen("tag", pk, None)


def puts_tag_on_object() -> Iterator[Seen | None]:
    tag = factories.make_tag(value="Mars")
    yield None
    object_tag = factories.make_object_tag(COURSE, tag)
    yield Seen("object_tag", object_tag.pk, {"object_id": COURSE, "tag": tag.pk, "lineage": '["Mars"]'})


def takes_tag_from_object() -> Iterator[Seen | None]:
    object_tag = factories.make_object_tag(COURSE, factories.make_tag(value="Mars"))
    pk = object_tag.pk
    yield None
    object_tag.delete()
    yield Seen("object_tag", pk, None)


def deletes_tag_of_object() -> Iterator[Seen | None]:
    tag = factories.make_tag(value="Mars")
    object_tag = factories.make_object_tag(COURSE, tag)
    yield None
    tag.delete()
    yield Seen("object_tag", object_tag.pk, {"tag": 0, "_value": "Mars"})


def deletes_taxonomy_of_object() -> Iterator[Seen | None]:
    taxonomy = factories.make_taxonomy(free_text=True)
    object_tag = factories.make_object_tag(COURSE, taxonomy=taxonomy, value="free")
    yield None
    taxonomy.delete()
    yield Seen("object_tag", object_tag.pk, {"taxonomy": 0, "_value": "free"})


def retires() -> Iterator[Seen | None]:
    user = factories.make_user()
    profile = user.profile.pk
    yield None
    retirement.request_retirement(user)
    retirement.retire_misc(user)
    yield Seen("user_profile", profile, None)


# One entry per line of TRIGGERS, by the last part of the signal's name, the sink, and the sender.
CASES: dict[tuple[str, str, str], tuple[Case, ...]] = {
    ("COURSE_PUBLISHED", "course_overviews", ""): (publishes,),
    ("CONTENT_OBJECT_ASSOCIATIONS_CHANGED", "course_overviews", ""): (tags_course, tags_block, untags_course),
    ("CONTENT_OBJECT_TAGS_CHANGED", "course_overviews", ""): (tags_course, tags_block, untags_course),
    ("post_save", "course_overviews", "object_tag"): (tags_course, tags_block, resyncs_tags_of_course),
    ("post_delete", "course_overviews", "object_tag"): (
        untags_course,
        clears_tags_of_course,
        clears_tags_of_block,
    ),
    ("pre_save", "course_overviews", "tag"): (moves_tag_of_course, moves_tag_above),
    ("pre_delete", "course_overviews", "tag"): (deletes_tag_on_course, deletes_taxonomy_of_course),
    ("ENROLL_STATUS_CHANGE", "course_enrollment", ""): (enrolls, unenrolls),
    ("COURSE_ENROLLMENT_CREATED", "course_enrollment", ""): (enrolls,),
    ("COURSE_ENROLLMENT_CHANGED", "course_enrollment", ""): (enrolls, unenrolls, changes_mode, activates),
    ("COURSE_UNENROLLMENT_COMPLETED", "course_enrollment", ""): (unenrolls,),
    ("post_save", "course_enrollment", "course_enrollment"): (saves_enrollment, enrolls, unenrolls, changes_mode),
    ("post_delete", "course_enrollment", "course_enrollment"): (deletes_enrollment, deletes_user_with_enrollment),
    ("post_save", "course_enrollment", "auth_user"): (renames_user_with_enrollment,),
    ("post_save", "user_profile", "user_profile"): (saves_profile, logs_in),
    ("post_delete", "user_profile", "user_profile"): (deletes_profile, deletes_user_with_profile),
    ("post_save", "user_profile", "auth_user"): (renames_user_with_profile,),
    ("post_save", "external_id", "external_id"): (gets_external_id,),
    ("post_delete", "external_id", "external_id"): (deletes_external_id, deletes_user_with_external_id),
    ("post_save", "external_id", "auth_user"): (renames_user_with_external_id,),
    ("post_delete", "auth_user", "auth_user"): (deletes_user_with_profile, deletes_user_with_external_id),
    ("post_save", "taxonomy", "taxonomy"): (renames_taxonomy,),
    ("post_delete", "taxonomy", "taxonomy"): (deletes_taxonomy,),
    ("post_save", "tag", "tag"): (renames_tag, renames_tag_above, renames_tag_of_object),
    ("post_delete", "tag", "tag"): (deletes_tag,),
    ("post_save", "object_tag", "object_tag"): (puts_tag_on_object,),
    ("post_delete", "object_tag", "object_tag"): (takes_tag_from_object,),
    ("pre_delete", "object_tag", "tag"): (deletes_tag_of_object,),
    ("pre_delete", "object_tag", "taxonomy"): (deletes_taxonomy_of_object,),
    ("USER_RETIRE_LMS_MISC", "auth_user", ""): (retires,),
}


def line(trigger: Trigger) -> tuple[str, str, str]:
    return trigger.signal.rsplit(".", 1)[-1], trigger.sink, trigger.sender


def _matches(found: Any, expected: Any) -> bool:
    return expected in found if isinstance(expected, str) and expected.startswith('"tags"') else found == expected


def test_every_trigger_has_cases() -> None:
    assert set(CASES) == {line(trigger) for trigger in TRIGGERS}
    assert len(TRIGGERS) == len(CASES)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("trigger", "case"),
    [
        pytest.param(trigger, case, id="-".join(filter(None, [*line(trigger), case.__name__])))
        for trigger in TRIGGERS
        for case in CASES.get(line(trigger), ())
    ],
)
def test_each_trigger_leads_to_rows(all_on: None, clickhouse: ClickHouse, trigger: Trigger, case: Case) -> None:
    """By that line of the table alone."""
    steps = case()
    with only(None):
        next(steps)
        backfill()
    with only(trigger):
        seen = next(steps)
    assert seen is not None
    assert {sink for sink, _object_id in changes()} == {trigger.sink}
    deliver_all()
    row = latest(clickhouse, seen.table, seen.key_column).get(seen.key)
    if seen.values is None:
        assert row is None
    else:
        assert row is not None
        assert {name: row[name] for name, value in seen.values.items() if not _matches(row[name], value)} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("case", sorted({case for cases in CASES.values() for case in cases}, key=lambda c: c.__name__))
def test_nothing_is_recorded_while_all_sinks_are_off(case: Case) -> None:
    for _ in case():
        pass
    assert changes() == set()


@pytest.mark.django_db
def test_a_waffle_flag_for_everyone_records() -> None:
    profile = factories.make_user().profile
    with override_flag("event_sink_clickhouse.user_profile.enabled", active=True):
        profile.save()
    assert changes() == {("user_profile", str(profile.pk))}


@pytest.mark.django_db
def test_a_tag_saved_as_a_system_defined_taxonomys_is_recorded_too(all_on: None) -> None:
    """Models of openedx_tagging are also saved as their proxies, which send signals of their own."""
    from openedx_tagging.models.system_defined import SystemDefinedTaxonomy

    taxonomy = factories.make_taxonomy()
    Change.objects.all().delete()
    cast = SystemDefinedTaxonomy.objects.get(pk=taxonomy.pk)
    cast.save()
    assert changes() == {("taxonomy", str(taxonomy.pk))}
    Change.objects.all().delete()
    pk = cast.pk
    cast.delete()
    assert changes() == {("taxonomy", str(pk))}


@pytest.mark.django_db
def test_a_tag_that_stays_where_it_is_makes_no_course_be_written(all_on: None) -> None:
    root, leaf = factories.make_tag_branch("Mars", "Phobos")
    factories.make_object_tag(COURSE, leaf)
    Change.objects.all().delete()
    for tag in (root, leaf):
        tag.value += " again"
        tag.save()
    factories.make_tag(parent=leaf)
    assert {sink for sink, _object_id in changes()} == {"tag"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "object_id",
    ["lib:Org:lib1", "lb:Org:lib1:html:block1", "library-v1:Org+lib1", "lib-collection:Org:lib1:c1", "nonsense", ""],
)
def test_content_that_is_in_no_course_is_ignored(all_on: None, object_id: str) -> None:
    with only(next(c for c in TRIGGERS if c.signal.endswith("CONTENT_OBJECT_ASSOCIATIONS_CHANGED"))):
        CONTENT_OBJECT_ASSOCIATIONS_CHANGED.send_event(
            content_object=ContentObjectChangedData(object_id=object_id, changes=["tags"])
        )
    assert changes() == set()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "recorded"), [(["tags"], True), ([], True), (["collections", "tags"], True), (["collections"], False)]
)
def test_only_changed_tags_make_the_course_be_written(all_on: None, changed: list[str], recorded: bool) -> None:
    CONTENT_OBJECT_ASSOCIATIONS_CHANGED.send_event(
        content_object=ContentObjectChangedData(object_id=COURSE, changes=changed)
    )
    assert changes() == ({("course_overviews", COURSE)} if recorded else set())


class PreferenceSink(ModelBaseSink):
    """A third party's sink."""

    name = "preference"
    model = "user_preference"
    columns = TaxonomySink.columns[:1]
    deletes = True


class BrokenSink(PreferenceSink):
    """A third party's sink that fails wherever it can."""

    @classmethod
    def is_enabled(cls) -> bool:
        raise RuntimeError("this sink is broken")


@contextmanager
def extra(settings: Any, sink: type[ModelBaseSink]) -> Iterator[None]:
    """List a third party's sink in the settings and connect it, as at the start of the site."""
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.{sink.__name__}"]
    added = [trigger for trigger in triggers.all_triggers() if trigger not in TRIGGERS]
    triggers.connect(added)
    try:
        yield
    finally:
        for each in added:
            for sender in triggers.senders(each):
                assert edx_platform.get_signal(each.signal).disconnect(sender=sender, dispatch_uid=each.uid)


@pytest.mark.django_db
def test_saving_and_deleting_of_a_third_partys_model_is_recorded(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    with extra(settings, PreferenceSink):
        preference = factories.make_user().preferences.create(key="pref-lang", value="sw")
        pk = preference.pk
        assert changes() == {("preference", str(pk))}
        Change.objects.all().delete()
        preference.delete()
    assert changes() == {("preference", str(pk))}


@pytest.mark.django_db(transaction=True)
def test_a_broken_sink_breaks_no_save(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    with extra(settings, BrokenSink), transaction.atomic():
        factories.make_user().preferences.create(key="pref-lang", value="sw")
    assert User.objects.get().preferences.get().value == "sw"
    assert "this sink is broken" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_model_that_cannot_be_found_breaks_no_enrollment(
    all_on: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    user = factories.make_user()
    Change.objects.all().delete()
    config = settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {**config, "course_enrollment": {"module": "gone", "model": "Gone"}}
    enrollment = CourseEnrollment.enroll(user, factories.make_course_key())
    enrollment.change_mode("verified")
    assert CourseEnrollment.objects.get().mode == "verified"
    assert changes() == set()
    warnings = [record for record in caplog.records if record.name.startswith(PLUGIN_LOG)]
    assert [record.levelno for record in warnings] == [logging.WARNING]
    assert "course_enrollment" in warnings[0].getMessage()


@contextmanager
def without_table(model: Any) -> Iterator[None]:
    """Take a model's table away, as on a site that was updated and not migrated."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO taken_away")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE taken_away RENAME TO {table}")


@pytest.mark.django_db(transaction=True)
def test_a_missing_table_of_changes_loses_nothing_of_the_caller(all_on: None, caplog: pytest.LogCaptureFixture) -> None:
    profile = factories.make_user().profile
    Change.objects.all().delete()
    caplog.clear()
    with without_table(Change), transaction.atomic():
        profile.city = "before"
        profile.save()
        # The caller's transaction goes on.
        User.objects.filter(pk=profile.user_id).update(first_name="after")
    profile.refresh_from_db()
    assert (profile.city, profile.user.first_name) == ("before", "after")
    assert changes() == set()
    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith(PLUGIN_LOG)]
    assert "manage.py cms migrate platform_plugin_aspects" in message
    assert "dump_data_to_clickhouse --object user_profile" in message


class _Undo(Exception):
    pass


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction (or savepoint) that comes to nothing."""
    with suppress(_Undo), transaction.atomic():
        yield
        raise _Undo


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_that_is_broken_already_recording_is_silent(all_on: None) -> None:
    """The caller sees its own error, not one of ours."""
    profile = factories.make_user().profile
    Change.objects.all().delete()
    with rolled_back():
        transaction.set_rollback(True)
        outbox.record("user_profile", [profile.pk])
    assert changes() == set()


@pytest.fixture
def deadlocks() -> Iterator[None]:
    """Recording a change makes the database end the whole transaction, as a deadlock does on MySQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TRIGGER deadlock BEFORE INSERT ON platform_plugin_aspects_change "
            "BEGIN SELECT RAISE(ROLLBACK, 'deadlock'); END"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER deadlock")


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_while_recording_is_raised_to_the_caller(all_on: None, deadlocks: None) -> None:
    """Else the platform would answer that it has saved what the database has forgotten."""
    with pytest.raises(DatabaseError), transaction.atomic():
        factories.make_user("forgotten")
    assert not User.objects.filter(username="forgotten").exists()


@pytest.mark.django_db(transaction=True)
def test_a_change_shares_the_fate_of_the_transaction_that_made_it(all_on: None) -> None:
    broker = Broker()
    profile = factories.make_user().profile
    broker.work()
    Change.objects.all().delete()
    with rolled_back():
        profile.save()
        with transaction.atomic():
            profile.save()
        assert changes() == {("user_profile", str(profile.pk))}
    assert (changes(), broker.take()) == (set(), [])

    with transaction.atomic():
        profile.save()
        with rolled_back():
            factories.make_user()
        # Nothing is asked for before the commit.
        assert broker.take() == []
    assert changes() == {("user_profile", str(profile.pk))}
    assert broker.asked() == ["user_profile"]


def _save_profile(request: HttpRequest, outcome: str) -> HttpResponse:
    UserProfile.objects.get().save()
    assert not Broker().take()
    if outcome == "error":
        raise RuntimeError("the request fails after saving")
    return HttpResponse("saved")


urlpatterns = [path("save/<outcome>", _save_profile)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("outcome", "status", "recorded"), [("ok", 200, 1), ("error", 500, 0)])
def test_a_request_is_one_transaction(all_on: None, outcome: str, status: int, recorded: int) -> None:
    broker = Broker()
    profile = factories.make_user().profile
    broker.take()
    cache.clear()
    Change.objects.all().delete()
    assert connection.settings_dict["ATOMIC_REQUESTS"]
    response = Client(raise_request_exception=False).get(f"/save/{outcome}")
    assert response.status_code == status
    assert changes() == ({("user_profile", str(profile.pk))} if recorded else set())
    assert broker.asked() == ["user_profile"] * recorded


@pytest.mark.django_db
def test_an_enrollment_is_recorded_without_a_course_overview(all_on: None) -> None:
    with only(None):
        user = factories.make_user()
    enrollment = CourseEnrollment.enroll(user, factories.make_course_key())
    enrollment.change_mode("verified")
    CourseEnrollment.unenroll(user, enrollment.course_id)
    assert changes() == {("course_enrollment", str(enrollment.pk))}


@pytest.mark.django_db
def test_recording_again_and_connecting_twice_are_the_same_as_once(all_on: None) -> None:
    profile = factories.make_user().profile
    Change.objects.all().delete()
    triggers.connect()
    profile.save()
    assert Change.objects.count() == 1


@pytest.mark.django_db
def test_bulk_creation_sends_no_signal_and_needs_a_backfill(all_on: None) -> None:
    users = factories.make_many_users(3)
    factories.make_external_id_type("xapi")
    ExternalId.batch_get_or_create_user_ids(users, "xapi")
    assert changes() == set()


def test_recording_no_object_needs_no_database() -> None:
    outbox.record("user_profile", [])


@pytest.mark.django_db
def test_the_moment_of_recording_is_kept(all_on: None) -> None:
    earlier = datetime.now(UTC)
    profile = factories.make_user().profile
    (change,) = Change.objects.all()
    assert str(change) == f"user_profile {profile.pk}"
    assert earlier <= change.recorded_at <= datetime.now(UTC)
