"""System checks name settings that are misspelt, missing or without effect, and are silent about all others."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import WARNING, CheckMessage, run_checks
from django.core.management import call_command

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.extensions.filters import LEGACY, NEW
from platform_plugin_aspects.operations.checks import TAG
from platform_plugin_aspects.settings import common
from platform_plugin_aspects.tests.commands import profiles
from platform_plugin_aspects.tests.processes import manage

LISTENING = "platform_plugin_aspects.tests.sinks.test_which_sinks_are_on.PreferenceSink"
SUPERSET = {"service_url": "https://superset.example", "username": "aspects", "password": "s3cret"}

BOARD = {"name": "Course", "slug": "course", "uuid": "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"}


@pytest.fixture
def found(settings: Any) -> Any:
    """Runs the plugin's checks with some settings; returns {id: message}."""

    def found(**configured: Any) -> dict[str, CheckMessage]:
        for name, value in configured.items():
            setattr(settings, name, value)
        messages = list(run_checks(tags=[TAG]))
        by_id = {(message.id or "").partition(".")[2]: message for message in messages}
        assert len(by_id) == len(messages)
        return by_id

    return found


def steps(**more: str) -> dict[str, Any]:
    """OPEN_EDX_FILTERS_CONFIG with the legacy dashboard's step, or with others: `legacy`, `new`."""
    pages = {"legacy": LEGACY, "new": NEW}
    return {pages[name].filter_type: {"pipeline": [step]} for name, step in (more or {"legacy": LEGACY.step}).items()}


@pytest.fixture
def complete(settings: Any, lms: None) -> None:
    """An LMS that shows reports."""
    settings.SUPERSET_CONFIG = SUPERSET
    settings.OPEN_EDX_FILTERS_CONFIG = steps()


def test_nothing_is_said_of_an_installation_left_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    out, err = StringIO(), StringIO()
    call_command("check", stdout=out, stderr=err)
    assert (out.getvalue(), err.getvalue()) == ("System check identified no issues (0 silenced).\n", "")


