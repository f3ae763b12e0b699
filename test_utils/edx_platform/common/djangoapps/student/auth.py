"""Rights in Studio."""

from typing import Any

from common.djangoapps.student.roles import (
    CourseInstructorRole,
    CourseLimitedStaffRole,
    CourseStaffRole,
    GlobalStaff,
    OrgInstructorRole,
    OrgStaffRole,
)
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from opaque_keys.edx.keys import CourseKey


def has_studio_read_access(user: Any, course_key: CourseKey) -> bool:
    """Tell whether the user may see the course in Studio.

    Nobody may for a CCX. Limited staff may not, although they are staff in the LMS; data researchers neither.
    """
    course_key = course_key.for_branch(None)
    if getattr(course_key, "ccx", None):
        return False
    if GlobalStaff().has_user(user) or any(
        role.has_user(user) for role in (OrgInstructorRole(course_key.org), CourseInstructorRole(course_key))
    ):
        return True
    if CourseLimitedStaffRole(course_key).has_user(user):
        return False
    return OrgStaffRole(course_key.org).has_user(user) or CourseStaffRole(course_key).has_user(user)


def add_users(caller: User, role: Any, *users: User) -> None:
    """Give the users a role in a course; PermissionDenied unless the caller is its instructor, or global staff."""
    may = GlobalStaff().has_user(caller) or CourseInstructorRole(role.course_key).has_user(caller)
    if not (caller.is_active and may):
        raise PermissionDenied
    role.add_users(*users)
