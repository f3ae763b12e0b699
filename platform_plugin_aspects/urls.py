"""The endpoints, the same in LMS and CMS."""

from __future__ import annotations

from django.urls import re_path

from platform_plugin_aspects.dashboards.pages import views
from platform_plugin_aspects.operations.metrics_view import MetricsView

app_name = "platform_plugin_aspects"

urlpatterns = [
    re_path(r"^aspects/metrics/?\Z", MetricsView.as_view(), name="metrics"),
    # Any text is a key here, so that the views answer for malformed ones, in JSON and for those logged in only.
    *(
        re_path(rf"^aspects/{name}/(?P<{argument}>.+?)/?\Z", view.as_view(), name=name)
        for name, argument, view in (
            ("course_summary", "course_id", views.CourseSummaryView),
            ("superset_guest_token", "course_id", views.GuestTokenView),
            ("superset_in_context_dashboard", "content_id", views.InContextDashboardView),
            ("superset_instructor_dashboard", "course_id", views.InstructorDashboardView),
        )
    ),
]
