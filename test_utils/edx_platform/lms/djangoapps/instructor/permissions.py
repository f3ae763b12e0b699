"""Permissions of the instructor dashboard, asked for by ``user.has_perm(<name>, course_key)``."""

from typing import Any

import rules
from common.djangoapps.student.roles import (
    CourseDataResearcherRole,
    CourseInstructorRole,
    CourseStaffRole,
    GlobalStaff,
    OrgDataResearcherRole,
    OrgInstructorRole,
    OrgStaffRole,
)
from opaque_keys.edx.keys import CourseKey

VIEW_DASHBOARD = "instructor.dashboard"

COURSE_ROLES = (CourseStaffRole, CourseInstructorRole, CourseDataResearcherRole)
ORG_ROLES = (OrgStaffRole, OrgInstructorRole, OrgDataResearcherRole)


@rules.predicate
def may_view_dashboard(user: Any, course_key: CourseKey | None) -> bool:
    """Global staff, and whoever has a reporting role in the course or its organisation."""
    if GlobalStaff().has_user(user):
        return True
    if course_key is None:
        return False
    return any(role(course_key).has_user(user) for role in COURSE_ROLES) or any(
        role(course_key.org).has_user(user) for role in ORG_ROLES
    )


rules.add_perm(VIEW_DASHBOARD, may_view_dashboard)
