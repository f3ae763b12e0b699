"""The endpoints for browsers: which dashboards to embed, and the token that opens them."""

from __future__ import annotations

import logging
from functools import cached_property
from types import UnionType
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from edx_rest_framework_extensions.auth.jwt.authentication import JwtAuthentication
from edx_rest_framework_extensions.auth.session.authentication import SessionAuthenticationAllowInactiveUser
from edx_rest_framework_extensions.permissions import NotJwtRestrictedApplication
from opaque_keys.edx.keys import CourseKey, UsageKey
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, exception_handler

from platform_plugin_aspects import content_keys, edx_platform
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.dashboards import shown
from platform_plugin_aspects.dashboards.access import tokens
from platform_plugin_aspects.dashboards.access.permissions import MaySeeReports, may_see_reports
from platform_plugin_aspects.dashboards.dashboard_settings import native_filters
from platform_plugin_aspects.dashboards.pages import serializers
from platform_plugin_aspects.dashboards.pages.summary import summary
from platform_plugin_aspects.dashboards.pages.summary_reading import CannotRead, ReportsMisconfigured, reading_of
from platform_plugin_aspects.dashboards.pages.throttling import ReportsThrottle
from platform_plugin_aspects.dashboards.superset.config import is_configured, service_url
from platform_plugin_aspects.dashboards.superset.errors import SupersetError
from platform_plugin_aspects.reporting.layout import reports_are_on
from platform_plugin_aspects.reporting.rules import Rules

log = logging.getLogger(__name__)


@method_decorator(cache_control(no_store=True), name="dispatch")
class AspectsView(APIView):
    """Base of all endpoints: authentication, and the form of errors."""

    http_method_names = ("get",)
    authentication_classes = (JwtAuthentication, SessionAuthenticationAllowInactiveUser)

    def get_exception_handler(self) -> Any:
        """Our own: sites shape errors as they like, and the callers of these endpoints know one shape."""
        return error_response


class ReportsView(AspectsView):
    """Base of the endpoints of reports: permission for a course, and throttling.

    Permission comes before existence, so that those who may see nothing cannot find out which courses there are.
    """

    permission_classes = (IsAuthenticated, NotJwtRestrictedApplication, MaySeeReports)
    throttle_classes = (ReportsThrottle,)

    #: The kinds of keys that the URL may hold.
    kind_of_key: type | UnionType = CourseKey

    @cached_property
    def key(self) -> CourseKey | UsageKey:
        """The key in the URL; NotFound when its text is not a key of these kinds."""
        (text,) = self.kwargs.values()
        key = content_keys.content_key(text)
        if key is None or not isinstance(key, self.kind_of_key):
            raise NotFound(_("There is no such course."))
        return key

    @property
    def course_key(self) -> CourseKey:
        """The course that is asked for, or whose block is."""
        course_key: CourseKey = content_keys.course_of_key(self.key)
        return course_key

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse who may not ask, then NotFound where there is no such course."""
        super().initial(request, *args, **kwargs)
        if not edx_platform.course_exists(self.course_key):
            raise NotFound(_("There is no such course."))


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """``detail`` for people and ``code`` for programs, where REST framework or Superset's client knows the error."""
    if isinstance(error, SupersetError):
        log.error("The dashboards cannot be shown: %s", error)
    if isinstance(error, SupersetError | CannotRead):
        failure = APIException(error.message, error.code)
        failure.status_code = error.status
        error = failure
    response = exception_handler(error, context)
    if response is not None:
        response.data["code"] = response.data["detail"].code
    return response


class GuestTokenView(ReportsView):
    """The guest token that opens the dashboards of one course."""

    @serializers.answers_with(serializers.GuestTokenSerializer)
    def get(self, request: Request, course_id: str) -> Response:
        """A token for all dashboards of a course, which shows rows of this course only.

        404 with the code "superset_off" where the site does not use Superset.
        """
        if not is_configured():
            raise NotFound(_("This site shows no dashboards of Superset."), "superset_off")
        token = tokens.guest_token(request.user, self.course_key, shown.token_uuids_for(request.user))
        return Response(serializers.GuestTokenSerializer({"guestToken": token}).data)


class InstructorDashboardView(ReportsView):
    """The dashboards that the instructor dashboard embeds."""

    @serializers.answers_with(serializers.InstructorDashboardSerializer)
    def get(self, request: Request, course_id: str) -> Response:
        """The dashboards of a course, in the user's language; none where the site does not use Superset."""
        url = service_url()
        token_path = reverse("platform_plugin_aspects:superset_guest_token", kwargs={"course_id": self.course_key})
        answer = {
            "superset_dashboards": shown.instructor_dashboards_for(request.user) if url else [],
            "superset_url": url,
            "superset_guest_token_url": request.build_absolute_uri(token_path) if url else "",
            "show_dashboard_link": bool(url) and settings.SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK,
        }
        return Response(serializers.InstructorDashboardSerializer(answer).data)


class InContextDashboardView(ReportsView):
    """The dashboard that Studio embeds beside a block or a course."""

    kind_of_key = CourseKey | UsageKey

    @serializers.answers_with(serializers.InContextDashboardSerializer)
    def get(self, request: Request, content_id: str) -> Response:
        """The dashboard for a block's type, or for a course, in the user's language, and its filters for each run."""
        block_type, block_id = "course", ""
        if isinstance(self.key, UsageKey):
            block_type, block_id = self.key.block_type, self.key.block_id
        dashboard = shown.in_context_dashboard_for(request.user, block_type)
        url = service_url()
        if dashboard is None or not url:
            raise NotFound(_("There is no dashboard for this kind of content."))
        known_runs = edx_platform.course_runs(self.course_key)
        runs = [self.course_key, *(run for run in known_runs if may_see_reports(request.user, run))]
        answer = {
            "dashboardId": dashboard.uuid,
            "supersetUrl": url,
            "courseRuns": {str(run): {"native_filters": native_filters(dashboard, run, block_id)} for run in runs},
            "defaultCourseRun": str(self.course_key),
        }
        return Response(serializers.InContextDashboardSerializer(answer).data)


class CourseSummaryView(ReportsView):
    """The numbers of a course, above the dashboards."""

    @serializers.answers_with(serializers.CourseSummarySerializer)
    def get(self, request: Request, course_id: str) -> Response:
        """Five numbers of a course, how fresh they are, and why dashboards are empty, in the user's language.

        They are read from the reports once a minute. 404 with the code "reports_off" where the site has no reports.
        """
        if not reports_are_on():
            raise NotFound(_("This site has no reports."), "reports_off")
        try:
            rules = Rules.from_settings()
        except Failure as failure:
            log.error("The numbers of courses cannot be read: %s", failure)
            raise ReportsMisconfigured from None
        answer = summary(reading_of(self.course_key), self.course_key, rules, is_staff=request.user.is_staff)
        return Response(serializers.CourseSummarySerializer(answer).data)
