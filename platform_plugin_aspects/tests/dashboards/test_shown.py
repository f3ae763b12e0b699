"""Which dashboards people see: those of the settings, and the plugin's own boards that are in Superset."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from openedx.core.djangoapps.user_api.models import UserPreference

from platform_plugin_aspects.dashboards import shown
from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.provision.provisioned import Provisioned, record
from platform_plugin_aspects.operations.checks.superset import check_dashboards
from platform_plugin_aspects.settings.common import defaults
from test_utils.factories import make_user

pytestmark = pytest.mark.django_db

ASPECTS_UUID = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9"
ASPECTS_UUID_EN = "bcb741a1-a100-51f7-803c-6a3b607eb047"
ASPECTS = {"name": "Course Dashboard", "slug": "course-dashboard", "uuid": ASPECTS_UUID}
#: The preference of the user's language is looked up in one query, the table of boards in another.
PREFERENCE, TABLE = 1, 1


def board(number: int, slug: str, language: str, title: str, block_type: str = "", **values: Any) -> Provisioned:
    values = {"embedded_uuid": embedded(number), "position": number, **values}
    return Provisioned(
        slug=slug,
        language=language,
        title=title,
        dashboard_uuid=f"dddddddd-0000-0000-0000-{number:012}",
        hash="0" * 64,
        block_type=block_type,
        **values,
    )


def embedded(number: int) -> str:
    return f"eeeeeeee-0000-0000-0000-{number:012}"


BOARDS = [
    board(1, "course", "en", "Course"),
    board(2, "course", "es-419", "Curso"),
    board(3, "at-risk", "en", "At risk", position=2),
    board(4, "at-risk", "es-419", "En riesgo", position=2),
    # Not embedded yet.
    board(5, "forum", "en", "Forum", embedded_uuid=""),
    board(6, "own-labs", "", "Labs of Physics", position=1000),
    board(7, "in-context-problem", "en", "Problem", "problem"),
    board(8, "in-context-problem", "es-419", "Problema", "problem"),
    board(9, "in-context-course", "en", "Course", "course"),
]


@pytest.fixture
def provisioned(settings: Any) -> None:
    """Reports are on, and boards are in Superset."""
    settings.ASPECTS_REPORTING_ENABLED = True
    record(BOARDS)


def speaker(language: str | None) -> User:
    user = make_user()
    if language is not None:
        UserPreference.objects.create(user=user, key="pref-lang", value=language)
    return user


def tabs(user: User) -> list[tuple[str, str]]:
    return [(dashboard.name, dashboard.uuid) for dashboard in shown.instructor_dashboards_for(user)]


ENGLISH = [("Course", embedded(1)), ("At risk", embedded(3)), ("Labs of Physics", embedded(6))]
SPANISH = [("Curso", embedded(2)), ("En riesgo", embedded(4)), ("Labs of Physics", embedded(6))]


# The defaults


@pytest.mark.usefixtures("provisioned")
@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("es-419", SPANISH),
        ("es_419", SPANISH),
        ("ES-419", SPANISH),
        ("en", ENGLISH),
        ("en-gb", ENGLISH),
        # Superset has no French boards here.
        ("fr", ENGLISH),
        ("es", ENGLISH),
        ("", ENGLISH),
        (None, ENGLISH),
    ],
)
def test_boards_are_shown_in_the_users_language_or_in_english(
    language: str | None, expected: Any, settings: Any
) -> None:
    # That setting is about the dashboards of Aspects.
    settings.SUPERSET_DASHBOARD_LOCALES = ["fr"]
    assert tabs(speaker(language)) == expected


@pytest.mark.usefixtures("provisioned")
def test_a_board_in_a_language_serves_its_regions_too() -> None:
    record([board(10, "course", "fr", "Cours")])
    assert tabs(speaker("fr-ca"))[0] == ("Cours", embedded(10))


@pytest.mark.usefixtures("provisioned")
def test_a_board_without_english_is_shown_in_the_language_that_it_has() -> None:
    record([board(10, "forum", "fr", "Discussions")])
    assert ("Discussions", embedded(10)) in tabs(speaker("es-419"))


def test_the_dashboards_of_aspects_stay_until_boards_are_in_superset(settings: Any) -> None:
    user = speaker(None)
    before = (shown.instructor_dashboards_for(user), shown.token_uuids_for(user), shown.listed())
    assert [dashboard.slug for dashboard in before[0]] == [
        *("course-dashboard-en", "individual-learner-en", "learner-groups-en")
    ]
    assert len(before[1]) == 2 * (3 + 4)
    settings.ASPECTS_REPORTING_ENABLED = True
    assert (shown.instructor_dashboards_for(user), shown.token_uuids_for(user), shown.listed()) == before
    # A run that has just begun: nothing is embedded.
    record([board(5, "forum", "en", "Forum", embedded_uuid="")])
    assert (shown.instructor_dashboards_for(user), shown.token_uuids_for(user), shown.listed()) == before


def test_boards_for_one_place_do_not_replace_the_dashboards_of_the_other(settings: Any) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True
    record([board(7, "in-context-problem", "en", "Problem", "problem")])
    user = speaker(None)
    assert [dashboard.is_own for dashboard in shown.instructor_dashboards_for(user)] == [False] * 3
    assert shown.in_context_dashboard_for(user, "problem").uuid == embedded(7)
    # Ours replace all of Aspects', which a site without Aspects does not have.
    assert shown.in_context_dashboard_for(user, "video") is None


# Studio


@pytest.mark.usefixtures("provisioned")
def test_boards_of_studio_have_the_filters_of_aspects() -> None:
    assert shown.in_context_dashboard_for(speaker("es-419"), "problem") == Dashboard(
        "Problema",
        "in-context-problem",
        embedded(8),
        allow_translations=False,
        course_filter_ids=("NATIVE_FILTER-29CPcbirK",),
        block_filter_ids=("NATIVE_FILTER-TJwItQhUI",),
        language="es-419",
        is_own=True,
    )
    course = shown.in_context_dashboard_for(speaker("fr"), "course")
    assert (course.uuid, course.course_filter_ids, course.block_filter_ids) == (
        embedded(9),
        ("NATIVE_FILTER-QLQbulmHH",),
        (),
    )
    assert shown.in_context_dashboard_for(speaker("en"), "html") is None


@pytest.mark.usefixtures("provisioned")
def test_entries_for_studio_may_name_boards_and_other_filters(settings: Any) -> None:
    settings.ASPECTS_IN_CONTEXT_DASHBOARDS = {
        "problem": {"slug": "in-context-problem"},
        "poll": {"slug": "in-context-problem", "name": "Poll", "block_filter_ids": ["NATIVE_FILTER-mine"]},
        "video": {**ASPECTS, "course_filter_ids": ["NATIVE_FILTER-theirs"]},
    }
    user = speaker(None)
    found = {name: shown.in_context_dashboard_for(user, name) for name in ("problem", "poll", "video", "course")}
    assert found.pop("course") is None
    assert {name: (each.name, each.uuid) for name, each in found.items()} == {
        "problem": ("Problem", embedded(7)),
        "poll": ("Poll", embedded(7)),
        "video": ("Course Dashboard", ASPECTS_UUID),
    }
    assert found["problem"].block_filter_ids == ("NATIVE_FILTER-TJwItQhUI",)
    assert found["poll"].course_filter_ids == ("NATIVE_FILTER-29CPcbirK",)
    assert found["poll"].block_filter_ids == ("NATIVE_FILTER-mine",)
    assert found["video"].course_filter_ids == ("NATIVE_FILTER-theirs",)


# Settings win


@pytest.mark.usefixtures("provisioned")
def test_an_entry_with_a_uuid_is_shown_as_it_is_and_one_without_names_a_board(settings: Any) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["en", "es-419"]
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        {**ASPECTS, "allow_translations": True},
        {"slug": "at-risk"},
        {**ASPECTS, "name": "Mine", "slug": "course"},
        {"slug": "course", "name": "The whole course"},
    ]
    assert tabs(speaker("es-419")) == [
        ("Course Dashboard", "735d0451-0ff9-5157-93db-b748c814550f"),
        ("En riesgo", embedded(4)),
        ("Mine", ASPECTS_UUID),
        ("The whole course", embedded(2)),
    ]


@pytest.mark.usefixtures("provisioned")
def test_the_settings_of_tutors_plugin_stay_as_they_are(settings: Any, django_assert_num_queries: Any) -> None:
    """It writes one dashboard where Aspects has no personal data."""
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [{**ASPECTS, "allow_translations": True}]
    user = speaker("es-419")
    with django_assert_num_queries(PREFERENCE):
        assert tabs(user) == [("Course Dashboard", ASPECTS_UUID_EN)]


def test_settings_that_equal_the_defaults_show_the_dashboards_of_aspects(
    settings: Any, django_assert_num_queries: Any
) -> None:
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = copy.deepcopy(defaults()["ASPECTS_INSTRUCTOR_DASHBOARDS"])
    record(BOARDS)
    user = speaker(None)
    with django_assert_num_queries(PREFERENCE):
        assert [name for name, _uuid in tabs(user)] == [
            *("Course Dashboard", "Individual Learner Dashboard", "At-Risk Learners Dashboard")
        ]


@pytest.mark.usefixtures("provisioned")
def test_a_board_that_is_not_in_superset_is_left_out_and_named_in_the_log(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [{"slug": "forum"}, {"slug": "course"}]
    with caplog.at_level(logging.ERROR, logger=shown.__name__):
        assert tabs(speaker(None)) == [("Course", embedded(1))]
    (line,) = [entry.getMessage() for entry in caplog.records if entry.name == shown.__name__]
    assert line == (
        "ASPECTS_INSTRUCTOR_DASHBOARDS[0] names the board 'forum', which is not in Superset. Boards in Superset: "
        "course, at-risk, in-context-problem, in-context-course, own-labs. Run aspects_provision, or correct the "
        "setting."
    )


def test_boards_are_not_shown_while_reports_are_off(
    settings: Any, caplog: pytest.LogCaptureFixture, django_assert_num_queries: Any
) -> None:
    record(BOARDS)
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [{"slug": "course"}]
    user = speaker("es-419")
    with caplog.at_level(logging.ERROR, logger=shown.__name__), django_assert_num_queries(0):
        assert shown.instructor_dashboards_for(user) == []
        assert embedded(1) not in shown.token_uuids_for(user)
    assert "is not in Superset. ASPECTS_REPORTING_ENABLED is False." in caplog.text


# Guest tokens


@pytest.mark.usefixtures("provisioned")
def test_a_token_opens_the_boards_that_pages_show_this_user() -> None:
    assert shown.token_uuids_for(speaker("es-419")) == [embedded(number) for number in (2, 4, 6, 8, 9)]
    assert shown.token_uuids_for(speaker("fr")) == [embedded(number) for number in (1, 3, 6, 7, 9)]


@pytest.mark.usefixtures("provisioned")
def test_a_token_opens_dashboards_of_the_settings_in_every_language_beside_boards(settings: Any) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["en"]
    settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS = False
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [{"slug": "at-risk"}, {**ASPECTS, "allow_translations": True}]
    assert shown.token_uuids_for(speaker("es-419")) == [ASPECTS_UUID, ASPECTS_UUID_EN, embedded(4)]


# Queries


@pytest.mark.usefixtures("provisioned")
def test_a_request_reads_the_table_once(django_assert_num_queries: Any) -> None:
    user = speaker("es-419")
    calls = (
        lambda: shown.instructor_dashboards_for(user),
        lambda: shown.in_context_dashboard_for(user, "problem"),
        lambda: shown.token_uuids_for(user),
        lambda: shown.offered_to(user),
        lambda: shown.in_language_of(user, embedded(1)),
    )
    for call in calls:
        with django_assert_num_queries(TABLE + PREFERENCE):
            call()
    with django_assert_num_queries(TABLE):
        shown.listed()


@pytest.mark.parametrize("reports", [True, False])
def test_a_site_that_needs_no_board_is_asked_nothing(
    reports: bool, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.ASPECTS_REPORTING_ENABLED = reports
    if reports:
        settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [ASPECTS]
        settings.ASPECTS_IN_CONTEXT_DASHBOARDS = {"video": ASPECTS}
    user = speaker(None)
    with django_assert_num_queries(PREFERENCE):
        shown.instructor_dashboards_for(user)
    with django_assert_num_queries(PREFERENCE):
        shown.in_context_dashboard_for(user, "video")
    with django_assert_num_queries(0):
        shown.token_uuids_for(user)
        shown.offered_to(user)
        shown.listed()


# Components


@pytest.mark.usefixtures("provisioned")
def test_the_editor_offers_english_boards_named_in_the_authors_language(settings: Any) -> None:
    offered = [(dashboard.name, dashboard.uuid) for dashboard in shown.offered_to(speaker("es-419"))]
    assert offered == [("Curso", embedded(1)), ("En riesgo", embedded(3)), ("Labs of Physics", embedded(6))]
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        {**ASPECTS, "allow_translations": True},
        {"slug": "at-risk", "name": "Mine"},
        {"slug": "lost"},
    ]
    offered = [(dashboard.name, dashboard.uuid) for dashboard in shown.offered_to(None)]
    assert offered == [("Course Dashboard", ASPECTS_UUID), ("Mine", embedded(3))]


@pytest.mark.usefixtures("provisioned")
def test_a_component_shows_each_reader_the_board_in_their_language(settings: Any) -> None:
    assert shown.in_language_of(speaker("es-419"), embedded(1)) == embedded(2)
    assert shown.in_language_of(speaker("fr"), embedded(2)) == embedded(1)
    assert shown.in_language_of(speaker("es-419"), ASPECTS_UUID) == ASPECTS_UUID
    settings.ASPECTS_REPORTING_ENABLED = False
    assert shown.in_language_of(speaker("es-419"), embedded(1)) == embedded(1)


# Checks


@pytest.mark.usefixtures("provisioned")
def test_what_is_listed_has_boards_in_every_language_and_names_the_absent(settings: Any) -> None:
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [ASPECTS, {"slug": "at-risk"}, {"slug": "lost"}]
    found = shown.listed()
    assert {name: [each.uuid for each in dashboards] for name, dashboards in found.dashboards.items()} == {
        "ASPECTS_INSTRUCTOR_DASHBOARDS": [ASPECTS_UUID, embedded(3), embedded(4)],
        "ASPECTS_IN_CONTEXT_DASHBOARDS": [embedded(7), embedded(8), embedded(9)],
    }
    assert [text.partition(",")[0] for text in found.absent] == [
        "ASPECTS_INSTRUCTOR_DASHBOARDS[2] names the board 'lost'"
    ]


def test_an_entry_that_names_a_board_while_reports_are_off_is_found_at_start_up(settings: Any) -> None:
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [ASPECTS, {"slug": "course"}]
    settings.ASPECTS_IN_CONTEXT_DASHBOARDS = {"video": {"slug": "in-context-video"}}
    found = [(warning.id, warning.msg) for warning in check_dashboards(None)]
    assert found == [
        (
            "platform_plugin_aspects.W023",
            "ASPECTS_INSTRUCTOR_DASHBOARDS[1] names the board 'course' of this plugin, which no page shows while "
            "ASPECTS_REPORTING_ENABLED is False.",
        ),
        (
            "platform_plugin_aspects.W023",
            "ASPECTS_IN_CONTEXT_DASHBOARDS['video'] names the board 'in-context-video' of this plugin, which no page "
            "shows while ASPECTS_REPORTING_ENABLED is False.",
        ),
    ]
    settings.ASPECTS_REPORTING_ENABLED = True
    assert check_dashboards(None) == []
