"""Checks of the filters through which the instructor dashboards get the reports."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.conf import settings

from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.extensions.filters import LEGACY, NEW, PAGES
from platform_plugin_aspects.operations.checks.check import check
from platform_plugin_aspects.reporting.layout import reports_are_on


@check("W002")
def check_filter_steps() -> Iterator[tuple[str, str]]:
    """OPEN_EDX_FILTERS_CONFIG names the steps where they are, and not where old documents have them."""
    configured = str(getattr(settings, "OPEN_EDX_FILTERS_CONFIG", ""))
    for path in sorted(set(re.findall(r"platform_plugin_superset[.\w]*", configured))):
        yield (
            f"OPEN_EDX_FILTERS_CONFIG names {path}, which does not exist: its page lacks the reports.",
            f"Write {path.replace('platform_plugin_superset', 'platform_plugin_aspects')} instead.",
        )


@check(
    "W007",
    f"Add {LEGACY.step} to the pipeline of {LEGACY.filter_type} or, for the new instructor dashboard, {NEW.step} to "
    f"that of {NEW.filter_type}.",
)
def check_pipelines() -> Iterator[str]:
    """In the LMS, one of the instructor dashboards has a step that adds the reports.

    Sites have something to show if they set SUPERSET_CONFIG and list dashboards, or have reports in ClickHouse.
    """
    is_lms = getattr(settings, "SERVICE_VARIANT", None) == "lms"
    has_step = any(path.startswith("platform_plugin_") for page in PAGES for path in page.steps())
    has_something = (is_configured() and settings.ASPECTS_INSTRUCTOR_DASHBOARDS) or reports_are_on()
    if is_lms and has_something and not has_step:
        yield "OPEN_EDX_FILTERS_CONFIG has no step that adds the reports to an instructor dashboard."


@check("W008")
def check_own_steps() -> Iterator[tuple[str, str]]:
    """The plugin's steps that OPEN_EDX_FILTERS_CONFIG names exist, and belong to the filters they stand at."""
    for page in PAGES:
        for path in page.steps():
            if path.startswith("platform_plugin_aspects.") and path != page.step:
                yield (
                    f"OPEN_EDX_FILTERS_CONFIG names {path} at {page.filter_type}, which is not a step of that filter: "
                    f"{page.name} lacks the reports.",
                    f"Write {page.step} instead.",
                )
