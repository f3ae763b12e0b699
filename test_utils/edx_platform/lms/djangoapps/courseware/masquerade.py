"""Staff who view a course as a learner."""

import json
from typing import Any

from common.djangoapps.student.models import CourseEnrollment
from django.http import HttpRequest, JsonResponse
from django.views import View
from lms.djangoapps.instructor.permissions import VIEW_DASHBOARD
from opaque_keys.edx.keys import CourseKey

#: In the session: {course key: CourseMasquerade}.
MASQUERADE_SETTINGS_KEY = "masquerade_settings"


class CourseMasquerade:
    """As whom somebody views a course: any learner ("student"), the learner ``user_name``, or "staff" again."""

    def __init__(self, course_key: CourseKey, role: str = "student", user_name: str | None = None) -> None:
        self.course_key = course_key
        self.role = role
        self.user_name = user_name


def setup_masquerade(
    request: HttpRequest, course_key: CourseKey, staff_access: bool = False
) -> tuple[CourseMasquerade | None, Any]:
    """Return as whom the course is viewed, and the user for whom its blocks are made.

    The settings are left on these two user objects: the same user, loaded anew, does not have them.
    """
    if request.user is None or not staff_access:
        return None, request.user
    masquerades = request.session.setdefault(MASQUERADE_SETTINGS_KEY, {})
    request.user.masquerade_settings = masquerades
    masquerade = masquerades.get(course_key)
    if not (masquerade and masquerade.user_name):
        return masquerade, request.user
    enrollment = CourseEnrollment.objects.filter(
        course_id=course_key, is_active=True, user__username=masquerade.user_name
    ).first()
    if enrollment is None:
        del masquerades[course_key]
        request.session.modified = True
        return None, request.user
    learner = enrollment.user
    learner.masquerade_settings = masquerades
    learner.real_user = request.user
    return masquerade, learner


def get_course_masquerade(user: Any, course_key: CourseKey) -> CourseMasquerade | None:
    """Return as whom this user object views the course."""
    return getattr(user, "masquerade_settings", {}).get(course_key)


def is_masquerading_as_student(user: Any, course_key: CourseKey) -> bool:
    """Tell whether this user object views the course as a learner. ``has_perm`` does not ask this."""
    masquerade = get_course_masquerade(user, course_key)
    return bool(masquerade and masquerade.role == "student")


class MasqueradeView(View):
    """The endpoint of the toolbar "View this course as"."""

    def post(self, request: HttpRequest, course_id: str) -> JsonResponse:
        """Remember as whom the course is viewed, for this session."""
        course_key = CourseKey.from_string(course_id)
        if not request.user.has_perm(VIEW_DASHBOARD, course_key):
            return JsonResponse({"success": False}, status=403)
        chosen = json.loads(request.body)
        masquerades = request.session.setdefault(MASQUERADE_SETTINGS_KEY, {})
        masquerades[course_key] = CourseMasquerade(course_key, chosen.get("role", "student"), chosen.get("user_name"))
        request.session.modified = True
        return JsonResponse({"success": True})
