"""Settings: the defaults that operators know, env tokens that win, Tutor's shapes, and what reads them."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings

from platform_plugin_aspects.apps import PlatformPluginAspectsConfig
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.settings import common, production

TAGGING = "openedx_tagging.models.base"
STUDENT = "common.djangoapps.student.models"


def dashboard(name: str, slug: str, uuid: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "slug": slug, "uuid": uuid, "allow_translations": True, **more}


def in_context(name: str, slug: str, uuid: str, course: str, *block: str) -> dict[str, Any]:
    return dashboard(name, slug, uuid, course_filter_ids=[course], block_filter_ids=list(block))


# As operators know them.
DEFAULTS: dict[str, Any] = {
    "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {
        "url": "http://clickhouse:8123",
        "username": "ch_cms",
        "password": "password",
        "database": "event_sink",
        "timeout_secs": 5,
    },
    "EVENT_SINK_CLICKHOUSE_PII_MODELS": ["user_profile", "external_id"],
    "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG": {
        "auth_user": {"module": "django.contrib.auth.models", "model": "User"},
        "user_profile": {"module": STUDENT, "model": "UserProfile"},
        "course_overviews": {
            "module": "openedx.core.djangoapps.content.course_overviews.models",
            "model": "CourseOverview",
        },
        "external_id": {"module": "openedx.core.djangoapps.external_user_ids.models", "model": "ExternalId"},
        "course_enrollment": {"module": STUDENT, "model": "CourseEnrollment"},
        "custom_course_edx": {"module": "lms.djangoapps.ccx.models", "model": "CustomCourseForEdX"},
        "user_preference": {"module": "openedx.core.djangoapps.user_api.models", "model": "UserPreference"},
        "tag": {"module": TAGGING, "model": "Tag"},
        "taxonomy": {"module": TAGGING, "model": "Taxonomy"},
        "object_tag": {"module": TAGGING, "model": "ObjectTag"},
    },
    "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": 2,
    "EVENT_SINK_CLICKHOUSE_CLUSTER_NAME": "",
    "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS": [],
    "EVENT_SINK_CLICKHOUSE_SWEEP_SECS": 60,
    "EVENT_SINK_CLICKHOUSE_XAPI_WORKERS": 2,
    "EVENT_SINK_CLICKHOUSE_XAPI_PENDING_LIMIT": 100_000,
    "ASPECTS_REPORTING_ENABLED": False,
    "ASPECTS_REPORTING_DATABASE": "aspects_reports",
    "ASPECTS_REPORTING_EVENT_DAYS": 0,
    "ASPECTS_REPORTING_RULES": {},
    "SUPERSET_CONFIG": {
        "internal_service_url": "http://superset:8088",
        "service_url": "http://superset:8088/",
        "username": "superset",
        "password": "superset",
    },
    "ASPECTS_SUPERSET_READER": {"username": "ch_report"},
    "ASPECTS_INSTRUCTOR_DASHBOARDS": [
        dashboard("Course Dashboard", "course-dashboard", "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"),
        dashboard("Individual Learner Dashboard", "individual-learner", "abae8a25-1ba4-4653-81bd-d3937a162a11"),
        dashboard("At-Risk Learners Dashboard", "learner-groups", "8661d20c-cee6-4245-9fcc-610daea5fd24"),
    ],
    "SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK": True,
    "SUPERSET_EXTRA_FILTERS_FORMAT": [],
    "SUPERSET_DASHBOARD_LOCALES": ["en"],
    "ASPECTS_SUPERSET_SDK_URL": "",
    "ASPECTS_API_THROTTLE_RATE": "2000/hour",
    "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS": True,
    "ASPECTS_IN_CONTEXT_DASHBOARDS": {
        "course": in_context(
            "Course", "in-context-course", "f2880cc1-63e9-48d7-ac3c-d2ff6f6698e2", "NATIVE_FILTER-QLQbulmHH"
        ),
        "sequential": in_context(
            "Graded Subsection",
            "in-context-graded-subsection",
            "f0321087-6428-4b97-b32e-2dae7d9cc447",
            "NATIVE_FILTER-oPAuR7ahy",
            "NATIVE_FILTER-CBWbI7uLq",
        ),
        "problem": in_context(
            "Problem",
            "in-context-problem",
            "98ff33ff-18dd-48f9-8c58-629ae4f4194b",
            "NATIVE_FILTER-29CPcbirK",
            "NATIVE_FILTER-TJwItQhUI",
        ),
        "video": in_context(
            "Video",
            "in-context-video",
            "bc6510fb-027f-4026-a333-d0c42d3cc35c",
            "NATIVE_FILTER-uaxvZkSAg",
            "NATIVE_FILTER-Fse4rzDW0",
        ),
    },
    "ASPECTS_BOARDS_DIR": "",
    "IN_CONTEXT_DASHBOARD_COURSE_KEY_COLUMN": "course_key",
    "IN_CONTEXT_DASHBOARD_BLOCK_ID_COLUMN": "block_id",
}
# As Tutor's Aspects plugin writes them.
TUTOR: dict[str, Any] = {
    "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {
        "url": "http://clickhouse:8123",
        "username": "ch_cms",
        "password": "from tutor",
        "xapi_database": "xapi",
        "database": "event_sink",
        "timeout_secs": 5,
    },
    "SUPERSET_CONFIG": {"service_url": "https://superset.example/", "username": "oauth", "password": "from tutor"},
    "EVENT_SINK_CLICKHOUSE_PII_MODELS": ["user_profile", "external_id", "auth_user"],
    "ASPECTS_INSTRUCTOR_DASHBOARDS": [{"name": "One", "slug": "one", "uuid": "1", "allow_translations": False}],
    "SUPERSET_DASHBOARD_LOCALES": ["en", "de_DE"],
    "SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK": False,
    "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS": False,
    "EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED": True,
}


def loaded(**before: Any) -> dict[str, Any]:
    """The settings after production, given what stood there before."""
    settings = SimpleNamespace(**before)
    production.plugin_settings(settings)
    return vars(settings)


def test_common_defaults() -> None:
    settings = SimpleNamespace()
    common.plugin_settings(settings)
    assert vars(settings) == DEFAULTS


def test_defaults_are_on_the_platform_under_test() -> None:
    assert {name: getattr(django_settings, name) for name in DEFAULTS} == DEFAULTS


def test_defaults_are_not_shared() -> None:
    first, second = SimpleNamespace(), SimpleNamespace()
    common.plugin_settings(first)
    common.plugin_settings(second)
    first.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG["url"] = "changed"
    assert vars(second) == DEFAULTS


def test_the_templates_are_added_to_the_platform_s_once() -> None:
    settings = SimpleNamespace(MAKO_TEMPLATE_DIRS_BASE=["the platform's"])
    common.plugin_settings(settings)
    production.plugin_settings(settings)
    common.plugin_settings(settings)  # devstack: common, twice
    assert settings.MAKO_TEMPLATE_DIRS_BASE == ["the platform's", common.TEMPLATES]


@pytest.mark.parametrize("service", ["lms.djangoapp", "cms.djangoapp"])
def test_settings_are_registered_for_both_services(service: str) -> None:
    registered = PlatformPluginAspectsConfig.plugin_app["settings_config"][service]
    assert {kind: path["relative_path"] for kind, path in registered.items()} == {
        "common": "settings.common",
        "devstack": "settings.common",
        "production": "settings.production",
    }


def test_production_without_tokens_has_the_defaults() -> None:
    assert loaded() == DEFAULTS
    assert loaded(ENV_TOKENS={}) == {**DEFAULTS, "ENV_TOKENS": {}}


@pytest.mark.parametrize("name", DEFAULTS)
def test_production_takes_env_tokens_whole(name: str) -> None:
    value = copy.deepcopy(TUTOR.get(name, {"any": "shape"}))
    assert loaded(ENV_TOKENS={name: value})[name] == value


@pytest.mark.parametrize("name", DEFAULTS)
def test_production_keeps_what_is_set_already(name: str) -> None:
    common_settings = copy.deepcopy(DEFAULTS)
    assert loaded(**common_settings) == DEFAULTS
    assert loaded(**{**common_settings, name: "set already"})[name] == "set already"


@pytest.mark.parametrize("value", ["", 0, False, None, []])
def test_empty_tokens_are_values_too(value: Any) -> None:
    assert loaded(ENV_TOKENS={"EVENT_SINK_CLICKHOUSE_SWEEP_SECS": value})["EVENT_SINK_CLICKHOUSE_SWEEP_SECS"] == value


def test_production_leaves_tokens_alone_and_takes_the_enabling_ones() -> None:
    tokens = copy.deepcopy({**TUTOR, "SECRET_KEY": "not ours", "EVENT_SINK_CLICKHOUSE_TAG_ENABLED": True})
    settings = loaded(ENV_TOKENS=tokens)
    assert tokens == {**TUTOR, "SECRET_KEY": "not ours", "EVENT_SINK_CLICKHOUSE_TAG_ENABLED": True}
    assert settings["EVENT_SINK_CLICKHOUSE_TAG_ENABLED"] is True
    assert settings["EVENT_SINK_CLICKHOUSE_COURSE_OVERVIEWS_ENABLED"] is True
    assert "SECRET_KEY" not in settings
    assert {name: settings[name] for name in TUTOR} == TUTOR


def test_tutors_shapes_are_read(settings: Any) -> None:
    for name, value in TUTOR.items():
        setattr(settings, name, value)
    connection = Connection.from_settings()
    assert (connection.password, connection.xapi_database, connection.xapi_table) == (
        "from tutor",
        "xapi",
        "xapi_events_all",
    )
    assert SupersetConfig.from_settings() == SupersetConfig(
        service_url="https://superset.example/",
        internal_service_url="https://superset.example/",
        username="oauth",
        password="from tutor",
    )


@pytest.mark.parametrize(
    ("config", "service", "internal"),
    [
        ({"service_url": "https://s"}, "https://s/", "https://s/"),
        ({"internal_service_url": "http://i"}, "http://i/", "http://i/"),
        ({"service_url": "https://s/", "internal_service_url": "http://i/"}, "https://s/", "http://i/"),
        ({"service_url": "https://s", "internal_service_url": ""}, "https://s/", "https://s/"),
        ({}, "http://superset:8088/", "http://superset:8088/"),
        (None, "http://superset:8088/", "http://superset:8088/"),
    ],
)
def test_superset_urls(config: Any, service: str, internal: str, settings: Any) -> None:
    settings.SUPERSET_CONFIG = config
    superset = SupersetConfig.from_settings()
    assert (superset.service_url, superset.internal_service_url) == (service, internal)
    assert (superset.username, superset.password) == ("superset", "superset")


def test_supersets_password_is_not_shown(settings: Any) -> None:
    settings.SUPERSET_CONFIG = {"password": "s3cret"}
    assert "s3cret" not in repr(SupersetConfig.from_settings())
