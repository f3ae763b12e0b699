"""Filter steps that add the dashboards to the instructor dashboard; OPEN_EDX_FILTERS_CONFIG names them.

The pages are the platform's: whatever goes wrong here is logged, and the page is shown without the reports.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from crum import get_current_user
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import CourseKey
from openedx_filters import PipelineStep
from openedx_filters.tooling import OpenEdxPublicFilter

from platform_plugin_aspects.dashboards.access.permissions import may_see_reports
from platform_plugin_aspects.dashboards.pages import embedding
from platform_plugin_aspects.dashboards.shown import instructor_dashboards_for
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.reporting.layout import reports_are_on

log = logging.getLogger(__name__)

#: Names the section, its template and the tab.
KEY = "aspects"
#: Behind the platform's own tabs.
SORT_ORDER = 120


@dataclass(frozen=True)
class Page:
    """An instructor dashboard: the type of the filter that it runs, and the path of the step that adds the reports."""

    name: str
    filter_type: str
    step: str

    def steps(self) -> list[str]:
        """The paths of the filter's steps, as openedx-filters reads OPEN_EDX_FILTERS_CONFIG."""
        if not isinstance(getattr(settings, "OPEN_EDX_FILTERS_CONFIG", None), Mapping):
            return []

        class Filter(OpenEdxPublicFilter):
            filter_type = self.filter_type

        pipeline, _fail_silently, _more = Filter.get_pipeline_configuration()
        return list(pipeline)


LEGACY = Page(
    "the legacy instructor dashboard",
    "org.openedx.learning.instructor.dashboard.render.started.v1",
    f"{__name__}.AddSupersetTab",
)
#: A micro-frontend, from 2026 on.
NEW = Page(
    "the new instructor dashboard",
    "org.openedx.learning.instructor.dashboard.tabs.requested.v1",
    f"{__name__}.AddSupersetTabToInstructorDashboard",
)
PAGES = (LEGACY, NEW)


class AddSupersetTab(PipelineStep):
    """Adds the section "Reports" to the legacy instructor dashboard, for those who may see the course's reports.

    A site that has neither reports in ClickHouse nor Superset gets no section.

    Filter: org.openedx.learning.instructor.dashboard.render.started.v1
    """

    def run_filter(self, context: dict[str, Any], template_name: str) -> dict[str, Any]:
        """Return both, the section appended to ``context["sections"]``; ``context["course"]`` is the course block."""
        with _shown_without_reports_on_error():
            user, course_key = get_current_user(), context["course"].id
            # Without Superset, there are the numbers.
            if (is_configured() or reports_are_on()) and user and may_see_reports(user, course_key):
                context["sections"].append(_section(user, course_key))
        return {"context": context, "template_name": template_name}


class AddSupersetTabToInstructorDashboard(PipelineStep):
    """Adds the tab "Reports" to the instructor dashboard's micro-frontend, for those who may see the course's reports.

    The micro-frontend asks the endpoint superset_instructor_dashboard what to show there, and shows dashboards of
    Superset only. A site without Superset gets no tab.

    Filter: org.openedx.learning.instructor.dashboard.tabs.requested.v1
    """

    def run_filter(self, tabs: list[dict[str, Any]], user: Any, course_key: CourseKey) -> dict[str, Any]:
        """Return all three, the tab appended to ``tabs``."""
        with _shown_without_reports_on_error():
            if is_configured() and user and may_see_reports(user, course_key):
                # As the platform makes those of its own tabs: urls with a host lead out of the micro-frontend.
                url = f"{micro_frontend_path()}/{course_key}/{KEY}"
                tabs = [*tabs, {"tab_id": KEY, "title": _("Reports"), "url": url, "sort_order": SORT_ORDER}]
        return {"tabs": tabs, "user": user, "course_key": course_key}


def micro_frontend_path() -> str:
    """The path of the new instructor dashboard, without ``/`` at its end: the tabs of a course stand below it.

    Raises SupersetMisconfigured when INSTRUCTOR_MICROFRONTEND_URL is missing or is not a URL.
    """
    url = getattr(settings, "INSTRUCTOR_MICROFRONTEND_URL", None)
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
    except ValueError:
        parts = urlsplit("")
    if not (parts.scheme in ("http", "https") and parts.netloc) and not parts.path.startswith("/"):
        raise SupersetMisconfigured(
            f"INSTRUCTOR_MICROFRONTEND_URL is {url!r}",
            "set it to the address of the micro-frontend, such as 'https://apps.example.com/instructor-dashboard'",
        )
    return parts.path.rstrip("/")


def _section(user: Any, course_key: CourseKey) -> dict[str, Any]:
    """The section; templates/instructor_dashboard/aspects.html renders it."""
    config = embedding.embed_config(
        instructor_dashboards_for(user) if is_configured() else [],
        reverse("platform_plugin_aspects:superset_guest_token", args=[course_key]),
        reverse("platform_plugin_aspects:course_summary", args=[course_key]) if reports_are_on() else "",
    )
    return {
        "section_key": KEY,
        "section_display_name": _("Reports"),
        "template_path_prefix": "/instructor_dashboard/",
        "course_id": str(course_key),
        "script_url": embedding.script_url(),
        "element": embedding.element(config),
    }


@contextmanager
def _shown_without_reports_on_error() -> Iterator[None]:
    try:
        yield
    except SupersetMisconfigured as error:
        log.error("The instructor dashboard is shown without reports: %s", error)
    except Exception:
        log.exception("The instructor dashboard is shown without reports")
