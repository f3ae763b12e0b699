"""Which sinks are on, sinks of third parties, and what the system checks say of what is set up wrongly."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import CheckMessage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openedx.core.djangoapps.user_api.models import UserPreference
from waffle.models import Flag
from xmodule.modulestore.django import COURSE_PUBLISHED

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.delivery import outbox, triggers
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change
from platform_plugin_aspects.operations.checks.filters import check_filter_steps, check_own_steps
from platform_plugin_aspects.operations.checks.sinks import (
    check_clickhouse_settings,
    check_extra_sinks,
    check_receivers,
)
from platform_plugin_aspects.sinks import BaseSink, ModelBaseSink
from platform_plugin_aspects.sinks.column import Column, Value
from platform_plugin_aspects.sinks.registry import BUILT_IN, extra_sinks, sinks, tables
from platform_plugin_aspects.tests.conftest import rows
from test_utils import factories

each_sink = pytest.mark.parametrize("sink", BUILT_IN, ids=lambda sink: sink.name)


class PreferenceSink(ModelBaseSink):
    """A third party's: a row is a learner's preference."""

    name = "preferences"
    model = "user_preference"
    columns = (
        Column("id", "Int32"),
        Column("username", "String", Value("user__username"), personal=True),
        Column("key", "String"),
        Column("value", "String"),
        Column("user_id", "Int32"),
    )
    table_name = "their_preferences"
    learner = "user_id"
    deletes = True


class NamelessSink(ModelBaseSink):
    model = "user_preference"


class TakenSink(PreferenceSink):
    name = "tag"


class ModellessSink(ModelBaseSink):
    name = "modelless"


class KeylessSink(PreferenceSink):
    name = "keyless"
    columns = PreferenceSink.columns[1:]


HERE = __name__
PREFERENCES = f"{HERE}.PreferenceSink"


# On or off


def flag_of(sink: type[BaseSink]) -> str:
    return f"event_sink_clickhouse.{sink.model}.enabled"


@pytest.mark.django_db
@each_sink
@pytest.mark.parametrize(
    ("flag", "setting", "on"),
    [
        (None, None, False),
        (None, False, False),
        (None, True, True),
        (None, "true", False),
        ({"everyone": True}, None, True),
        ({"everyone": True}, False, True),
        ({"everyone": False}, True, True),
        ({"everyone": None}, None, False),
        ({"everyone": None, "percent": 99}, None, False),
        ({"everyone": None, "superusers": True, "staff": True, "authenticated": True}, None, False),
    ],
    ids=lambda value: str(value),
)
def test_on_by_setting_or_by_a_flag_for_everyone(
    sink: type[BaseSink], flag: dict[str, Any] | None, setting: Any, on: bool, settings: Any
) -> None:
    if flag is not None:
        Flag.objects.create(name=flag_of(sink), **flag)
    if setting is not None:
        setattr(settings, f"EVENT_SINK_CLICKHOUSE_{sink.model.upper()}_ENABLED", setting)
    assert sink.is_enabled() is on


def test_names_of_flags_and_settings() -> None:
    assert {sink.model for sink in BUILT_IN} == {
        *("auth_user", "user_profile", "course_overviews", "external_id", "course_enrollment"),
        *("tag", "taxonomy", "object_tag", "xapi"),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("config", [{}, {"module": "nowhere.models", "model": "X"}, {"module": "os", "model": "sep"}])
def test_a_model_that_cannot_be_imported_is_off_with_one_warning(
    config: dict[str, str], settings: Any, all_on: None, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {
        **settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG,
        "user_profile": config,
    }
    sink = sinks()["user_profile"]
    assert [sink.is_enabled() for _ in range(3)] == [False] * 3
    factories.make_user()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['user_profile']" in warnings[0].getMessage()
    assert not Change.objects.filter(sink="user_profile").exists()


@pytest.mark.django_db
def test_a_model_that_cannot_be_imported_is_no_matter_while_its_sink_is_off(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {}
    assert not sinks()["user_profile"].is_enabled()
    assert caplog.records == []


@pytest.mark.django_db
def test_the_model_config_decides_which_class_is_meant(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {
        "user_profile": {"module": "openedx.core.djangoapps.user_api.models", "model": "UserPreference"}
    }
    assert edx_platform.get_model("user_profile") is UserPreference
    assert sinks()["user_profile"]().manager.model is UserPreference


@pytest.mark.django_db
def test_off_nothing_is_recorded_and_nothing_queried() -> None:
    user = factories.make_user()
    key = factories.make_course()
    enrollment = factories.make_enrollment(user, key)
    for sink in BUILT_IN:  # waffle's cache is warm, as it is on a site
        assert not sink.is_enabled()
    with CaptureQueriesContext(connection) as captured:
        user.profile.save()
    saving = len(captured)
    assert [query["sql"].split()[0] for query in captured] == ["UPDATE"]
    with CaptureQueriesContext(connection) as captured:
        for trigger in triggers.TRIGGERS:
            trigger(user=user, course_id=key, course_key=key, instance=enrollment)
    assert (saving, len(captured)) == (1, 0)
    assert deliver_changes("user_profile").status == "off"
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_off_costs_at_most_waffles_own_query() -> None:
    user = factories.make_user()
    with CaptureQueriesContext(connection) as captured:
        user.profile.save()
        user.profile.save()
    queries = [query["sql"] for query in captured if "auth_userprofile" not in query["sql"]]
    assert len(queries) <= 1
    assert all('"waffle_flag"' in sql for sql in queries)
    assert COURSE_PUBLISHED.has_listeners()


# Sinks of third parties


@pytest.fixture
def preferences(settings: Any) -> Iterator[None]:
    """PreferenceSink is listed, on, and connected as when the platform starts."""
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [PREFERENCES]
    settings.EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED = True
    theirs = [trigger for trigger in triggers.all_triggers() if trigger.sink == "preferences"]
    triggers.connect(theirs)
    yield
    for trigger in theirs:
        for sender in triggers.senders(trigger):
            assert edx_platform.get_signal(trigger.signal).disconnect(sender=sender, dispatch_uid=trigger.uid)


def preference(user: User | None = None, **columns: Any) -> UserPreference:
    return UserPreference.objects.create(user=user or factories.make_user(), **{"key": "pref-lang", **columns})


@pytest.mark.django_db
def test_its_saves_are_recorded_and_delivered_and_its_deletes_too(preferences: None, clickhouse: ClickHouse) -> None:
    saved = preference(value="de")
    assert list(Change.objects.values_list("sink", "object_id")) == [("preferences", str(saved.pk))]
    deliver_changes("preferences")
    (row,) = rows(clickhouse, "their_preferences")
    assert (row["key"], row["value"], row["username"]) == ("pref-lang", "de", saved.user.username)
    saved.delete()
    deliver_changes("preferences")
    assert rows(clickhouse, "their_preferences") == []
    assert not Change.objects.exists()


@pytest.mark.django_db
def test_it_is_an_object_of_the_backfill(preferences: None, clickhouse: ClickHouse) -> None:
    keys = [preference(value=str(i)).pk for i in range(3)]
    out = StringIO()
    call_command("dump_data_to_clickhouse", "--object", "preferences", "--start_pk", str(keys[0]), stdout=out)
    assert out.getvalue().startswith("preferences: 2 objects written (2 rows in their_preferences), ")
    with pytest.raises(CommandError, match="preferences"):
        call_command("dump_data_to_clickhouse", "--object", "nothing")


def test_its_table_is_created(preferences: None, clickhouse: ClickHouse) -> None:
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('their_preferences')}")
    out = StringIO()
    call_command("aspects_create_tables", stdout=out)
    assert f"created {clickhouse.connection.database}.their_preferences\n" in out.getvalue()
    assert [name for name, _type in clickhouse.columns()["their_preferences"]] == [
        *("id", "username", "key", "value", "user_id", "dump_id", "time_last_dumped")
    ]


@pytest.mark.django_db
def test_its_learners_are_erased_where_its_table_is_named_as_personal_data(
    preferences: None, clickhouse: ClickHouse, settings: Any, all_on: None
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_PII_MODELS = ["their_preferences"]
    staying, leaving = preference(value="a"), preference(value="b")
    deliver_changes("preferences")
    outbox.record("auth_user", [leaving.user_id])
    deliver_changes("auth_user")
    assert [row["user_id"] for row in rows(clickhouse, "their_preferences")] == [staying.user_id]


def test_without_it_nothing_is_known_of_it() -> None:
    assert "preferences" not in sinks()
    assert "their_preferences" not in {table.name for table in tables()}


BAD = {
    "nowhere.Sink": "No module named 'nowhere'",
    f"{HERE}.MissingSink": 'does not define a "MissingSink"',
    "undotted": "doesn't look like a module path",
    "django.contrib.auth.models.User": "it is not a subclass of platform_plugin_aspects.sinks.BaseSink",
    f"{HERE}.HERE": "it is not a subclass",
    f"{HERE}.NamelessSink": "it has no name or no model",
    f"{HERE}.ModellessSink": "it has no name or no model",
    f"{HERE}.KeylessSink": "its key_column, 'id', is not one of its columns",
    f"{HERE}.TakenSink": "its name, 'tag', is taken",
}


@pytest.mark.parametrize(("path", "words"), BAD.items(), ids=BAD)
def test_entries_that_are_no_sinks_are_reported_and_leave_the_others_alone(
    path: str, words: str, settings: Any
) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [path, PREFERENCES]
    (found,) = check_extra_sinks(None)
    assert found.id == "platform_plugin_aspects.W020"
    assert path in found.msg
    assert words in found.msg
    assert found.hint
    assert list(sinks())[-1] == "preferences"
    assert len(sinks()) == len(BUILT_IN) + 1
    assert PreferenceSink in extra_sinks()


def test_a_sink_listed_twice_is_one_sink(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [PREFERENCES, PREFERENCES]
    assert len([table for table in tables() if table.name == "their_preferences"]) == 1
    (found,) = check_extra_sinks(None)
    assert "its name, 'preferences', is taken" in found.msg


# Checks


def messages(*found: CheckMessage) -> list[tuple[str, str]]:
    return [(message.id or "", str(message.msg)) for message in found]


def test_nothing_to_say_of_the_defaults(all_on: None) -> None:
    for check in (check_clickhouse_settings, check_extra_sinks, check_receivers):
        assert check(None) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("http://clickhouse:8123", "must be a mapping"),
        ({"url": "clickhouse:8123"}, "neither http"),
        ({"url": "http://u:s3cret@"}, "neither http"),
        ({"timeout_secs": 0}, "timeout_secs"),
        ({"database": 5}, "database"),
    ],
)
def test_a_wrong_configuration_is_an_error(config: dict[str, Any], words: str, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = config
    ((id_, message),) = messages(*check_clickhouse_settings(None))
    assert id_ == "platform_plugin_aspects.E001"
    assert words in message
    assert "s3cret" not in message


PAGES = (
    "org.openedx.learning.instructor.dashboard.render.started.v1",
    "org.openedx.learning.instructor.dashboard.tabs.requested.v1",
)


@pytest.mark.parametrize(
    "of",
    [
        lambda steps: {"fail_silently": False, "pipeline": steps},
        lambda steps: steps,
        lambda steps: steps[0],
    ],
    ids=["mapping", "list", "text"],
)
def test_steps_are_looked_for_where_they_are(of: Any, settings: Any) -> None:
    settings.OPEN_EDX_FILTERS_CONFIG = dict.fromkeys(
        PAGES, of(["platform_plugin_aspects.extensions.filters.AddSupersetTab"])
    )
    assert check_filter_steps(None) == []
    settings.OPEN_EDX_FILTERS_CONFIG = dict.fromkeys(
        PAGES, of(["platform_plugin_superset.extensions.filters.AddSupersetTab"])
    )
    (warning,) = check_filter_steps(None)
    assert warning.id == "platform_plugin_aspects.W002"
    assert "names platform_plugin_superset.extensions.filters.AddSupersetTab," in warning.msg
    assert warning.hint == "Write platform_plugin_aspects.extensions.filters.AddSupersetTab instead."


def test_no_steps_need_be_configured(settings: Any) -> None:
    for config in (None, {}, ["a.Step"]):
        settings.OPEN_EDX_FILTERS_CONFIG = config
        assert check_filter_steps(None) == check_own_steps(None) == []
    del settings.OPEN_EDX_FILTERS_CONFIG
    assert check_filter_steps(None) == []


def test_a_model_that_is_missing_is_said_of_sinks_that_are_on(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {}
    assert check_receivers(None) == []
    settings.EVENT_SINK_CLICKHOUSE_EXTERNAL_ID_ENABLED = True
    assert messages(*check_receivers(None)) == [
        (
            "platform_plugin_aspects.W001",
            f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['{model}'] does not exist: "
            "changes that it announces do not reach external_id.",
        )
        # Renames are announced by the account.
        for model in ("external_id", "auth_user")
    ]


def test_a_signal_that_is_missing_is_said_of_sinks_that_are_on(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openedx.core.djangoapps.user_api.accounts.signals", None)
    assert check_receivers(None) == []
    settings.EVENT_SINK_CLICKHOUSE_AUTH_USER_ENABLED = True
    ((id_, message),) = messages(*check_receivers(None))
    assert id_ == "platform_plugin_aspects.W001"
    assert message.startswith("openedx.core.djangoapps.user_api.accounts.signals.USER_RETIRE_LMS_MISC does not exist")


def test_a_sink_without_its_model_names_the_setting(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = {}
    with pytest.raises(LookupError, match=r"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG\['user_profile'\]"):
        sinks()["user_profile"]().parse_key("1")


def test_the_checks_are_run_by_django(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "nonsense"}
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = ["nowhere.Sink"]
    with pytest.raises(Exception, match=r"platform_plugin_aspects\.E001") as caught:
        call_command("check", stdout=StringIO(), stderr=StringIO())
    assert "platform_plugin_aspects.W020" in str(caught.value)


@pytest.mark.parametrize("known", ["django.db.models.signals.post_save", "xmodule.modulestore.django.COURSE_PUBLISHED"])
def test_signals_are_found_by_their_path(known: str) -> None:
    assert edx_platform.get_signal(known) is not None
    assert edx_platform.get_signal(f"{known}_NOT") is None
    assert edx_platform.get_signal(f"nowhere.{known}") is None
