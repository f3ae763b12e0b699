"""The dashboards of the settings, their localized UUIDs, and their native filters."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import prison
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opaque_keys.edx.keys import CourseKey, UsageKey
from openedx.core.djangoapps.user_api.models import UserPreference

from platform_plugin_aspects import content_keys
from platform_plugin_aspects.dashboards import dashboard_settings as dashboards
from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.shown import token_uuids_for
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.operations.checks.superset import check_dashboards
from test_utils.factories import make_user

COURSE_UUID = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"
COURSE_UUID_EN = "bcb741a1-a100-51f7-803c-6a3b607eb047"
COURSE_UUID_ES_419 = "735d0451-0ff9-5157-93db-b748c814550f"
COURSE = Dashboard("Course Dashboard", "course-dashboard", COURSE_UUID, allow_translations=True)
BARE = {"name": "Mine", "slug": "mine", "uuid": COURSE_UUID}

KEY = CourseKey.from_string("course-v1:Org+Course+Run")
languages = st.text(st.sampled_from("abcdeABCDE0123456789-_"), min_size=1)


# Languages


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("preferred", "locales", "language"),
    [
        (None, ["en", "es-419"], "en"),
        ("es-419", ["en", "es-419"], "es-419"),
        ("es-419", ["en"], "en"),
        ("es-419", ["en", "es_419"], "es_419"),
        ("pt-br", ["pt-BR"], "pt-BR"),
        ("es", ["en", "es-419"], "en"),
        ("fr", [], "en"),
        ("", ["fr"], "en"),
    ],
)
def test_the_language_is_the_preferred_one_where_dashboards_speak_it(
    preferred: str | None, locales: list[str], language: str, settings: Any
) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = locales
    user = make_user()
    if preferred is not None:
        UserPreference.objects.create(user=user, key="pref-lang", value=preferred)
    assert dashboards.language_of(user) == language


@pytest.mark.parametrize(
    ("language", "uuid"), [("en", COURSE_UUID_EN), ("es-419", COURSE_UUID_ES_419), ("ES_419", COURSE_UUID_ES_419)]
)
def test_the_uuid_and_slug_of_a_translation(language: str, uuid: str) -> None:
    found = dashboards.localized(COURSE, language)
    assert (found.name, found.slug, found.uuid) == (COURSE.name, f"course-dashboard-{language}", uuid)


def test_a_dashboard_without_translations_stays_as_it_is() -> None:
    untranslated = Dashboard("Mine", "mine", COURSE_UUID, allow_translations=False)
    assert dashboards.localized(untranslated, "es-419") is untranslated


@given(languages, languages)
def test_languages_that_are_spelled_differently_only_share_a_uuid(one: str, other: str) -> None:
    def uuid(language: str) -> str:
        return dashboards.localized(COURSE, language).uuid

    assert uuid(one) == uuid(one.upper()) == uuid(one.replace("-", "_")) == str(UUID(uuid(one)))
    assert uuid(one) != COURSE_UUID
    assert (uuid(one) == uuid(other)) == (one.lower().replace("-", "_") == other.lower().replace("-", "_"))


# Which dashboards


def test_a_token_opens_all_dashboards_in_all_languages(settings: Any) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["es-419", "en"]
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        {**BARE, "uuid": COURSE_UUID.upper(), "allow_translations": True},
        {**BARE, "uuid": "00000000-0000-0000-0000-000000000001"},
    ]
    settings.ASPECTS_IN_CONTEXT_DASHBOARDS = {
        "video": {**BARE, "uuid": "00000000-0000-0000-0000-000000000002"},
        "problem": {**BARE, "uuid": "00000000-0000-0000-0000-000000000001"},
    }
    instructor = [COURSE_UUID, COURSE_UUID_EN, COURSE_UUID_ES_419, "00000000-0000-0000-0000-000000000001"]
    assert token_uuids_for(None) == [*instructor, "00000000-0000-0000-0000-000000000002"]
    settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS = False
    assert token_uuids_for(None) == instructor
    settings.SUPERSET_DASHBOARD_LOCALES = []
    assert token_uuids_for(None) == [COURSE_UUID, COURSE_UUID_EN, "00000000-0000-0000-0000-000000000001"]


def test_the_default_dashboards_are_those_of_aspects() -> None:
    assert [board.slug for board in dashboards.instructor_entries()] == [
        *("course-dashboard", "individual-learner", "learner-groups")
    ]
    assert dashboards.in_context_entries()["problem"] == Dashboard(
        "Problem",
        "in-context-problem",
        "98ff33ff-18dd-48f9-8c58-629ae4f4194b",
        allow_translations=True,
        course_filter_ids=("NATIVE_FILTER-29CPcbirK",),
        block_filter_ids=("NATIVE_FILTER-TJwItQhUI",),
    )
    assert "html" not in dashboards.in_context_entries()
    assert len(token_uuids_for(None)) == 2 * (3 + 4)
    assert check_dashboards(None) == []


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", None, "ASPECTS_INSTRUCTOR_DASHBOARDS is None"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", {"course": BARE}, "ASPECTS_INSTRUCTOR_DASHBOARDS is {"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [BARE, "x"], "ASPECTS_INSTRUCTOR_DASHBOARDS[1] is 'x'"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [None], "ASPECTS_INSTRUCTOR_DASHBOARDS[0] is None"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [{**BARE, "uuid": "course-dashboard"}], "badly formed hexadecimal UUID"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [{**BARE, "uuid": None}], "cannot be read"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [{**BARE, "uuid": 5}], "cannot be read"),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [{"name": "Mine", "uuid": COURSE_UUID}], "has no 'slug'"),
        ("ASPECTS_IN_CONTEXT_DASHBOARDS", [BARE], "ASPECTS_IN_CONTEXT_DASHBOARDS is ["),
        ("ASPECTS_IN_CONTEXT_DASHBOARDS", {"video": {}}, "ASPECTS_IN_CONTEXT_DASHBOARDS['video'] is {}"),
        ("ASPECTS_IN_CONTEXT_DASHBOARDS", {"video": {**BARE, "block_filter_ids": 5}}, "cannot be read"),
        ("SUPERSET_DASHBOARD_LOCALES", "en", "SUPERSET_DASHBOARD_LOCALES is 'en'"),
        ("SUPERSET_DASHBOARD_LOCALES", [None], "SUPERSET_DASHBOARD_LOCALES is [None]"),
    ],
)
def test_invalid_settings_are_found_at_start_up_and_refused(
    setting: str, value: Any, words: str, settings: Any
) -> None:
    setattr(settings, setting, value)
    (found,) = check_dashboards(None)
    assert found.id == "platform_plugin_aspects.W023"
    assert words in found.msg
    with pytest.raises(SupersetMisconfigured):
        token_uuids_for(None)


# Native filters


def filters(course: str, *rest: str) -> dict[str, Any]:
    """A native filter as superset.md gives it."""
    values = dict(zip(("course", "block"), (course, *rest), strict=False))
    columns = {"course": "course_key", "block": "block_id"}
    return {
        name: {
            "id": name,
            "extraFormData": {"filters": [{"col": columns[name], "op": "IN", "val": [value]}]},
            "filterState": {"value": [value]},
            "ownState": {},
        }
        for name, value in values.items()
    }


BOARD = Dashboard("B", "b", COURSE_UUID, True, course_filter_ids=("course",), block_filter_ids=("block",))


def test_native_filters_choose_the_course_and_the_block() -> None:
    assert prison.loads(dashboards.native_filters(BOARD, KEY)) == filters("course-v1:Org+Course+Run")
    assert prison.loads(dashboards.native_filters(BOARD, KEY, "p1")) == filters("course-v1:Org+Course+Run", "p1")
    assert dashboards.native_filters(COURSE, KEY, "p1") == "()"


def test_the_columns_of_native_filters_are_settings(settings: Any) -> None:
    settings.IN_CONTEXT_DASHBOARD_COURSE_KEY_COLUMN = "run"
    settings.IN_CONTEXT_DASHBOARD_BLOCK_ID_COLUMN = "where"
    found = prison.loads(dashboards.native_filters(BOARD, KEY, "p1"))
    assert [found[name]["extraFormData"]["filters"][0]["col"] for name in ("course", "block")] == ["run", "where"]


@given(st.from_regex(r"[\w.~-]{1,20}", fullmatch=True), st.from_regex(r"[\w.~:-]{1,20}", fullmatch=True))
def test_native_filters_carry_any_key(run: str, block_id: str) -> None:
    course_key = CourseKey.from_string(f"course-v1:Org+Course+{run}")
    assert prison.loads(dashboards.native_filters(BOARD, course_key, block_id)) == filters(str(course_key), block_id)


# Keys


@pytest.mark.parametrize(
    ("text", "course"),
    [
        ("course-v1:Org+Course+Run", "course-v1:Org+Course+Run"),
        ("Org/Course/Run", "Org/Course/Run"),
        ("ccx-v1:Org+Course+Run+ccx@1", "ccx-v1:Org+Course+Run+ccx@1"),
        ("block-v1:Org+Course+Run+type@problem+block@p", "course-v1:Org+Course+Run"),
        ("ccx-block-v1:Org+Course+Run+ccx@1+type@problem+block@p", "ccx-v1:Org+Course+Run+ccx@1"),
        ("course-v1:Org+Course+Run+branch@draft-branch", "course-v1:Org+Course+Run"),
        ("course-v1:Org+Course+Run+version@519665f6223ebd6980884f2b", "course-v1:Org+Course+Run"),
        ("block-v1:Org+Course+Run+branch@published-branch+type@problem+block@p", "course-v1:Org+Course+Run"),
        ("course-v1:version@519665f6223ebd6980884f2b", None),
        ("block-v1:version@519665f6223ebd6980884f2b+type@problem+block@p", None),
        ("i4x://Org/Course/problem/p", None),
        ("library-v1:Org+Library", None),
        ("lib-block-v1:Org+Library+type@problem+block@p", None),
        ("lib:Org:Library", None),
        ("lb:Org:Library:problem:p", None),
        ("course-v1:Org+Course", None),
        ("Course", None),
        ("", None),
    ],
)
def test_keys_of_the_content_of_course_runs(text: str, course: str | None) -> None:
    key = content_keys.content_key(text)
    assert (key and str(content_keys.course_of_key(key))) == course
    assert isinstance(key, UsageKey) == (course is not None and "block" in text)
    assert "branch@" not in str(key)
    assert "version@" not in str(key)


@given(st.text() | st.from_regex(r"(course-v1:|ccx-v1:|block-v1:|i4x://|)[\w+@:/]*", fullmatch=True))
def test_no_text_is_too_odd_to_be_a_key(text: str) -> None:
    key = content_keys.content_key(text)
    assert key is None or CourseKey.from_string(str(content_keys.course_of_key(key))).run