@pytest.mark.usefixtures("lms")
def test_nothing_is_said_of_an_lms_left_as_it_is(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openedx.core.release.RELEASE_LINE", "redwood")
    assert found() == {}


@pytest.mark.usefixtures("complete")
def test_nothing_is_said_of_what_is_right(found: Any, all_on: None) -> None:
    assert found() == {}
    assert found(SUPERSET_CONFIG={**SUPERSET, "timeout_secs": 9}, OPEN_EDX_FILTERS_CONFIG=steps(new=NEW.step)) == {}


@pytest.mark.usefixtures("complete")
def test_nothing_is_said_of_what_tutor_writes(found: Any) -> None:
    clickhouse = {"url": "http://clickhouse:8123", "username": "ch_cms", "password": "x", "database": "event_sink"}
    said = found(
        EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG={**clickhouse, "xapi_database": "xapi", "timeout_secs": 5},
        EVENT_SINK_CLICKHOUSE_PII_MODELS=["user_profile", "external_id", "auth_user"],
        EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED=True,
        EVENT_SINK_CLICKHOUSE_USER_PROFILE_ENABLED=False,
        SUPERSET_DASHBOARD_LOCALES=["en", "de_DE"],
        OPEN_EDX_FILTERS_CONFIG=steps(legacy=LEGACY.step, new=NEW.step),
    )
    assert said == {}


#: Settings -> the one id, what its message and what its hint says.
WRONG: dict[str, tuple[Mapping[str, Any], str, str, str]] = {
    "a key of ClickHouse's": (
        {"EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {"url": "http://ch:8123", "user_name": "x"}},
        "W004",
        "'user_name' in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG has no effect",
        "Did you mean username?",
    ),
    "a key of Superset's": (
        {"SUPERSET_CONFIG": {**SUPERSET, "host": "superset"}},
        "W004",
        "'host' in SUPERSET_CONFIG has no effect",
        "Remove it, or use one of guest_role, guest_token_algorithm, guest_token_audience, ",
    ),
    "a key that is not text": ({"SUPERSET_CONFIG": {**SUPERSET, 1: "x"}}, "W004", "1 in SUPERSET_CONFIG", "Remove it"),
    "a switch of no sink": (
        {"EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEW_ENABLED": True},
        "W005",
        "EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEW_ENABLED is of no sink",
        "Did you mean EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED?",
    ),
    "a switch that is text": (
        {"EVENT_SINK_CLICKHOUSE_TAG_ENABLED": "true"},
        "W005",
        "EVENT_SINK_CLICKHOUSE_TAG_ENABLED is 'true', which does not turn the sink on",
        "without quotes",
    ),
    "a model that nothing asks for": (
        {"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG": {"userprofile": {}}},
        "W006",
        "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG['userprofile'] is of no sink",
        "Did you mean user_profile?",
    ),
    "models in no mapping": (
        {"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG": ["user_profile"]},
        "E006",
        "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG must be a mapping",
        "Correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG",
    ),
    "tables in no list": (
        {"EVENT_SINK_CLICKHOUSE_PII_MODELS": "user_profile"},
        "E007",
        "EVENT_SINK_CLICKHOUSE_PII_MODELS must be a list",
        "Correct EVENT_SINK_CLICKHOUSE_PII_MODELS",
    ),
    "a number in quotes": (
        {"EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": "2"},
        "E008",
        "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS must be a number of seconds",
        "Correct EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS",
    ),
    "a number below 0": (
        {"EVENT_SINK_CLICKHOUSE_SWEEP_SECS": -1},
        "E008",
        "EVENT_SINK_CLICKHOUSE_SWEEP_SECS must be a number of seconds",
        "Correct EVENT_SINK_CLICKHOUSE_SWEEP_SECS",
    ),
    "a window without end": (
        {"EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": float("inf")},
        "E008",
        "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS must be a number of seconds, 0 to 86400, without quotes",
        "Correct EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS",
    ),
    "a window that is not a number": (
        {"EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": float("nan")},
        "E008",
        "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS must be a number of seconds",
        "Correct EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS",
    ),
    "a sweep that is longer than dates can be": (
        {"EVENT_SINK_CLICKHOUSE_SWEEP_SECS": 10**300},
        "E008",
        "EVENT_SINK_CLICKHOUSE_SWEEP_SECS must be a number of seconds",
        "Correct EVENT_SINK_CLICKHOUSE_SWEEP_SECS",
    ),
    "True for a number": (
        {"EVENT_SINK_CLICKHOUSE_SWEEP_SECS": True},
        "E008",
        "EVENT_SINK_CLICKHOUSE_SWEEP_SECS must be a number of seconds",
        "Correct EVENT_SINK_CLICKHOUSE_SWEEP_SECS",
    ),
    "an address of Superset with a space": (
        {"SUPERSET_CONFIG": {**SUPERSET, "service_url": "https://super set.example"}},
        "W022",
        "service_url in SUPERSET_CONFIG is 'https://super set.example'",
        "Correct SUPERSET_CONFIG",
    ),
    "an address of Superset with a space at its end": (
        {"SUPERSET_CONFIG": {**SUPERSET, "internal_service_url": "http://superset:8088/ "}},
        "W022",
        "internal_service_url in SUPERSET_CONFIG is 'http://superset:8088/ '",
        "Correct SUPERSET_CONFIG",
    ),
    "an address of ClickHouse with a space": (
        {"EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {"url": "http://click house:8123"}},
        "E001",
        "The ClickHouse url 'http://click house:8123'",
        "Correct EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
    ),
    "no as text": (
        {"SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK": "false"},
        "W016",
        "SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK is 'false', which counts as True",
        "Set it to True or False, without quotes",
    ),
    "no as text for Studio": (
        {"ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS": "False"},
        "W016",
        "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is 'False', which counts as True",
        "Set it to True or False, without quotes",
    ),
    "nothing for yes or no": (
        {"ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS": None},
        "W016",
        "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is None, which counts as False",
        "Set it to True or False, without quotes",
    ),
    "no as text for translations": (
        {"ASPECTS_INSTRUCTOR_DASHBOARDS": [{**BOARD, "allow_translations": "false"}]},
        "W016",
        "ASPECTS_INSTRUCTOR_DASHBOARDS[0]['allow_translations'] is 'false', which counts as True",
        "Set it to True or False, without quotes",
    ),
    "no as text for translations in a tuple": (
        {"ASPECTS_INSTRUCTOR_DASHBOARDS": (BOARD, {**BOARD, "allow_translations": "false"})},
        "W016",
        "ASPECTS_INSTRUCTOR_DASHBOARDS[1]['allow_translations'] is 'false', which counts as True",
        "Set it to True or False, without quotes",
    ),
    "no as text for translations in Studio": (
        {"ASPECTS_IN_CONTEXT_DASHBOARDS": {"problem": {**BOARD, "allow_translations": "false"}}},
        "W016",
        "ASPECTS_IN_CONTEXT_DASHBOARDS['problem']['allow_translations'] is 'false', which counts as True",
        "Set it to True or False, without quotes",
    ),
    "no step": ({"OPEN_EDX_FILTERS_CONFIG": {}}, "W007", "has no step that adds the reports", LEGACY.step),
    "no filters": ({"OPEN_EDX_FILTERS_CONFIG": None}, "W007", "has no step that adds the reports", NEW.filter_type),
    "another's step": ({"OPEN_EDX_FILTERS_CONFIG": steps(legacy="a.b")}, "W007", "has no step", NEW.step),
    "a stale path": (
        {"OPEN_EDX_FILTERS_CONFIG": steps(legacy="platform_plugin_superset.filters.AddSupersetTab")},
        "W002",
        "platform_plugin_superset.filters.AddSupersetTab, which does not exist",
        "Write platform_plugin_aspects.filters.AddSupersetTab instead",
    ),
    "a step that does not exist": (
        {"OPEN_EDX_FILTERS_CONFIG": steps(legacy=f"{LEGACY.step}s")},
        "W008",
        f"{LEGACY.step}s at {LEGACY.filter_type}, which is not a step of that filter: the legacy instructor dashboard",
        f"Write {LEGACY.step} instead",
    ),
    "a step of the other page": (
        {"OPEN_EDX_FILTERS_CONFIG": steps(new=LEGACY.step)},
        "W008",
        f"{LEGACY.step} at {NEW.filter_type}",
        f"Write {NEW.step} instead",
    ),
    "a table that is misspelt": (
        {"EVENT_SINK_CLICKHOUSE_PII_MODELS": ["user_profiles", "external_id", "auth_user", "a_table_of_others"]},
        "W010",
        "EVENT_SINK_CLICKHOUSE_PII_MODELS names 'user_profiles', which is not a table",
        "Did you mean user_profile?",
    ),
    "a table with its database": (
        {
            "EVENT_SINK_CLICKHOUSE_PII_MODELS": [
                "event_sink.user_profile",
                "external_id",
                "auth_user",
                "a_table_of_others",
            ]
        },
        "W010",
        "EVENT_SINK_CLICKHOUSE_PII_MODELS names 'event_sink.user_profile', which is not a table",
        "Did you mean user_profile?",
    ),
    "a table in capitals": (
        {"EVENT_SINK_CLICKHOUSE_PII_MODELS": ["USER_PROFILE", "external_id", "auth_user", "a_table_of_others"]},
        "W010",
        "EVENT_SINK_CLICKHOUSE_PII_MODELS names 'USER_PROFILE', which is not a table",
        "Did you mean user_profile?",
    ),
    "no bundle": (
        {"STATICFILES_FINDERS": []},
        "W015",
        "platform_plugin_aspects/dist/aspects-dashboards.js is missing from this installation",
        "make wheel",
    ),
    "a setting that is misspelt": (
        {"EVENT_SINK_CLICKHOUSE_EXTRA_SINK": ["x"]},
        "W011",
        "EVENT_SINK_CLICKHOUSE_EXTRA_SINK is not a setting of this plugin",
        "Did you mean EVENT_SINK_CLICKHOUSE_EXTRA_SINKS?",
    ),
}


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(("configured", "id_", "message", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_what_to_do(
    configured: Mapping[str, Any], id_: str, message: str, hint: str, found: Any
) -> None:
    said = found(**configured)
    assert list(said) == [id_]
    assert message in said[id_].msg
    assert hint in said[id_].hint


@pytest.mark.parametrize("config", [None, [], {"tag": None}, {"tag": "a.b"}, {"tag": {"module": "a"}}])
def test_models_that_are_described_in_another_way_are_not_there(config: Any, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG = config
    assert edx_platform.get_model("tag") is None


def test_the_bundle_is_not_missed_where_superset_is_not_configured(found: Any) -> None:
    assert found(STATICFILES_FINDERS=[]) == {}


def test_a_secret_is_not_quoted(found: Any) -> None:
    assert "s3cret" not in str(found(SUPERSET_CONFIG={**SUPERSET, "passwort": "s3cret"}))


def test_a_sink_of_others_has_a_switch_too(found: Any) -> None:
    enabled = {"EVENT_SINK_CLICKHOUSE_USER_PREFERENCE_ENABLED": True}
    assert list(found(**enabled)) == ["W005"]
    assert found(EVENT_SINK_CLICKHOUSE_EXTRA_SINKS=[LISTENING]) == {}


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    "configured",
    [
        {"SERVICE_VARIANT": "cms"},
        {"ASPECTS_INSTRUCTOR_DASHBOARDS": []},
        {"SUPERSET_CONFIG": {}},
        {"SUPERSET_CONFIG": None},
    ],
    ids=str,
)
def test_without_reports_no_step_is_missed(configured: Mapping[str, Any], found: Any) -> None:
    assert found(**configured, OPEN_EDX_FILTERS_CONFIG={}) == {}


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize(
    ("release", "on", "said"),
    [("redwood", True, ["W009"]), ("redwood", False, []), *((name, True, []) for name in ("sumac", "ulmo", "master"))],
)
def test_studio_s_metrics_before_sumac(
    release: str, on: bool, said: list[str], found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openedx.core.release.RELEASE_LINE", release)
    messages = found(ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS=on)
    assert list(messages) == said
    assert all("Redwood" in message.msg and "to False" in message.hint for message in messages.values())


@pytest.mark.usefixtures("complete")
def test_a_platform_that_does_not_say_its_release(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("openedx.core.release.RELEASE_LINE")
    assert found() == {}


#: Settings of the dashboards that cannot be used -> the warning.
OF_DASHBOARDS: dict[str, tuple[str, Any, str]] = {
    "a template": ("SUPERSET_EXTRA_FILTERS_FORMAT", ["course = {nothing}"], "W021"),
    "templates in no list": ("SUPERSET_EXTRA_FILTERS_FORMAT", "course = {course}", "W021"),
    "Superset's address": ("SUPERSET_CONFIG", {"service_url": "superset"}, "W022"),
    "Superset in no mapping": ("SUPERSET_CONFIG", ["https://superset.example"], "W022"),
    "a dashboard": ("ASPECTS_INSTRUCTOR_DASHBOARDS", [{**BOARD, "uuid": "course"}], "W023"),
    "Studio's dashboards": ("ASPECTS_IN_CONTEXT_DASHBOARDS", [], "W023"),
    "languages": ("SUPERSET_DASHBOARD_LOCALES", "en", "W023"),
    "a rate": ("ASPECTS_API_THROTTLE_RATE", "many", "W023"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "value", "id"), OF_DASHBOARDS.values(), ids=OF_DASHBOARDS)
def test_dashboards_settings_stop_no_command(
    name: str, value: Any, id: str, found: Any, settings: Any, clickhouse: ClickHouse, all_on: None
) -> None:
    assert found(**{name: value})[id].level == WARNING
    out = StringIO()
    call_command("migrate", "platform_plugin_aspects", verbosity=0, skip_checks=False, stdout=out, stderr=out)
    profiles(1)
    options = {"skip_checks": False, "stdout": out, "stderr": out}
    call_command("dump_data_to_clickhouse", "--object", "user_profile", **options)
    assert "user_profile: 1 objects written" in out.getvalue()
    call_command("aspects_compare", "--object", "user_profile", **options)
    call_command("aspects_deliver", **options)


#: Values of any shape. Nothing that stands in a setting may end a command in a traceback.
SHAPES: tuple[Any, ...] = (
    *(None, 0, -1.5, True, "", "text", b"bytes", object()),
    *([], [None], [5], ["x"], {}, {"x": None}, {None: {}}, {"x": [{}]}),
)


@pytest.mark.usefixtures("complete", "all_on")
@pytest.mark.parametrize("name", [*common.defaults(), "OPEN_EDX_FILTERS_CONFIG", "INSTRUCTOR_MICROFRONTEND_URL"])
def test_no_value_of_any_setting_is_too_much_for_the_checks(name: str, settings: Any) -> None:
    for value in SHAPES:
        setattr(settings, name, value)
        for message in run_checks(tags=[TAG]):
            assert (message.id or "").startswith("platform_plugin_aspects."), value


@pytest.mark.django_db
def test_a_process_that_starts_registers_them(tmp_path: Path) -> None:
    """As an operator runs them, where no test has imported their modules."""
    tokens = {"EVENT_SINK_CLICKHOUSE_XAPI_ENABLED": True, "XAPI_EVENTS_ENABLED": False}
    process = manage(tmp_path, "check", tokens=tokens)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "(platform_plugin_aspects.W025) EVENT_SINK_CLICKHOUSE_XAPI_ENABLED is True, but the sink xapi is off" in said
