"""The two instructor dashboards, and the steps of their filters as the site has configured them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from openedx_filters.tooling import OpenEdxPublicFilter

from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured

STEPS = "platform_plugin_aspects.extensions.filters"


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
    f"{STEPS}.AddSupersetTab",
)
#: A micro-frontend, from 2026 on.
NEW = Page(
    "the new instructor dashboard",
    "org.openedx.learning.instructor.dashboard.tabs.requested.v1",
    f"{STEPS}.AddSupersetTabToInstructorDashboard",
)
PAGES = (LEGACY, NEW)


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
