"""Django system checks: what is set up wrongly is said at start-up, and not found out by missing data."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from platform_plugin_aspects import edx_platform, signals
from platform_plugin_aspects.clickhouse.client import Connection, Misconfigured
from platform_plugin_aspects.sinks.registry import extra_sinks, sinks
from platform_plugin_aspects.superset import dashboards
from platform_plugin_aspects.superset.config import SupersetConfig
from platform_plugin_aspects.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.superset.extra_filters import formats, validate_format
from platform_plugin_aspects.throttling import ReportsThrottle


@register
def check_clickhouse_settings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E001: EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG can be meant."""
    try:
        Connection.from_settings()
    except Misconfigured as error:
        return [
            Error(
                str(error),
                hint="Correct EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG.",
                id="platform_plugin_aspects.E001",
            )
        ]
    return []


@register
def check_extra_sinks(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E002: each entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS is a sink."""
    return [
        Error(
            f"EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: {path} cannot be used: {found}",
            hint="List dotted paths of subclasses of platform_plugin_aspects.sinks.ModelBaseSink, named unlike others.",
            id="platform_plugin_aspects.E002",
        )
        for path, found in extra_sinks()
        if isinstance(found, str)
    ]


@register
def check_receivers(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W001: every signal and model that a sink which is set to on listens to exists in this release of the platform."""
    found: list[CheckMessage] = []
    known = sinks()
    for concern in signals.concerns():
        if not known[concern.sink].is_set_on():
            continue
        missing = []
        if edx_platform.get_signal(concern.signal) is None and not concern.optional:
            missing.append(concern.signal)
        if concern.sender and edx_platform.get_model(concern.sender) is None:
            missing.append(f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{concern.sender!r}]")
        for path in missing:
            found.append(
                Warning(
                    f"{path} does not exist: changes that it announces do not reach {concern.sink}.",
                    hint="Run this version of the plugin on the releases it supports, or correct the setting.",
                    id="platform_plugin_aspects.W001",
                )
            )
    return found


@register
def check_extra_filters(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E003: clauses can be made of each template in SUPERSET_EXTRA_FILTERS_FORMAT."""
    try:
        for template in formats():
            validate_format(template)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="Correct the template.", id="platform_plugin_aspects.E003")]
    return []


@register
def check_superset_config(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E004: SUPERSET_CONFIG can be meant. W003: its guest_token_secret is long enough."""
    try:
        config = SupersetConfig.from_settings()
    except SupersetMisconfigured as error:
        return [Error(str(error), hint="Correct SUPERSET_CONFIG.", id="platform_plugin_aspects.E004")]
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


@register
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


@register
def check_dashboards(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E005: the settings that list dashboards and their languages, and ASPECTS_API_THROTTLE_RATE, can be meant."""
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
            found.append(Error(str(error), hint="Correct the setting.", id="platform_plugin_aspects.E005"))
    return found
