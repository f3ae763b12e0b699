"""Checks of the filters through which the instructor dashboards get the reports."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.extensions.pipelines import LEGACY, NEW, PAGES
from platform_plugin_aspects.operations.checks.tag import TAG


@register(TAG)
def check_filter_steps(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W002: OPEN_EDX_FILTERS_CONFIG names the steps where they are, and not where old documents have them."""
    configured = str(getattr(settings, "OPEN_EDX_FILTERS_CONFIG", ""))
    return [
        Warning(
            f"OPEN_EDX_FILTERS_CONFIG names {path}, which does not exist: its page lacks the reports.",
            hint=f"Write {path.replace('platform_plugin_superset', 'platform_plugin_aspects')} instead.",
            id="platform_plugin_aspects.W002",
        )
        for path in sorted(set(re.findall(r"platform_plugin_superset[.\w]*", configured)))
    ]


@register(TAG)
def check_pipelines(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W007: in the LMS, one of the instructor dashboards has a step that adds the reports.

    Sites that leave SUPERSET_CONFIG as the plugin sets it, or list no dashboards, have no reports to show.
    """
    wanted = (
        getattr(settings, "SERVICE_VARIANT", None) == "lms"
        and is_configured()
        and settings.ASPECTS_INSTRUCTOR_DASHBOARDS
    )
    if not wanted or any(path.startswith("platform_plugin_") for page in PAGES for path in page.steps()):
        return []
    return [
        Warning(
            "OPEN_EDX_FILTERS_CONFIG has no step that adds the reports to an instructor dashboard.",
            hint=f"Add {LEGACY.step} to the pipeline of {LEGACY.filter_type} or, for the new instructor dashboard, "
            f"{NEW.step} to that of {NEW.filter_type}.",
            id="platform_plugin_aspects.W007",
        )
    ]


@register(TAG)
def check_own_steps(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W008: the plugin's steps that OPEN_EDX_FILTERS_CONFIG names exist, and belong to the filters they stand at."""
    return [
        Warning(
            f"OPEN_EDX_FILTERS_CONFIG names {path} at {page.filter_type}, which is not a step of that filter: "
            f"{page.name} lacks the reports.",
            hint=f"Write {page.step} instead.",
            id="platform_plugin_aspects.W008",
        )
        for page in PAGES
        for path in page.steps()
        if path.startswith("platform_plugin_aspects.") and path != page.step
    ]
