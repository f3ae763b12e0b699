"""Checks of the settings that concern Superset and its dashboards.

All are warnings: an error would stop ``migrate`` and the backfill, which do not use dashboards. The endpoints refuse
to work with such a setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.dashboards import dashboard_settings as dashboards
from platform_plugin_aspects.dashboards.access.operator_filters import formats, validate_format
from platform_plugin_aspects.dashboards.pages import embedding
from platform_plugin_aspects.dashboards.pages.throttling import ReportsThrottle
from platform_plugin_aspects.dashboards.superset.config import ALGORITHMS, SupersetConfig, is_configured
from platform_plugin_aspects.operations.checks.check import check, refusals, valid
from platform_plugin_aspects.reporting.layout import ENABLED_SETTING, reports_are_on


@check("W021", "Correct the template.")
def check_extra_filters() -> Iterator[str]:
    """Clauses can be made of each template in SUPERSET_EXTRA_FILTERS_FORMAT."""
    yield from refusals(lambda: list(map(validate_format, formats())))


@check("W022", "Correct SUPERSET_CONFIG.")
def check_superset_config() -> Iterator[str]:
    """SUPERSET_CONFIG is valid."""
    yield from refusals(SupersetConfig.from_settings)


@check(
    "W003",
    "Use a longer random text here and as GUEST_TOKEN_JWT_SECRET in Superset: whoever guesses it sees every course.",
)
def check_guest_token_secret() -> Iterator[str]:
    """The guest_token_secret in SUPERSET_CONFIG is long enough."""
    config = valid(SupersetConfig.from_settings)
    if config and 0 < len(config.guest_token_secret.encode()) < ALGORITHMS[config.guest_token_algorithm]:
        yield f"guest_token_secret in SUPERSET_CONFIG is too short for {config.guest_token_algorithm}."


@check("W023", "Correct the setting.")
def check_dashboards() -> Iterator[str]:
    """The settings that list dashboards and their languages, and ASPECTS_API_THROTTLE_RATE, are valid."""
    readers = (dashboards.instructor_entries, dashboards.in_context_entries)
    yield from refusals(*readers, dashboards.locales, ReportsThrottle)
    if not reports_are_on():
        of_studio = valid(dashboards.in_context_entries) or {}
        for entry in [*(valid(dashboards.instructor_entries) or ()), *of_studio.values()]:
            if isinstance(entry, dashboards.BoardEntry):
                yield (
                    f"{entry.place} names the board {entry.slug!r} of this plugin, which no page shows while "
                    f"{ENABLED_SETTING} is False."
                )


@check("W016", "Set it to True or False, without quotes.")
def check_switches() -> Iterator[str]:
    """SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK, ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS and each dashboard's
    allow_translations are True or False."""
    for name, value in _switches():
        if not isinstance(value, bool):
            yield f"{name} is {value!r}, which counts as {bool(value)}."


def _switches() -> Iterator[tuple[str, Any]]:
    for name in ("SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK", "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS"):
        yield name, getattr(settings, name)
    for name in ("ASPECTS_INSTRUCTOR_DASHBOARDS", "ASPECTS_IN_CONTEXT_DASHBOARDS"):
        listed = getattr(settings, name)
        if isinstance(listed, list | tuple):
            listed = dict(enumerate(listed))
        # W023 reports values of another type.
        for key, entry in listed.items() if isinstance(listed, dict) else ():
            if isinstance(entry, dict) and "allow_translations" in entry:
                yield f"{name}[{key!r}]['allow_translations']", entry["allow_translations"]


@check("W009", "Set ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS to False before Sumac.")
def check_in_context_metrics() -> Iterator[str]:
    """ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is on only where Studio can show metrics, from Sumac on.

    Nothing is said while Superset is not configured: the setting is True by default.
    """
    release = edx_platform.release_line()
    # Releases are named in the order of the alphabet.
    if is_configured() and settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS and release and release < "sumac":
        yield (
            f"ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is on, but Studio shows no metrics in {release.capitalize()}: "
            "guest tokens are asked for dashboards that nobody sees."
        )


@check("W015", embedding.SCRIPT_REMEDY)
def check_bundle() -> Iterator[str]:
    """The package was built with the browser's script, without which pages show no dashboards.

    Nothing is said while neither Superset is configured nor reports are on: development begins without the script.
    """
    if (is_configured() or reports_are_on()) and not finders.find(embedding.SCRIPT):
        yield embedding.SCRIPT_MISSING
