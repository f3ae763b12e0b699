"""The stand-in's pages are as hard on a plugin as the platform's."""

from __future__ import annotations

from typing import Any

import pytest
from common.djangoapps.student.roles import CourseStaffRole
from crum import impersonate
from django.contrib.auth.models import AnonymousUser, User
from django.test import Client
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_api.models import UserPreference
from openedx_filters import PipelineStep
from workbench.runtime import WorkbenchRuntime
from xblock.core import XBlock

from test_utils.factories import make_course, make_course_key, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("lms")]


@XBlock.needs("user")
class NeedsUser(XBlock):
    """A block that asks who the user is."""


class AddSection(PipelineStep):
    """A plugin's section that is rendered by a template of the platform's."""

    def run_filter(self, context: dict[str, Any], template_name: str) -> dict[str, Any]:
        section = {
            "section_key": "course_info",
            "section_display_name": "<Theirs>",
            "template_path_prefix": "/instructor/instructor_dashboard_2/",
            "course_id": str(context["course"].id),
            "course_display_name": "<b>",
        }
        return {"context": {**context, "sections": [*context["sections"], section]}, "template_name": template_name}


@pytest.fixture
def course_key() -> CourseKey:
    return make_course(display_name="<Course>")


@pytest.fixture
def staff(course_key: CourseKey) -> User:
    user = make_user()
    CourseStaffRole(course_key).add_users(user)
    return user


def test_the_legacy_dashboard(client: Client, staff: User, course_key: CourseKey, settings: Any) -> None:
    settings.OPEN_EDX_FILTERS_CONFIG = {
        "org.openedx.learning.instructor.dashboard.render.started.v1": [f"{__name__}.AddSection"]
    }
    client.force_login(staff)
    page = client.get(f"/courses/{course_key}/instructor")
    text = page.content.decode()
    assert page.status_code == 200
    assert text.count('<section id="course_info" class="idash-section"') == 2
    assert "&lt;Theirs&gt;" in text
    assert "<dd>&lt;b&gt;</dd>" in text
    assert "&lt;Course&gt;" in text
    assert text.index("instructor/amd.js") < text.index("<body>")
    assert 'dir="ltr"' in text
    assert page["Referrer-Policy"] == "same-origin"
    assert page["Cache-Control"] == "no-cache, no-store, must-revalidate"
    assert page["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe-inline" not in page["Content-Security-Policy"]


def test_there_is_no_legacy_dashboard_for_others(client: Client, staff: User, course_key: CourseKey) -> None:
    def status(key: CourseKey | str) -> int:
        return client.get(f"/courses/{key}/instructor").status_code

    assert status(course_key) == 404
    client.force_login(make_user())
    assert status(course_key) == 404
    client.force_login(staff)
    assert status(make_course_key()) == 404
    assert status("course-v1:a+b+c+d") == 500


def test_the_new_dashboard(client: Client, staff: User, course_key: CourseKey) -> None:
    url = f"/api/instructor/v2/courses/{course_key}"
    assert client.get(url).status_code == 403
    client.force_login(make_user())
    assert client.get(url).status_code == 403
    client.force_login(staff)
    answer = client.get(url).json()
    assert [tab["tab_id"] for tab in answer["tabs"]] == ["course_info", "enrollments"]
    assert answer["tabs"][0]["url"] == f"/instructor-dashboard/{course_key}/course_info"


def test_the_language_is_the_user_s(client: Client, staff: User, course_key: CourseKey) -> None:
    UserPreference.objects.create(user=staff, key="pref-lang", value="ar")
    client.force_login(staff)
    assert '<html lang="ar" dir="rtl">' in client.get(f"/courses/{course_key}/instructor").content.decode()


def test_the_login_page(client: Client, staff: User) -> None:
    staff.set_password("secret")
    staff.save()
    target = "/courses/course-v1:a+b+c/instructor"
    page = client.get("/login", {"next": target}).content.decode()
    assert f'name="next" value="{target}"' in page
    answer = client.post("/login", {"username": staff.username, "password": "secret", "next": target})
    assert (answer.status_code, client.session["_auth_user_id"]) == (302, str(staff.pk))
    assert client.get("/login").status_code == 302  # whoever is logged in need not do so again


def test_static_files_are_served(client: Client) -> None:
    assert b"".join(client.get("/static/admin/css/base.css").streaming_content)
    assert client.get("/static/none.css").status_code == 404


def test_the_workbench_knows_who_is_logged_in(staff: User) -> None:
    def attributes(user: Any) -> dict[str, Any]:
        with impersonate(user):
            return WorkbenchRuntime("student_1").service(NeedsUser, "user").get_current_user().opt_attrs

    assert attributes(AnonymousUser()) == {"edx-platform.is_authenticated": False}
    assert attributes(staff) == {
        "edx-platform.is_authenticated": True,
        "edx-platform.user_id": staff.id,
        "edx-platform.username": staff.username,
    }
