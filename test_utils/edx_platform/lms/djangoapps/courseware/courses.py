"""Courses, for the LMS's pages."""

from typing import Any

from django.http import Http404
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import modulestore


def get_course_by_id(course_key: CourseKey, depth: int | None = 0) -> Any:
    """Return the course block; Http404 when there is none."""
    course = modulestore().get_course(course_key, depth=depth)
    if course is None:
        raise Http404(f"Course not found: {course_key}.")
    return course
