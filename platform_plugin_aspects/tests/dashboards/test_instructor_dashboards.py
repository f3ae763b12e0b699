"""The instructor dashboards show the reports to the course team, and are shown whatever happens to the reports."""

from __future__ import annotations

import json
import logging
import socket
from html.parser import HTMLParser
from typing import Any

import pytest
from common.djangoapps.student.roles import (
    CourseBetaTesterRole,
    CourseDataResearcherRole,
    CourseInstructorRole,
    CourseLimitedStaffRole,
    CourseStaffRole,
    GlobalStaff,
    OrgStaffRole,
)
from crum import impersonate
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_api.models import UserPreference
from openedx_filters.learning.filters import InstructorDashboardRenderStarted, InstructorDashboardTabsRequested

from platform_plugin_aspects.dashboards.dashboard_settings import instructor_entries, localized
from platform_plugin_aspects.extensions import filters
from platform_plugin_aspects.settings import common
from test_utils.factories import make_course, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lms", "pipelines", "empty_store", "superset")]

KEY = CourseKey.from_string("course-v1:Org+Filters+Run")
OTHER = CourseKey.from_string("course-v1:Org+Filters+Other")

LEGACY = "org.openedx.learning.instructor.dashboard.render.started.v1"
NEW = "org.openedx.learning.instructor.dashboard.tabs.requested.v1"


@pytest.fixture
def pipelines(settings: Any) -> None:
    """The filters as operators configure them; an error in a step is an error."""
    settings.OPEN_EDX_FILTERS_CONFIG = {
        filter_type: {"fail_silently": False, "pipeline": [f"{filters.__name__}.{step}"]}
        for filter_type, step in ((LEGACY, "AddSupersetTab"), (NEW, "AddSupersetTabToInstructorDashboard"))
    }


@pytest.fixture
def superset(settings: Any) -> None:
    """The site uses a Superset."""
    settings.SUPERSET_CONFIG = {"service_url": "https://superset.example.com/"}


@pytest.fixture
def course_key() -> CourseKey:
    return make_course(KEY)


@pytest.fixture
def staff() -> User:
    user = make_user()
    CourseStaffRole(KEY).add_users(user)
    return user


@pytest.fixture
def staff_client(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


class _Course:
    id = KEY


def sections_for(user: Any) -> list[dict[str, Any]]:
    """The sections that the filter adds to a legacy dashboard without sections."""
    with impersonate(user):
        context, template_name = InstructorDashboardRenderStarted.run_filter(
            {"course": _Course, "sections": []}, "a.html"
        )
    assert template_name == "a.html"
    assert context["course"] is _Course
    return context["sections"]


def tabs_for(user: Any) -> list[dict[str, Any]]:
    """The tabs that the filter adds to a new dashboard without tabs."""
    tabs, same_user, same_key = InstructorDashboardTabsRequested.run_filter([], user, KEY)
    assert same_user is user
    assert same_key is KEY
    return tabs


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        (None, False),
        (CourseStaffRole(OTHER), False),
        (CourseBetaTesterRole(KEY), False),
        (OrgStaffRole("Other"), False),
        (CourseLimitedStaffRole(KEY), True),
        (CourseDataResearcherRole(KEY), True),
        (CourseStaffRole(KEY), True),
        (CourseInstructorRole(KEY), True),
        (OrgStaffRole("Org"), True),
        (GlobalStaff(), True),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "has_user") else None,
)
def test_only_the_course_team_sees_the_reports(role: Any, sees: bool) -> None:
    user = make_user()
    if role:
        role.add_users(user)
    assert len(sections_for(user)) == len(tabs_for(user)) == sees


