"""The --object option: which sinks a command is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import HOW_TO_WRITE_IF_OFF, is_on, sinks, why_off

ALL = "all"


def objects() -> dict[str, type[BaseSink]]:
    """The sinks that an --object can name, in the order in which all of them are taken."""
    return {name: sink for name, sink in sinks().items() if sink.has_objects}


def add_even_if_off_argument(parser: Any) -> None:
    """Add --even_if_off to a parser, or to a group of its options."""
    parser.add_argument("--even_if_off", action="store_true", help="write rows also of sinks that are off")


def chosen(
    name: str, tell: Callable[[str], Any], *, writes: bool = True, even_if_off: bool = False
) -> list[type[BaseSink]]:
    """The sinks that ``--object name`` means; ``tell`` gets a line about those that are off.

    ``writes``: whether the command writes rows, which it may do of sinks that are off only ``even_if_off``. Raises
    CommandError for a sink that is off and for a wrong name.
    """
    known = objects()
    if name == ALL:
        on = [sink for sink in known.values() if is_on(sink)]
        off = [sink for sink in known.values() if sink not in on]
        if even_if_off:
            there = [sink for sink in known.values() if edx_platform.get_model(sink.model) is not None]
            for sink in there:
                _tell_if_off(sink, tell)
            return there
        if not on:
            raise CommandError(
                "No sink is on: turn one on by its setting EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED or its waffle flag "
                "event_sink_clickhouse.<model>.enabled, or add --even_if_off to take all of them"
            )
        if off:
            tell(f"off, so left out: {', '.join(sink.name for sink in off)}")
        return on
    if name not in known:
        raise CommandError(f"There is no object {name!r}: choose one of {', '.join(known)}, or {ALL}")
    model = known[name].model
    if edx_platform.get_model(model) is None:
        raise CommandError(
            f"The model of {name} cannot be imported: correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{model!r}]"
        )
    if writes and not even_if_off and not is_on(known[name]):
        raise CommandError(f"{why_off(known[name])}. {HOW_TO_WRITE_IF_OFF}")
    _tell_if_off(known[name], tell)
    return [known[name]]


def _tell_if_off(sink: type[BaseSink], tell: Callable[[str], Any]) -> None:
    if not is_on(sink):
        tell(f"{sink.name} is off: later changes will not reach ClickHouse")


def parse_keys(sink: BaseSink, given: str | list[str] | None) -> Any:
    """The key or keys that an option names, or None without the option; CommandError for what is no key."""
    try:
        if isinstance(given, list):
            return [sink.parse_key(text) for text in given]
        return None if given is None else sink.parse_key(given)
    except ValueError as error:
        raise CommandError(str(error)) from None
