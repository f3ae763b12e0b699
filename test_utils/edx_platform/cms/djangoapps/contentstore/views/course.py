"""Making courses, as Studio does."""

from typing import Any

from common.djangoapps.student.auth import add_users
from common.djangoapps.student.models import CourseEnrollment
from common.djangoapps.student.roles import CourseInstructorRole, CourseStaffRole
from django.contrib.auth.models import User
from opaque_keys.edx.locator import CourseLocator
from xmodule.modulestore import ModuleStoreEnum
from xmodule.modulestore.blocks import CourseBlock
from xmodule.modulestore.django import modulestore
from xmodule.modulestore.exceptions import DuplicateCourseError, DuplicateItemError


def create_new_course_in_store(
    store: str, user: User, org: str, number: str, run: str, fields: dict[str, Any]
) -> CourseBlock:
    """Make a course and publish it, with the user as its instructor and first learner.

    ``fields`` gets the site's language. A user who is not active gets PermissionDenied, after the course was made.
    """
    fields.update({"language": "en"})
    if store != ModuleStoreEnum.Type.split:
        raise ValueError(f"Cannot find store of type {store}")
    course_key = CourseLocator(org, number, run)
    try:
        modulestore().create_course(course_key, {"fields": fields})
    except DuplicateItemError:
        raise DuplicateCourseError(course_key, course_key) from None
    modulestore().publish(course_key)
    CourseInstructorRole(course_key).add_users(user)
    add_users(user, CourseStaffRole(course_key), user)
    CourseEnrollment.enroll(user, course_key)
    return modulestore().get_course(course_key)
