"""The instructor dashboards: which of them have the reports.

System checks report wrong or missing names in OPEN_EDX_FILTERS_CONFIG.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static

from platform_plugin_aspects.dashboards.pages.embedding import SCRIPT
from platform_plugin_aspects.dashboards.superset.config import is_configured
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.extensions.filters import NEW, PAGES, micro_frontend_path
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.reporting.layout import reports_are_on


def examine(examination: Examination) -> Iterator[Finding]:
    """The steps in the site's filters, and the script that they need."""
    if getattr(settings, "SERVICE_VARIANT", None) != "lms":
        yield Mark.NOTE("Studio has no instructor dashboard", "Look at the LMS with manage.py lms")
    elif not (is_configured() and settings.ASPECTS_INSTRUCTOR_DASHBOARDS) and not reports_are_on():
        yield Mark.NOTE("No reports are set up: see Superset")
    else:
        yield from _pages(examination)
        yield from _script(examination)


def _pages(examination: Examination) -> Iterator[Finding]:
    closed = _closed()
    for page in PAGES:
        if page.step not in page.steps():
            yield Mark.NOTE(
                f"No step adds the reports to {page.name}",
                f"If the site uses it, add {page.step} to the pipeline of {page.filter_type}",
            )
        elif page is NEW and not is_configured():
            yield Mark.NOTE(
                f"No reports in {NEW.name}: it shows dashboards of Superset only",
                "The numbers of the courses are in the legacy instructor dashboard",
            )
        elif page is NEW and closed:
            yield Mark.PROBLEM(f"{closed.problem}: {NEW.name} lacks the reports", capitalized(closed.remedy))
        else:
            yield Mark.OK(f"The reports are added to {page.name}")
    if not any(page.step in page.steps() for page in PAGES):
        yield examination.because_of("Settings", "No instructor dashboard has the reports")


def _closed() -> SupersetMisconfigured | None:
    """Why the new instructor dashboard has no address for the reports."""
    try:
        micro_frontend_path()
    except SupersetMisconfigured as error:
        return error
    return None


def _script(examination: Examination) -> Iterator[Finding]:
    """Whether the browser's script is in the package and among the collected static files."""
    if finders.find(SCRIPT) is None:
        yield examination.because_of("Settings", f"The static file {SCRIPT} is missing")
        return
    try:
        static(SCRIPT)
    except ValueError:
        yield Mark.PROBLEM(
            f"The static file {SCRIPT} has not been collected: pages lack the reports",
            manage("collectstatic --noinput"),
        )
