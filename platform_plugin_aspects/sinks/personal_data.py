"""Which ClickHouse tables hold personal data, as EVENT_SINK_CLICKHOUSE_PII_MODELS says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.conf import settings

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.settings import common

SETTING = "EVENT_SINK_CLICKHOUSE_PII_MODELS"
PREFIX = "RETIRED_USERNAME_PREFIX"


class WrongShape(Misconfigured):
    """A setting is not of the kind that it must be."""


def personal_tables() -> tuple[str, ...]:
    """The names in EVENT_SINK_CLICKHOUSE_PII_MODELS, each once; WrongShape when it is not a list of names."""
    configured: Any = getattr(settings, SETTING, None)
    is_list = isinstance(configured, list | tuple | set | frozenset)
    if not is_list or not all(isinstance(name, str) for name in configured):
        example = '["user_profile", "external_id"]'
        raise WrongShape(f"{SETTING} is {configured!r}: it must be a list of ClickHouse tables, such as {example}")
    return tuple(dict.fromkeys(configured))


def is_personal(table: str, clickhouse: Callable[[], ClickHouse]) -> bool:
    """Whether the setting names this table of a sink; Misconfigured when a name in it may be the table misspelled.

    ``clickhouse``: opens it; called only when the setting names tables that are not the plugin's.
    """
    prefix = getattr(settings, PREFIX, None)
    if not isinstance(prefix, str | None):
        raise WrongShape(f"{PREFIX} is {prefix!r}: it must be text, the beginning of every retired username")
    names = personal_tables()
    if unknown_among(names, ()):
        client = clickhouse()
        unknown = unknown_among(names, client.columns())
        if unknown:
            raise not_tables(unknown, client.connection.database)
    return table in names


def unknown_among(names: Iterable[str], existing: Collection[str]) -> list[str]:
    """The names that are neither one of the plugin's nor that of an existing table.

    The plugin's are those of its tables, whether or not they exist, and of its models: Tutor lists "auth_user".
    """
    # Sinks ask this module, which is imported before all of them are there.
    from platform_plugin_aspects.sinks.registry import tables

    models = common.defaults()["EVENT_SINK_CLICKHOUSE_MODEL_CONFIG"]
    return sorted(set(names).difference(models, (table.name for table in tables()), existing))


def not_tables(unknown: Iterable[str], database: str) -> Misconfigured:
    """The error for names that are not tables."""
    from platform_plugin_aspects.sinks.registry import learner_tables

    return Misconfigured(
        f"{SETTING} names {', '.join(map(repr, unknown))}: not a table in {database}. Write each table as ClickHouse "
        f"does, without the database, or remove the name. Tables of the plugin with learners: "
        f"{', '.join(learner_tables())}"
    )
