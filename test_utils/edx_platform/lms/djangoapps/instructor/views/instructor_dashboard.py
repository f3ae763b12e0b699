"""The legacy instructor dashboard."""

import logging
from typing import Any

from common.djangoapps.edxmako.shortcuts import render_to_response
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseServerError
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import ensure_csrf_cookie
from lms.djangoapps.courseware.courses import get_course_by_id
from lms.djangoapps.instructor.permissions import VIEW_DASHBOARD
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey
from openedx_filters.learning.filters import InstructorDashboardRenderStarted

log = logging.getLogger(__name__)


@ensure_csrf_cookie
@cache_control(no_cache=True, no_store=True, must_revalidate=True)
def instructor_dashboard_2(request: HttpRequest, course_id: str) -> HttpResponse:
    """The page, for those who may see it; for all others there is none."""
    try:
        course_key = CourseKey.from_string(course_id)
    except InvalidKeyError:
        log.error("Unable to find course with course key %s while loading the Instructor Dashboard.", course_id)
        return HttpResponseServerError()
    course = get_course_by_id(course_key, depth=None)
    if not request.user.has_perm(VIEW_DASHBOARD, course_key):
        raise Http404
    context, template = InstructorDashboardRenderStarted.run_filter(
        context={"course": course, "sections": [_section_course_info(course)]},
        template_name="instructor/instructor_dashboard_2/instructor_dashboard_2.html",
    )
    return render_to_response(template, context, request)


def _section_course_info(course: Any) -> dict[str, Any]:
    return {
        "section_key": "course_info",
        "section_display_name": _("Course Info"),
        "course_id": str(course.id),
        "course_display_name": course.display_name_with_default,
    }
