"""The endpoints that browsers ask for dashboards, the same in LMS and CMS."""

from __future__ import annotations

from django.urls import re_path

from platform_plugin_aspects import views

app_name = "platform_plugin_aspects"

# Any text is a key here, so that the views answer for malformed ones, in JSON and for those logged in only.
urlpatterns = [
    re_path(rf"^aspects/{name}/(?P<{argument}>.+?)/?\Z", view.as_view(), name=name)
    for name, argument, view in (
        ("superset_guest_token", "course_id", views.GuestTokenView),
        ("superset_in_context_dashboard", "content_id", views.InContextDashboardView),
        ("superset_instructor_dashboard", "course_id", views.InstructorDashboardView),
    )
]
