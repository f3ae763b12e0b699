"""The bodies of the endpoints' answers."""

from __future__ import annotations

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
    superset_url = serializers.URLField(help_text="Superset, as browsers reach it.")
    superset_guest_token_url = serializers.URLField(help_text="The URL of the course's guest token.")
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
