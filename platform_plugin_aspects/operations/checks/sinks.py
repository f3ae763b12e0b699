"""Checks of the sinks and of ClickHouse."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery import triggers
from platform_plugin_aspects.operations.checks.check import check, refusals, valid
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.personal_data import personal_tables
from platform_plugin_aspects.sinks.registry import Invalid, extra_sinks, sinks

DAY_SECS = 24 * 3600
#: Class attributes of sinks of version 2 that mean nothing in version 3.
OLD_ATTRIBUTES = ("clickhouse_table_name", "unique_key", "timestamp_field", "serializer_class", "pk_format")


@check("E001", "Correct EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG.")
def check_clickhouse_settings() -> Iterator[str]:
    """EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG is valid."""
    yield from refusals(Connection.from_settings)


@check("E006", "Correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG.")
def check_model_config() -> Iterator[str]:
    """EVENT_SINK_CLICKHOUSE_MODEL_CONFIG is a mapping."""
    if not isinstance(settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG, Mapping):
        yield "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG must be a mapping of names to {module, model}."


@check("E007", "Correct EVENT_SINK_CLICKHOUSE_PII_MODELS.")
def check_pii_models() -> Iterator[str]:
    """EVENT_SINK_CLICKHOUSE_PII_MODELS is a list."""
    if valid(personal_tables) is None:
        yield "EVENT_SINK_CLICKHOUSE_PII_MODELS must be a list of tables."


@check("E008")
def check_seconds() -> Iterator[tuple[str, str]]:
    """EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS and EVENT_SINK_CLICKHOUSE_SWEEP_SECS are at most a day."""
    for name in ("EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS", "EVENT_SINK_CLICKHOUSE_SWEEP_SECS"):
        value = getattr(settings, name)
        # True is an int, too.
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= DAY_SECS:
            yield f"{name} must be a number of seconds, 0 to {DAY_SECS}, without quotes.", f"Correct {name}."


@check("W020", "List dotted paths of subclasses of platform_plugin_aspects.sinks.ModelBaseSink, named unlike others.")
def check_extra_sinks() -> Iterator[str]:
    """Each entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS is a sink."""
    for entry in extra_sinks():
        if isinstance(entry, Invalid):
            yield f"EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: {entry.path} cannot be used: {entry.why}"


@check(
    "W024",
    "Declare its columns instead and list it in EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: see the how-to "
    '"Port a sink of version 2".',
)
def check_old_sinks() -> Iterator[str]:
    """No entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS, and no sink class that is loaded, is one of version 2."""
    listed = [entry.found if isinstance(entry, Invalid) else entry for entry in extra_sinks()]
    for kind in dict.fromkeys((*filter(inspect.isclass, listed), *_subclasses(BaseSink))):
        attributes = [name for name in OLD_ATTRIBUTES if any(name in vars(base) for base in kind.__mro__)]
        if attributes:
            yield (
                f"{kind.__module__}.{kind.__qualname__} is a sink of version 2: {', '.join(attributes)} have no effect."
            )


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    """All subclasses that are loaded. Version 2 found sinks in this way, without a list of them."""
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


@check("W025")
def check_usable() -> Iterator[tuple[str, str]]:
    """Each sink that is set on can be used; that of xAPI statements needs edx-event-routing-backends."""
    for sink in sinks().values():
        unusable = sink.why_unusable() if sink.is_set_on() else ""
        if unusable:
            why, _, remedy = unusable.partition(": ")
            yield (
                f"{sink.setting()} is True, but the sink {sink.name} is off: {why}.",
                f"{remedy[:1].upper()}{remedy[1:]}.",
            )


@check("W001", "Run this version of the plugin on the releases it supports, or correct the setting.")
def check_receivers() -> Iterator[str]:
    """Each model that a sink which is set to on reads, and what it listens to, exists in this release."""
    missing: dict[str, list[str]] = {}
    known = sinks()
    for sink in known.values():
        if sink.needs_model and sink.is_set_on() and edx_platform.get_model(sink.model) is None:
            missing.setdefault(f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]", []).append(sink.name)
    for trigger in triggers.all_triggers():
        if not known[trigger.sink].is_set_on():
            continue
        if edx_platform.get_signal(trigger.signal) is None and not trigger.optional:
            missing.setdefault(trigger.signal, []).append(trigger.sink)
        if trigger.sender and edx_platform.get_model(trigger.sender) is None:
            missing.setdefault(f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{trigger.sender!r}]", []).append(trigger.sink)
    for path, names in missing.items():
        yield f"{path} does not exist: changes that it announces do not reach {', '.join(dict.fromkeys(names))}."
