"""Accounts: what a rename, a login and a deletion do to the rows that name the learner."""

from __future__ import annotations

from typing import Any

import pytest
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User, update_last_login
from django.test import Client
from openedx.core.djangoapps.external_user_ids.models import ExternalId
from openedx.core.djangoapps.user_api.models import UserPreference

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import triggers
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.compare import compare
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.sinks import ExternalIdSink, ModelBaseSink, Selection, UserProfileSink
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.sinks.registry import sinks
from platform_plugin_aspects.tests.conftest import latest, rows
from test_utils import factories, retirement
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_on")]

TABLES = ("user_profile", "external_id", "course_enrollment")


def learner(name: str) -> User:
    """A learner with a row in each table."""
    user = factories.make_user(name)
    factories.make_external_id(user)
    factories.make_enrollment(user)
    deliver_all()
    return user


def deliver_all() -> None:
    for name in sinks():
        assert deliver_changes(name).status == "delivered"
    assert not Change.objects.exists()


def names_in(clickhouse: ClickHouse, table: str) -> list[str]:
    """The usernames in a table, one per row."""
    return [row["username"] for row in rows(clickhouse, table)]


def test_a_rename_reaches_all_that_names_the_learner(clickhouse: ClickHouse) -> None:
    user = learner("former_name")
    user.username = "another_name"
    user.save()
    deliver_all()
    for table in TABLES:
        assert names_in(clickhouse, table) == ["former_name", "another_name"]
        assert compare(sinks()[table]()).equal  # type: ignore[arg-type]


def test_a_new_account_is_written_once(clickhouse: ClickHouse) -> None:
    user = User.objects.create(username="new", email="new@example.invalid")
    assert not Change.objects.exists()
    UserProfile.objects.create(user=user, name="New")
    assert list(Change.objects.values_list("sink", flat=True)) == ["user_profile"]


@pytest.mark.parametrize("fields", [["last_login"], ["password"], ["last_login", "password"], []])
def test_fields_that_a_login_saves_make_no_row(fields: list[str]) -> None:
    user = factories.make_user()
    factories.make_external_id(user)
    Change.objects.all().delete()
    user.save(update_fields=fields)
    assert not Change.objects.exists()


@pytest.mark.parametrize("fields", [["username"], ["last_login", "email"], ["first_name"], None])
def test_other_saves_of_an_account_make_rows(fields: list[str] | None) -> None:
    user = factories.make_user()
    Change.objects.all().delete()
    user.save(update_fields=fields)
    assert list(Change.objects.values_list("sink", "object_id")) == [("user_profile", str(user.profile.pk))]


def test_a_login_makes_no_row(settings: Any, client: Client) -> None:
    settings.FEATURES = {**settings.FEATURES, "PREVENT_CONCURRENT_LOGINS": False}
    user = factories.make_user()
    Change.objects.all().delete()
    client.force_login(user)
    update_last_login(None, user)
    assert User.objects.get(pk=user.pk).last_login is not None
    assert not Change.objects.exists()


def test_nothing_of_a_deleted_user_is_left(clickhouse: ClickHouse) -> None:
    leaving, _staying = learner("leaving"), learner("staying")
    leaving.delete()
    deliver_all()
    for table in TABLES:
        assert names_in(clickhouse, table) == ["staying"]
        assert compare(sinks()[table]()).equal  # type: ignore[arg-type]


def test_former_rows_go_with_a_deleted_user_from_every_table_of_personal_data(
    clickhouse: ClickHouse, settings: Any
) -> None:
    """Also from tables of others, which hold no object that is deleted with the user."""
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["user_profile", "notes"]
    table = clickhouse.qualified("notes")
    clickhouse.command(f"CREATE TABLE {table} (user_id UInt64, note String) ENGINE = MergeTree ORDER BY user_id")
    user = learner("leaving")
    clickhouse.command(f"INSERT INTO {table} VALUES ({user.pk}, 'mine'), ({user.pk + 1}, 'of another')")
    user.delete()
    deliver_all()
    assert clickhouse.select(f"SELECT note FROM {table}") == [("of another",)]


def test_where_the_retirement_is_off_the_objects_rows_go_all_the_same(clickhouse: ClickHouse, settings: Any) -> None:
    user = learner("leaving")
    settings.EVENT_SINK_CLICKHOUSE_AUTH_USER_ENABLED = False
    user.delete()
    for name in TABLES:
        deliver_changes(name)
        assert rows(clickhouse, name) == []


