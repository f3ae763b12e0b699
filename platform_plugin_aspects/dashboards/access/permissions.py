"""Permissions: reports of a course need access to its instructor dashboard, or in Studio to the course itself.

The metrics of delivery are for the platform's staff.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from opaque_keys.edx.keys import CourseKey
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from platform_plugin_aspects import edx_platform


def may_see_reports(user: Any, course_key: CourseKey) -> bool:
    """Whether the user may see the reports of a course, by the rules of the service (LMS or CMS) that is asked.

    The answer does not say whether the course exists. Inactive users may not, although the platform lets them log in.
    Staff may not while they view the course as a learner: pass the request's user, because only it says so.
    """
    if not user.is_active or edx_platform.views_as_learner(user, course_key):
        return False
    if settings.SERVICE_VARIANT == "lms":
        return bool(user.has_perm("instructor.dashboard", course_key))
    return edx_platform.has_studio_read_access(user, course_key)


class MaySeeReports(BasePermission):
    """``may_see_reports`` of the course that the view's ``course_key`` names."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Allow whom the rule allows."""
        return may_see_reports(request.user, view.course_key)


class MaySeeMetrics(BasePermission):
    """The platform's staff, whom its admin site lets in, too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Allow active staff."""
        return bool(request.user.is_active and request.user.is_staff)
