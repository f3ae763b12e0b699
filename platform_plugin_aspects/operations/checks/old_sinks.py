"""Check for sinks that were written for version 2 of the package, which version 3 does not understand."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Warning, register

from platform_plugin_aspects.operations.checks.tag import TAG
from platform_plugin_aspects.sinks import BaseSink
from platform_plugin_aspects.sinks.registry import Invalid, extra_sinks

#: Class attributes of version 2 that mean nothing in version 3.
OLD_ATTRIBUTES = ("clickhouse_table_name", "unique_key", "timestamp_field", "serializer_class", "pk_format")


@register(TAG)
def check_old_sinks(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """W024: no entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS, and no sink class that is loaded, is one of version 2."""
    listed = [entry.found if isinstance(entry, Invalid) else entry for entry in extra_sinks()]
    return [
        Warning(
            f"{kind.__module__}.{kind.__qualname__} is a sink of version 2: {', '.join(attributes)} have no effect.",
            hint="Declare its columns instead and list it in EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: see the how-to "
            '"Port a sink of version 2".',
            id="platform_plugin_aspects.W024",
        )
        for kind in dict.fromkeys((*filter(inspect.isclass, listed), *_subclasses(BaseSink)))
        if (attributes := [name for name in OLD_ATTRIBUTES if _has(kind, name)])
    ]


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    """All subclasses that are loaded: version 2 found sinks so, and needed no list of them."""
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _has(kind: type, name: str) -> bool:
    return any(name in vars(base) for base in kind.__mro__)
