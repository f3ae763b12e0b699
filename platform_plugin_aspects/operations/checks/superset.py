"""Checks of the settings that concern Superset and its dashboards.

All are warnings: an error would stop ``migrate`` and the backfill, which have nothing to do with dashboards. The
endpoints refuse by themselves what such a setting would spoil.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import ImproperlyConfigured

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.dashboards import dashboard_settings as dashboards
from platform_plugin_aspects.dashboards.access.operator_filters import formats, validate_format
from platform_plugin_aspects.dashboards.pages import embedding
from platform_plugin_aspects.dashboards.pages.throttling import ReportsThrottle
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig, is_configured
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.operations.checks.tag import TAG


@register(TAG)
def check_extra_filters(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W021: clauses can be made of each template in SUPERSET_EXTRA_FILTERS_FORMAT."""
    try:
        for template in formats():
            validate_format(template)
    except ImproperlyConfigured as error:
        return [Warning(str(error), hint="Correct the template.", id="platform_plugin_aspects.W021")]
    return []


@register(TAG)
def check_superset_config(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W022: SUPERSET_CONFIG is valid. W003: the guest_token_secret in SUPERSET_CONFIG is long enough."""
    try:
        config = SupersetConfig.from_settings()
    except SupersetMisconfigured as error:
        return [Warning(str(error), hint="Correct SUPERSET_CONFIG.", id="platform_plugin_aspects.W022")]
    if config.has_short_secret:
        return [
            Warning(
                f"guest_token_secret in SUPERSET_CONFIG is too short for {config.guest_token_algorithm}.",
                hint="Use a longer random text here and as GUEST_TOKEN_JWT_SECRET in Superset: whoever guesses it "
                "sees every course.",
                id="platform_plugin_aspects.W003",
            )
        ]
    return []


@register(TAG)
def check_dashboards(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W023: the settings that list dashboards and their languages, and ASPECTS_API_THROTTLE_RATE, are valid."""
    found: list[CheckMessage] = []
    for read in (
        dashboards.instructor_dashboards,
        dashboards.in_context_dashboards,
        dashboards.locales,
        ReportsThrottle,
    ):
        try:
            read()
        except SupersetMisconfigured as error:
            found.append(Warning(str(error), hint="Correct the setting.", id="platform_plugin_aspects.W023"))
    return found


@register(TAG)
def check_switches(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W016: SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK, ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS and each dashboard's
    allow_translations are True or False."""
    return [
        Warning(
            f"{name} is {value!r}, which counts as {bool(value)}.",
            hint="Set it to True or False, without quotes.",
            id="platform_plugin_aspects.W016",
        )
        for name, value in _switches()
        if not isinstance(value, bool)
    ]


def _switches() -> Iterator[tuple[str, Any]]:
    for name in ("SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK", "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS"):
        yield name, getattr(settings, name)
    for name in ("ASPECTS_INSTRUCTOR_DASHBOARDS", "ASPECTS_IN_CONTEXT_DASHBOARDS"):
        listed = getattr(settings, name)
        # W023 reports values of another type.
        entries = (
            listed.items()
            if isinstance(listed, dict)
            else enumerate(listed if isinstance(listed, list | tuple) else [])
        )
        for key, entry in entries:
            if isinstance(entry, dict) and "allow_translations" in entry:
                yield f"{name}[{key!r}]['allow_translations']", entry["allow_translations"]


@register(TAG)
def check_in_context_metrics(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W009: ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is on only where Studio can show metrics, from Sumac on.

    Nothing is said while Superset is not configured: the setting is True by default.
    """
    release = edx_platform.release_line()
    # Releases are named in the order of the alphabet.
    if not (is_configured() and settings.ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS and release and release < "sumac"):
        return []
    return [
        Warning(
            "ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS is on, but Studio shows no metrics in "
            f"{release.capitalize()}: guest tokens are asked for dashboards that nobody sees.",
            hint="Set ASPECTS_ENABLE_STUDIO_IN_CONTEXT_METRICS to False before Sumac.",
            id="platform_plugin_aspects.W009",
        )
    ]


@register(TAG)
def check_bundle(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W015: the package was built with the browser's script, without which pages show no dashboards.

    Nothing is said while Superset is not configured: development begins without the script.
    """
    if not is_configured() or finders.find(embedding.SCRIPT):
        return []
    return [Warning(embedding.SCRIPT_MISSING, hint=embedding.SCRIPT_REMEDY, id="platform_plugin_aspects.W015")]
