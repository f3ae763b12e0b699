"""The instructor dashboards: which of them have the reports.

Wrong names in OPEN_EDX_FILTERS_CONFIG, and the lack of any, are for the system checks to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.contrib.staticfiles import finders
from django.templatetags.static import static

from platform_plugin_aspects.doctor.findings import Examination, Finding, Mark, capitalized, manage
from platform_plugin_aspects.extensions.pipelines import NEW, PAGES, micro_frontend_path
from platform_plugin_aspects.superset.config import is_configured
from platform_plugin_aspects.superset.embedding import SCRIPT
from platform_plugin_aspects.superset.errors import SupersetMisconfigured


def examine(_examination: Examination) -> Iterator[Finding]:
    """The steps that the site's filters have, and what these need besides."""
    if getattr(settings, "SERVICE_VARIANT", None) != "lms":
        yield Finding(Mark.NOTE, "Studio has no instructor dashboard", "Look at the LMS with manage.py lms")
    elif not (is_configured() and settings.ASPECTS_INSTRUCTOR_DASHBOARDS):
        yield Finding(Mark.NOTE, "No reports are set up: see Superset")
    else:
        yield from _pages()
        yield from _script()


def _pages() -> Iterator[Finding]:
    for page in PAGES:
        if page.step in page.steps():
            yield Finding(Mark.OK, f"The reports are added to {page.name}")
        else:
            yield Finding(
                Mark.NOTE,
                f"No step adds the reports to {page.name}",
                f"If the site uses it, add {page.step} to the pipeline of {page.filter_type}",
            )
    if NEW.step in NEW.steps():
        try:
            micro_frontend_path()
        except SupersetMisconfigured as error:
            yield Finding(Mark.PROBLEM, f"{error.problem}: {NEW.name} lacks the reports", capitalized(error.remedy))


def _script() -> Iterator[Finding]:
    """The browser's part is in the package, and static files with hashed names have been collected since."""
    if finders.find(SCRIPT) is None:
        yield Finding(
            Mark.PROBLEM,
            f"The static file {SCRIPT} is missing: dashboards stay blank",
            "Install the package as it was published, or build it with npm run build",
        )
        return
    try:
        static(SCRIPT)
    except ValueError:
        yield Finding(
            Mark.PROBLEM,
            f"The static file {SCRIPT} has not been collected: pages lack the reports",
            manage("collectstatic --noinput"),
        )
