"""The --object option: which sinks a command is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import sinks

ALL = "all"


def objects() -> dict[str, type[BaseSink]]:
    """The sinks that an --object can name, in the order in which all of them are taken."""
    return {name: sink for name, sink in sinks().items() if sink.has_objects}


def chosen(name: str, tell: Callable[[str], Any]) -> list[type[BaseSink]]:
    """The sinks that ``--object name`` means; ``tell`` gets a line about those that are off.

    Raises CommandError, with the right names, for a wrong one.
    """
    known = objects()
    if name == ALL:
        on = [sink for sink in known.values() if sink.is_enabled()]
        off = [sink.name for sink in known.values() if sink not in on]
        if off:
            tell(f"off, so left out: {', '.join(off)}")
        return on
    if name not in known:
        raise CommandError(f"There is no object {name!r}: choose one of {', '.join(known)}, or {ALL}")
    model = known[name].model
    if edx_platform.get_model(model) is None:
        raise CommandError(
            f"The model of {name} cannot be imported: correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{model!r}]"
        )
    if not known[name].is_enabled():
        tell(f"{name} is off: what changes from now on will not follow")
    return [known[name]]


def parse_keys(sink: BaseSink, given: str | list[str] | None) -> Any:
    """The key or keys that an option names, or None without the option; CommandError for what is no key."""
    try:
        if isinstance(given, list):
            return [sink.parse_key(text) for text in given]
        return None if given is None else sink.parse_key(given)
    except ValueError as error:
        raise CommandError(str(error)) from None