@pytest.mark.parametrize("user", [None, AnonymousUser()], ids=["nobody", "anonymous"])
def test_anonymous_visitors_see_no_reports(user: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert sections_for(user) == tabs_for(user) == []
    assert caplog.text == ""


def test_the_section_embeds_the_dashboards(staff: User, settings: Any) -> None:
    settings.STATIC_URL = "https://cdn.example/static/"
    (section,) = sections_for(staff)
    assert section.pop("element").startswith("<aspects-dashboards data-config=")
    assert section == {
        "section_key": "aspects",
        "section_display_name": "Reports",
        "template_path_prefix": "/instructor_dashboard/",
        "course_id": str(KEY),
        "script_url": "https://cdn.example/static/platform_plugin_aspects/dist/aspects-dashboards.js",
    }


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("http://apps.example.com/instructor-dashboard", "/instructor-dashboard"),  # Tutor's
        ("https://apps.example.com/instructor-dashboard/", "/instructor-dashboard"),
        ("https://instructor.example.com", ""),
        ("https://instructor.example.com/", ""),
        ("/apps/instructor-dashboard", "/apps/instructor-dashboard"),
    ],
)
def test_the_tab_leads_to_the_micro_frontend(
    address: str, base: str, staff_client: Client, course_key: CourseKey, settings: Any
) -> None:
    settings.INSTRUCTOR_MICROFRONTEND_URL = address
    *theirs, ours = staff_client.get(f"/api/instructor/v2/courses/{course_key}").json()["tabs"]
    base = f"{base}/course-v1:Org+Filters+Run"
    assert ours == {"tab_id": "aspects", "title": "Reports", "url": f"{base}/aspects", "sort_order": 120}
    assert [tab["url"] for tab in theirs] == [f"{base}/course_info", f"{base}/enrollments"]


