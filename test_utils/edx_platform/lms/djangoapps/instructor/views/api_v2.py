"""The API of the new instructor dashboard, a micro-frontend."""

from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from lms.djangoapps.courseware.courses import get_course_by_id
from lms.djangoapps.instructor.permissions import VIEW_DASHBOARD
from opaque_keys.edx.keys import CourseKey
from openedx_filters.learning.filters import InstructorDashboardTabsRequested
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class CourseMetadataView(APIView):
    """The micro-frontend's first request; here, its tabs only."""

    authentication_classes = (SessionAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request, course_id: str) -> Response:
        """Return the tabs; 403 for those who may not see the dashboard."""
        course = get_course_by_id(CourseKey.from_string(course_id))
        if not request.user.has_perm(VIEW_DASHBOARD, course.id):
            raise PermissionDenied
        # Paths: the micro-frontend treats a url that does not begin with "/" as another site's.
        base = f"{urlsplit(settings.INSTRUCTOR_MICROFRONTEND_URL).path.rstrip('/')}/{course.id}"
        tabs = [
            {"tab_id": "course_info", "title": _("Course Info"), "url": f"{base}/course_info", "sort_order": 10},
            {"tab_id": "enrollments", "title": _("Enrollments"), "url": f"{base}/enrollments", "sort_order": 20},
        ]
        tabs, _user, _course_key = InstructorDashboardTabsRequested.run_filter(
            tabs=tabs, user=request.user, course_key=course.id
        )
        return Response({"course_id": str(course.id), "tabs": tabs})
