"""Checks of the sinks and of ClickHouse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.delivery import triggers
from platform_plugin_aspects.operations.checks.spelling import closest, suggestion
from platform_plugin_aspects.operations.checks.tag import TAG
from platform_plugin_aspects.settings import common
from platform_plugin_aspects.sinks.personal_data import personal_tables
from platform_plugin_aspects.sinks.registry import Invalid, extra_sinks, sinks, tables

DAY_SECS = 24 * 3600


@register(TAG)
def check_clickhouse_settings(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E001: EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG is valid."""
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


@register(TAG)
def check_extra_sinks(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W020: each entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS is a sink."""
    return [
        Warning(
            f"EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: {entry.path} cannot be used: {entry.why}",
            hint="List dotted paths of subclasses of platform_plugin_aspects.sinks.ModelBaseSink, named unlike others.",
            id="platform_plugin_aspects.W020",
        )
        for entry in extra_sinks()
        if isinstance(entry, Invalid)
    ]


@register(TAG)
def check_receivers(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W001: each model that a sink which is set to on reads, and what it listens to, exists in this release."""
    missing: dict[str, list[str]] = {}
    known = sinks()
    for sink in known.values():
        if sink.is_set_on() and edx_platform.get_model(sink.model) is None:
            missing.setdefault(f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]", []).append(sink.name)
    for trigger in triggers.all_triggers():
        if not known[trigger.sink].is_set_on():
            continue
        if edx_platform.get_signal(trigger.signal) is None and not trigger.optional:
            missing.setdefault(trigger.signal, []).append(trigger.sink)
        if trigger.sender and edx_platform.get_model(trigger.sender) is None:
            missing.setdefault(f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{trigger.sender!r}]", []).append(trigger.sink)
    return [
        Warning(
            f"{path} does not exist: changes that it announces do not reach {', '.join(dict.fromkeys(names))}.",
            hint="Run this version of the plugin on the releases it supports, or correct the setting.",
            id="platform_plugin_aspects.W001",
        )
        for path, names in missing.items()
    ]


@register(TAG)
def check_enabled(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W005: each EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED is of a sink's model, and True or False."""
    found: list[CheckMessage] = []
    known = {sink.setting() for sink in sinks().values()}
    for name in dir(settings):
        if not (name.startswith("EVENT_SINK_CLICKHOUSE_") and name.endswith("_ENABLED")):
            continue
        value = getattr(settings, name)
        if name not in known:
            problem, hint = "is of no sink", suggestion(name, known)
        elif not isinstance(value, bool):
            problem, hint = f"is {value!r}, which does not turn the sink on", "Set it to True or False, without quotes."
        else:
            continue
        found.append(Warning(f"{name} {problem}.", hint=hint, id="platform_plugin_aspects.W005"))
    return found


@register(TAG)
def check_model_config(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E006: EVENT_SINK_CLICKHOUSE_MODEL_CONFIG is a mapping.

    W006: each name in EVENT_SINK_CLICKHOUSE_MODEL_CONFIG is one that the plugin or a sink asks for.
    """
    configured = settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG
    if not isinstance(configured, Mapping):
        return [
            _of_wrong_shape(
                "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG",
                "a mapping of names to {module, model}",
                id="platform_plugin_aspects.E006",
            )
        ]
    known = {*common.defaults()["EVENT_SINK_CLICKHOUSE_MODEL_CONFIG"], *(sink.model for sink in sinks().values())}
    return [
        Warning(
            f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{name!r}] is of no sink.",
            hint=suggestion(name, known),
            id="platform_plugin_aspects.W006",
        )
        for name in configured
        if name not in known
    ]


@register(TAG)
def check_pii_models(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E007: EVENT_SINK_CLICKHOUSE_PII_MODELS is a list.

    W010: no name in EVENT_SINK_CLICKHOUSE_PII_MODELS is nearly that of a table of the plugin. Names that are quite
    different may be tables of others, and "auth_user", which Tutor lists, is that of a model.
    """
    try:
        configured = personal_tables()
    except Misconfigured:
        return [
            _of_wrong_shape("EVENT_SINK_CLICKHOUSE_PII_MODELS", "a list of tables", id="platform_plugin_aspects.E007")
        ]
    known = {table.name for table in tables()}
    return [
        Warning(
            f"EVENT_SINK_CLICKHOUSE_PII_MODELS names {name!r}, which is not a table of this plugin: unless ClickHouse "
            "has such a table, retirements and profiles are not delivered.",
            hint=suggestion(_plain(name), known),
            id="platform_plugin_aspects.W010",
        )
        for name in configured
        if name not in known and closest(_plain(name), known)
    ]


def _plain(name: str) -> str:
    """The name of a table as ClickHouse writes it: without the database, quotes and capitals."""
    return name.rpartition(".")[2].strip('`" ').lower()


@register(TAG)
def check_seconds(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """E008: EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS and EVENT_SINK_CLICKHOUSE_SWEEP_SECS are at most a day."""
    shape = f"a number of seconds, 0 to {DAY_SECS}, without quotes"
    return [
        _of_wrong_shape(name, shape, id="platform_plugin_aspects.E008")
        for name in ("EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS", "EVENT_SINK_CLICKHOUSE_SWEEP_SECS")
        if not _is_seconds(getattr(settings, name))
    ]


def _is_seconds(value: Any) -> bool:
    # True is an int, too.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= DAY_SECS


def _of_wrong_shape(name: str, shape: str, id: str) -> CheckMessage:
    return Error(f"{name} must be {shape}.", hint=f"Correct {name}.", id=id)