@pytest.mark.parametrize("address", [None, "", "apps.example.com/instructor-dashboard", "http://[", 5])
def test_the_tab_needs_the_address_of_the_micro_frontend(
    address: Any, staff: User, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.INSTRUCTOR_MICROFRONTEND_URL = address
    assert tabs_for(staff) == []
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    assert f"INSTRUCTOR_MICROFRONTEND_URL is {address!r}: set it to the address of" in record.getMessage()


def test_the_setting_may_be_missing(staff: User, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    del settings.INSTRUCTOR_MICROFRONTEND_URL
    assert tabs_for(staff) == []
    assert "INSTRUCTOR_MICROFRONTEND_URL is None: set it" in caplog.text


def test_names_are_translated(staff: User, staff_client: Client, course_key: CourseKey) -> None:
    UserPreference.objects.create(user=staff, key="pref-lang", value="fr")
    page = staff_client.get(f"/courses/{course_key}/instructor").content.decode()
    assert ">Rapports</button>" in page
    assert ">Rapports</h3>" in page
    assert Page(page).configs[0]["dashboards"][0]["name"] == "Tableau de bord du cours"
    assert staff_client.get(f"/api/instructor/v2/courses/{course_key}").json()["tabs"][-1]["title"] == "Rapports"


class Page(HTMLParser):
    """The configuration of the elements, the addresses of the scripts, and inline code that a strict policy forbids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.configs: list[Any] = []
        self.scripts: list[str] = []
        self.tags: list[str] = []
        self.inline: list[str] = []
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        self._in_script = tag in ("script", "style")
        self.inline += [f"{tag} {name}" for name in attributes if name == "style" or name.startswith("on")]
        if tag == "aspects-dashboards":
            self.configs.append(json.loads(attributes["data-config"] or ""))
        if tag == "script":
            self.scripts.append(attributes.get("src") or "")

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.inline.append(data)
        self._in_script = False


def page_of(client: Client) -> Page:
    answer = client.get(f"/courses/{KEY}/instructor")
    assert answer.status_code == 200
    return Page(answer.content.decode())


def test_the_page_loads_the_script_and_shows_the_element(staff_client: Client, course_key: CourseKey) -> None:
    page = page_of(staff_client)
    (config,) = page.configs
    assert config["guestTokenUrl"] == f"/aspects/superset_guest_token/{KEY}"
    assert config["supersetUrl"] == "https://superset.example.com/"
    assert config["summaryUrl"] == ""
    assert [(shown["name"], shown["uuid"]) for shown in config["dashboards"]] == [
        (dashboard.name, localized(dashboard, "en").uuid) for dashboard in instructor_entries()
    ]
    assert page.scripts[-1] == "/static/platform_plugin_aspects/dist/aspects-dashboards.js"
    assert page.inline == []


def test_without_the_bundle_the_page_says_so(
    staff_client: Client, course_key: CourseKey, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.STATICFILES_FINDERS = []
    html = staff_client.get(f"/courses/{KEY}/instructor").content.decode()
    assert "The dashboards cannot be shown: their script is missing from this installation." in html
    page = Page(html)
    assert page.configs == []
    assert not [script for script in page.scripts if "aspects" in script]
    (record,) = [found for found in caplog.records if found.name.startswith("platform_plugin_aspects")]
    assert record.levelno == logging.ERROR
    assert "make wheel" in record.getMessage()


def test_the_dashboards_are_in_the_user_s_language(
    staff: User, staff_client: Client, course_key: CourseKey, settings: Any
) -> None:
    settings.SUPERSET_DASHBOARD_LOCALES = ["en", "fr"]
    UserPreference.objects.create(user=staff, key="pref-lang", value="fr")
    (config,) = page_of(staff_client).configs
    assert config["dashboards"][0]["uuid"] == localized(instructor_entries()[0], "fr").uuid


AWKWARD = "</script><script>alert(1)</script> \"quoted\" 'and' &amp; <b> ${1 + 1} \\ \u2028 é"


def test_awkward_text_is_only_text(staff_client: Client, settings: Any) -> None:
    make_course(KEY, display_name=AWKWARD)
    plain = page_of(staff_client)
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = [
        {"name": AWKWARD, "slug": "a", "uuid": "c0e64194-33d1-4d5a-8c10-4f51530c5ee9", "allow_translations": False}
    ]
    settings.SUPERSET_CONFIG = {**settings.SUPERSET_CONFIG, "service_url": "https://superset.example/'\"><b>/"}
    settings.STATIC_URL = "/\"'><b>&/"
    page = page_of(staff_client)
    (config,) = page.configs
    assert config["dashboards"][0]["name"] == AWKWARD
    assert page.scripts[-1].startswith(settings.STATIC_URL)
    assert page.tags == plain.tags
    assert page.inline == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", [{"name": "One", "slug": "one", "uuid": "1"}]),
        ("ASPECTS_INSTRUCTOR_DASHBOARDS", 5),
        ("SUPERSET_CONFIG", {"service_url": "superset:8088", "password": "s3cret"}),
        ("SUPERSET_CONFIG", "s3cret"),
        ("SUPERSET_DASHBOARD_LOCALES", 5),
    ],
)
def test_the_page_is_shown_when_settings_are_wrong(
    name: str,
    value: Any,
    staff_client: Client,
    course_key: CourseKey,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    setattr(settings, name, value)
    page = page_of(staff_client)
    assert page.configs == []
    (record,) = [record for record in caplog.records if record.name == filters.__name__]
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    assert record.getMessage().startswith("The instructor dashboard is shown without reports: ")
    assert name in record.getMessage()
    assert "s3cret" not in caplog.text


def test_the_page_is_shown_when_something_fails(
    staff: User, staff_client: Client, course_key: CourseKey, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    del settings.SERVICE_VARIANT  # what permissions are asked for
    assert page_of(staff_client).configs == []
    assert tabs_for(staff) == []
    assert [record.exc_info is None for record in caplog.records if record.name == filters.__name__] == [False, False]


def test_superset_is_not_asked(staff_client: Client, course_key: CourseKey, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as superset:
        superset.setblocking(False)
        settings.SUPERSET_CONFIG = {"service_url": f"http://127.0.0.1:{superset.getsockname()[1]}/"}
        assert len(page_of(staff_client).configs) == 1
        with pytest.raises(BlockingIOError):  # nobody has connected
            superset.accept()


def test_numbers_are_above_the_dashboards_while_reports_are_on(
    staff: User, staff_client: Client, course_key: CourseKey, settings: Any
) -> None:
    settings.ASPECTS_REPORTING_ENABLED = True
    (config,) = page_of(staff_client).configs
    assert config["summaryUrl"] == f"/aspects/course_summary/{KEY}"
    assert len(config["dashboards"]) > 0
    assert len(tabs_for(staff)) == 1


def test_a_site_without_superset_shows_the_numbers_alone(
    staff: User, staff_client: Client, course_key: CourseKey, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    del settings.SUPERSET_CONFIG
    # They are not looked at.
    settings.ASPECTS_INSTRUCTOR_DASHBOARDS = 5
    settings.ASPECTS_REPORTING_ENABLED = True
    (config,) = page_of(staff_client).configs
    assert (config["summaryUrl"], config["supersetUrl"]) == (f"/aspects/course_summary/{KEY}", "")
    assert config["dashboards"] == []
    # The micro-frontend shows no numbers.
    assert tabs_for(staff) == []
    assert caplog.text == ""


def test_a_site_with_neither_reports_nor_superset_has_no_section(
    staff: User, staff_client: Client, course_key: CourseKey, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SUPERSET_CONFIG = common.defaults()["SUPERSET_CONFIG"]
    assert page_of(staff_client).configs == []
    assert tabs_for(staff) == []
    assert caplog.text == ""