@pytest.mark.parametrize("sink_class", [UserProfileSink, ExternalIdSink])
def test_rows_of_a_user_deleted_between_reading_and_writing_are_deleted(
    clickhouse: ClickHouse, sink_class: type[ModelBaseSink]
) -> None:
    leaving, staying = factories.make_user("leaving"), factories.make_user("staying")
    for user in (leaving, staying):
        factories.make_external_id(user)

    class Slow(sink_class):  # type: ignore[misc, valid-type]
        def insert_encoded(self, packs: Any) -> None:
            if User.objects.filter(pk=leaving.pk).exists():
                leaving.delete()
                deliver_all()
            super().insert_encoded(packs)

        writes_only_to_clickhouse = False

    backfill(Slow(), Walk(), Summary())
    assert set(names_in(clickhouse, sink_class.name)) == {"staying"}


def test_the_deletion_of_an_external_id_leaves_the_learners_others(clickhouse: ClickHouse) -> None:
    user = learner("the_learner")
    other = factories.make_external_id(user, "lti")
    deliver_all()
    ExternalId.objects.get(user=user, external_id_type__name="xapi").delete()
    deliver_all()
    assert list(latest(clickhouse, "external_id", "external_user_id")) == [str(other.external_user_id)]


def test_an_external_id_that_is_there_again_stays(clickhouse: ClickHouse) -> None:
    external_id = factories.make_external_id()
    again = ExternalId(external_user_id=external_id.external_user_id, external_id_type=external_id.external_id_type)
    again.user = external_id.user
    external_id.delete()
    again.save()
    deliver_all()
    assert list(latest(clickhouse, "external_id", "external_user_id")) == [str(again.external_user_id)]


def test_the_rows_of_thousands_go_over_http(clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint) -> None:
    """ClickHouse takes 128 KiB of text per parameter, which is 3,276 UUIDs; its endpoint here half of that."""
    table = clickhouse.qualified("external_id")
    clickhouse.command(
        f"INSERT INTO {table} SELECT generateUUIDv4(), 'xapi', '', 1, generateUUIDv4(), '' FROM numbers(5000)"
    )
    keys = [key for (key,) in clickhouse.select(f"SELECT external_user_id FROM {table} ORDER BY external_user_id")]
    ExternalIdSink().delete(keys[1:])
    assert list(clickhouse.select(f"SELECT external_user_id FROM {table}")) == [(keys[0],)]


def test_keys_of_external_ids() -> None:
    sink = ExternalIdSink()
    external_id = factories.make_external_id()
    by_uuid = sink.parse_key(str(external_id.external_user_id))
    assert sink.parse_key("12") == 12
    assert sink.read(Selection(keys=[by_uuid])).keys == []
    assert sink.read(Selection(keys=[by_uuid, external_id.pk])).keys == [external_id.pk]
    with pytest.raises(ValueError, match="'no uuid' is not a key of external_id"):
        sink.parse_key("no uuid")


def test_enrollments_of_retired_learners_have_the_retired_name_where_they_are_no_personal_data(
    clickhouse: ClickHouse,
) -> None:
    user = learner("the_learner")
    retirement.retire(user)
    deliver_all()
    names = names_in(clickhouse, "course_enrollment")
    assert names[0] == "the_learner"
    assert names[-1] == User.objects.get(pk=user.pk).username
    assert names[-1].startswith("retired__user_")


def test_every_enrollment_that_is_deleted_takes_its_rows_along(clickhouse: ClickHouse) -> None:
    user = learner("the_learner")
    enrollment = CourseEnrollment.enroll(user, factories.make_course_key())
    enrollment.change_mode("verified")
    deliver_all()
    CourseEnrollment.objects.filter(pk=enrollment.pk).delete()
    deliver_all()
    (kept,) = CourseEnrollment.objects.all()
    assert {row["id"] for row in rows(clickhouse, "course_enrollment")} == {kept.pk}


class PreferenceSink(ModelBaseSink):
    """A third party's sink that names the learner."""

    name = "preference"
    model = "user_preference"
    columns = (Column("id", "Int32"), Column("email", "String", Value("user__email"), personal=True))
    learner = "user_id"


class UnnamedSink(PreferenceSink):
    """A third party's sink that does not name the learner."""

    columns = (Column("id", "Int32"),)


@pytest.mark.parametrize(("sink", "recorded"), [(PreferenceSink, 1), (UnnamedSink, 0)])
def test_a_third_partys_rows_that_name_the_learner_follow_a_rename(
    settings: Any, sink: type[ModelBaseSink], recorded: int
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{__name__}.{sink.__name__}"]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    user = factories.make_user()
    preference = UserPreference.objects.create(user=user, key="pref-lang", value="sw")
    added = [trigger for trigger in triggers.all_triggers() if trigger.sink == "preference"]
    triggers.connect(added)
    try:
        user.save()
    finally:
        for each in added:
            for sender in triggers.senders(each):
                assert edx_platform.get_signal(each.signal).disconnect(sender=sender, dispatch_uid=each.uid)  # type: ignore[union-attr]
    changes = list(Change.objects.filter(sink="preference").values_list("object_id", flat=True))
    assert changes == [str(preference.pk)] * recorded
