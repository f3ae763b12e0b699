"""REST permissions, quirks included."""

from typing import Any

from common.djangoapps.student.roles import CourseStaffRole
from django.http import HttpRequest
from rest_framework.permissions import SAFE_METHODS, BasePermission


class IsStaffOrReadOnly(BasePermission):
    """Course staff may write; **everybody** may read, whatever the course: no protection for a GET."""

    def has_object_permission(self, request: HttpRequest, view: Any, obj: Any) -> bool:
        """True for any safe method, else for global and course staff of ``obj.course_id``."""
        return (
            request.method in SAFE_METHODS
            or request.user.is_staff
            or CourseStaffRole(obj.course_id).has_user(request.user)
        )
