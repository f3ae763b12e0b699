"""The two instructor dashboards, and the steps of their filters as the site has configured them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from openedx_filters.tooling import OpenEdxPublicFilter

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
