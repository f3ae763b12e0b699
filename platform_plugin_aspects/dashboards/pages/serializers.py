"""The bodies of the endpoints' answers, and their description for the platform's API documentation."""

from __future__ import annotations

from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.contrib.rest_framework_jwt import JWTScheme
from drf_spectacular.utils import extend_schema
from rest_framework import serializers


class ErrorSerializer(serializers.Serializer):
    """Why there is no answer: for people, translated, and for programs."""

    detail = serializers.CharField()
    code = serializers.CharField()


class GuestTokenSerializer(serializers.Serializer):
    """A token that opens the dashboards of one course."""

    guestToken = serializers.CharField()


class DashboardSerializer(serializers.Serializer):
    """A dashboard in the user's language."""

    name = serializers.CharField()
    slug = serializers.CharField()
    uuid = serializers.UUIDField()
    allow_translations = serializers.BooleanField()


class InstructorDashboardSerializer(serializers.Serializer):
    """The dashboards to embed into the instructor dashboard."""

    superset_dashboards = DashboardSerializer(many=True)
    superset_url = serializers.URLField(
        allow_blank=True, help_text="Superset, as browsers reach it; empty where the site does not use it."
    )
    superset_guest_token_url = serializers.URLField(
        allow_blank=True, help_text="The URL of the course's guest token; empty where the site does not use Superset."
    )
    show_dashboard_link = serializers.BooleanField()


class CourseRunSerializer(serializers.Serializer):
    """How a dashboard is opened for one course run."""

    native_filters = serializers.CharField(help_text="Superset's URL parameter of this name, in Rison.")


class InContextDashboardSerializer(serializers.Serializer):
    """A dashboard to embed beside a block or a course, for each run of the course whose reports the user may see."""

    dashboardId = serializers.UUIDField()
    supersetUrl = serializers.URLField(help_text="Superset, as browsers reach it.")
    courseRuns = serializers.DictField(child=CourseRunSerializer(), help_text="By course key.")
    defaultCourseRun = serializers.CharField(help_text="The course run that was asked for.")


class NumberSerializer(serializers.Serializer):
    """A number of a course. All texts are in the user's language and its formats. A dash is an unknown value."""

    name = serializers.CharField(help_text='"active", "enrolled", "progress", "grade" or "at_risk".')
    label = serializers.CharField()
    value = serializers.CharField()
    before = serializers.CharField(allow_blank=True, help_text="The value a week ago; empty where there is none.")
    before_text = serializers.CharField(allow_blank=True, help_text="A comparison, in words.")
    definition = serializers.CharField()
    board = serializers.CharField(allow_blank=True, help_text="Slug of the dashboard that tells more.")


class ReasonSerializer(serializers.Serializer):
    """Why a dashboard is empty."""

    text = serializers.CharField()
    command = serializers.CharField(allow_blank=True, help_text="The remedy; for the platform's staff only.")


class CourseSummarySerializer(serializers.Serializer):
    """The numbers of a course. ``numbers`` is empty where the reports do not know the course."""

    numbers = NumberSerializer(many=True)
    freshness = serializers.CharField(allow_blank=True, help_text="When the last event came, and the last publish.")
    reasons = ReasonSerializer(many=True)
    generated_at = serializers.DateTimeField(help_text="When the numbers were read.")


class PlatformJwtScheme(JWTScheme):
    """The platform's JWTs, in the header ``Authorization`` or, from micro-frontends, in cookies."""

    target_class = "edx_rest_framework_extensions.auth.jwt.authentication.JwtAuthentication"


class PlatformSessionScheme(SessionScheme):
    """The platform's sessions."""

    target_class = "edx_rest_framework_extensions.auth.session.authentication.SessionAuthenticationAllowInactiveUser"


def answers_with(serializer: Any) -> Any:
    """Decorate a view's ``get`` whose answer ``serializer`` describes."""
    errors = dict.fromkeys((401, 403, 404, 429, 502, 503, 504), ErrorSerializer)
    return extend_schema(tags=["aspects"], responses={200: serializer, **errors})
