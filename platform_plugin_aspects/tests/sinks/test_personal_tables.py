"""EVENT_SINK_CLICKHOUSE_PII_MODELS decides on deletion and exclusion: a wrong value is said, and keeps the change."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.delivery.backfill.ranges import Summary, Walk
from platform_plugin_aspects.delivery.backfill.walk import backfill
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks import CourseEnrollmentSink, ExternalIdSink, TaxonomySink, UserProfileSink
from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories, retirement
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("all_on")]

SETTING = "EVENT_SINK_CLICKHOUSE_PII_MODELS"
WRONG_SHAPES = {
    "text": "user_profile",
    "text of several": "user_profile, external_id",
    "null": None,
    "a switch": True,
    "a mapping": {"user_profile": True},
    "a list with null": ["user_profile", None],
    "a list in a list": [["user_profile"]],
}
WRONG_NAMES = {
    "mistyped": "user_profil",
    "of many": "user_profiles",
    "in capitals": "User_Profile",
    "with the database": "event_sink.user_profile",
    "with a blank": "user_profile ",
    "in quotes": "`user_profile`",
    "empty": "",
    "of nothing": "no_such_table",
}


def learner() -> User:
    """A learner with rows in ClickHouse."""
    user = factories.make_user()
    factories.make_external_id(user)
    for name in ("user_profile", "external_id"):
        assert deliver_changes(name).status == "delivered"
    return user


def set_right(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["user_profile", "external_id", "auth_user"]
    SinkState.objects.update(retry_at=None)


def misconfigured(sink: str) -> str:
    """The error of a delivery that fails because of the setting; its changes are kept."""
    before = set(Change.objects.values_list("pk", flat=True))
    failed = deliver_changes(sink)
    assert failed.status == "failed"
    assert SETTING in failed.error
    assert SinkState.objects.get(sink=sink).last_error == failed.error
    assert set(Change.objects.values_list("pk", flat=True)) == before
    assert not Change.objects.exclude(error="").exists()
    return failed.error


@pytest.mark.parametrize("value", WRONG_SHAPES.values(), ids=list(WRONG_SHAPES))
def test_a_wrong_shape_keeps_retirements_and_profiles(clickhouse: ClickHouse, settings: Any, value: Any) -> None:
    leaving = learner()
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = value
    retirement.retire(leaving)
    for sink in ("auth_user", "user_profile", "external_id"):
        assert repr(value) in misconfigured(sink)
    assert len(rows(clickhouse, "user_profile")) == 1
    set_right(settings)
    assert deliver_changes("auth_user").status == "delivered"
    assert rows(clickhouse, "user_profile") == rows(clickhouse, "external_id") == []
    assert deliver_changes("user_profile").status == "delivered"
    assert not Change.objects.filter(sink__in=("auth_user", "user_profile")).exists()


@pytest.mark.parametrize("name", WRONG_NAMES.values(), ids=list(WRONG_NAMES))
def test_a_name_of_nothing_keeps_retirements_and_profiles(clickhouse: ClickHouse, settings: Any, name: str) -> None:
    leaving = learner()
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = [name, "external_id", "auth_user"]
    retirement.retire(leaving)
    for sink in ("auth_user", "user_profile"):
        error = misconfigured(sink)
        assert repr(name) in error
        assert "external_id, user_profile" in error
    # The tables that the setting names correctly are done.
    assert rows(clickhouse, "external_id") == []
    assert len(rows(clickhouse, "user_profile")) == 1
    set_right(settings)
    for sink in ("auth_user", "user_profile"):
        assert deliver_changes(sink).status == "delivered"
    assert rows(clickhouse, "user_profile") == []


@pytest.mark.parametrize("value", [["user_profile", "external_id", "auth_user"], ("user_profile",), {"user_profile"}])
def test_what_tutor_writes_and_other_lists_are_right(clickhouse: ClickHouse, settings: Any, value: Any) -> None:
    leaving = learner()
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = value
    retirement.retire(leaving)
    for sink in ("auth_user", "user_profile", "external_id"):
        assert deliver_changes(sink).status == "delivered"
    assert rows(clickhouse, "user_profile") == []


def test_an_empty_list_means_no_table(clickhouse: ClickHouse, settings: Any) -> None:
    leaving = learner()
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = []
    retirement.retire(leaving)
    for sink in ("auth_user", "user_profile"):
        assert deliver_changes(sink).status == "delivered"
    assert rows(clickhouse, "user_profile") != []


def test_tables_of_others_are_looked_for_in_clickhouse(clickhouse_http: ClickHouseEndpoint, settings: Any) -> None:
    client = UserProfileSink().clickhouse
    database = client.connection.database
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["user_profile", "notes"]
    learners = factories.make_many_users(3)
    with pytest.raises(Misconfigured, match="'notes'"):
        UserProfileSink().read(Selection())
    clickhouse_http.engine.query(f"CREATE TABLE {database}.notes (user_id UInt64) ENGINE = MergeTree ORDER BY user_id")
    clickhouse_http.clear()
    backfill(UserProfileSink(), Walk(batch_size=1), Summary())
    assert len(rows(client, "user_profile")) == len(learners)
    # Once per backfill, not per batch.
    assert sum("system.columns" in request.statement for request in clickhouse_http.requests) == 2


def test_the_plugins_names_need_no_question(clickhouse_http: ClickHouseEndpoint, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["user_profile", "course_blocks", "auth_user", "user_preference"]
    factories.make_user()
    UserProfileSink().read(Selection())
    CourseEnrollmentSink().read(Selection())
    assert clickhouse_http.requests == []


def test_sinks_without_learners_do_not_ask(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = None
    taxonomy = factories.make_taxonomy()
    assert taxonomy.pk in TaxonomySink().read(Selection()).keys
    with pytest.raises(Misconfigured, match="EVENT_SINK_CLICKHOUSE_PII_MODELS is None: it must be a list"):
        ExternalIdSink().read(Selection())


@pytest.mark.parametrize("prefix", [["retired__user_"], 5, True])
def test_a_prefix_that_is_no_text_keeps_profiles(clickhouse: ClickHouse, settings: Any, prefix: Any) -> None:
    factories.make_user()
    settings.RETIRED_USERNAME_PREFIX = prefix
    failed = deliver_changes("user_profile")
    assert failed.status == "failed"
    assert "RETIRED_USERNAME_PREFIX" in failed.error
    assert Change.objects.filter(sink="user_profile").exists()


@pytest.mark.parametrize("config", [{}, None, {"auth_user": {"module": "nowhere", "model": "User"}}])
def test_a_retirement_needs_no_model(clickhouse: ClickHouse, settings: Any, config: Any) -> None:
    """A mistyped EVENT_SINK_CLICKHOUSE_MODEL_CONFIG loses no retirement."""
    leaving = learner()
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = config
    retirement.retire(leaving)
    assert Change.objects.filter(sink="auth_user", object_id=leaving.pk).exists()
    assert deliver_changes("auth_user").status == "delivered"
    assert rows(clickhouse, "user_profile") == []


def test_what_is_skipped_is_said(clickhouse: ClickHouse, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["auth_user", "course_overviews"]
    leaving = learner()
    retirement.retire(leaving)
    with caplog.at_level(logging.INFO, logger="platform_plugin_aspects"):
        assert deliver_changes("auth_user").status == "delivered"
    skipped = [record.args for record in caplog.records if "Retirement" in record.getMessage()]
    assert skipped == [("auth_user",), ("course_overviews",)]


def test_no_grant_is_printed_while_it_is_not_known_what_is_personal(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = "course_enrollment"
    with pytest.raises(CommandError, match="EVENT_SINK_CLICKHOUSE_PII_MODELS is 'course_enrollment'"):
        call_command("aspects_create_tables", "--print-grants", "--reader_password", "pw")
