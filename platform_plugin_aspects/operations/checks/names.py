"""Checks of names in settings: misspelt ones have no effect, and nothing else reports them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from django.conf import settings

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.grants import Reader
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.operations.checks.check import check, valid
from platform_plugin_aspects.settings import common
from platform_plugin_aspects.sinks.personal_data import personal_tables
from platform_plugin_aspects.sinks.registry import sinks

#: Settings with fixed keys, and the classes that read them.
MAPPINGS = {
    "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": Connection,
    "SUPERSET_CONFIG": SupersetConfig,
    "ASPECTS_SUPERSET_READER": Reader,
}
#: The beginnings of the names of the plugin's settings.
PREFIXES = ("EVENT_SINK_CLICKHOUSE_", "ASPECTS_", "SUPERSET_", "IN_CONTEXT_DASHBOARD_")
#: How alike, from 0 to 1, a misspelling is to the known name.
ALIKE = 0.8


def closest(name: Any, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; None when none is."""
    return next(iter(get_close_matches(str(name), sorted(known), n=1, cutoff=ALIKE)), None)


def suggestion(name: Any, known: Iterable[str]) -> str:
    """A hint: the known name that was probably meant, or all of them."""
    meant = closest(name, known)
    return f"Did you mean {meant}?" if meant else f"Remove it, or use one of {', '.join(sorted(known))}."


@check("W004")
def check_keys() -> Iterator[tuple[str, str]]:
    """EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG, SUPERSET_CONFIG and ASPECTS_SUPERSET_READER have no unknown keys."""
    for name, kind in MAPPINGS.items():
        configured = getattr(settings, name, None)
        known = {field.name for field in fields(kind)}
        for key in configured if isinstance(configured, Mapping) else ():
            if key not in known:
                yield f"{key!r} in {name} has no effect.", suggestion(key, known)


@check("W005")
def check_enabled() -> Iterator[tuple[str, str]]:
    """Each EVENT_SINK_CLICKHOUSE_<MODEL>_ENABLED is of a sink's model, and True or False."""
    known = {sink.setting() for sink in sinks().values()}
    for name in dir(settings):
        if not (name.startswith("EVENT_SINK_CLICKHOUSE_") and name.endswith("_ENABLED")):
            continue
        value = getattr(settings, name)
        if name not in known:
            yield f"{name} is of no sink.", suggestion(name, known)
        elif not isinstance(value, bool):
            yield f"{name} is {value!r}, which does not turn the sink on.", "Set it to True or False, without quotes."


@check("W006")
def check_models() -> Iterator[tuple[str, str]]:
    """The plugin or a sink uses each name in EVENT_SINK_CLICKHOUSE_MODEL_CONFIG."""
    configured = settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG
    known = {*common.defaults()["EVENT_SINK_CLICKHOUSE_MODEL_CONFIG"], *(sink.model for sink in sinks().values())}
    for name in configured if isinstance(configured, Mapping) else ():
        if name not in known:
            yield f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{name!r}] is of no sink.", suggestion(name, known)


@check("W010")
def check_personal_tables() -> Iterator[tuple[str, str]]:
    """No name in EVENT_SINK_CLICKHOUSE_PII_MODELS is nearly that of a table of the plugin.

    Names that are quite different may be tables of others. "auth_user", which Tutor lists, is the name of a model.
    """
    known = {table.name for table in all_tables()}
    for name in valid(personal_tables) or ():
        # As ClickHouse writes a table: without the database, quotes and capitals.
        plain = name.rpartition(".")[2].strip('`" ').lower()
        if name not in known and closest(plain, known):
            yield (
                f"EVENT_SINK_CLICKHOUSE_PII_MODELS names {name!r}, which is not a table of this plugin: unless "
                "ClickHouse has such a table, retirements and profiles are not delivered.",
                suggestion(plain, known),
            )


@check("W011")
def check_settings() -> Iterator[tuple[str, str]]:
    """No setting has nearly the name of one of the plugin's, as misspelt ones and old ones have."""
    known = set(common.defaults())
    for name in dir(settings):
        if name.startswith(PREFIXES) and name not in known and not name.endswith("_ENABLED") and closest(name, known):
            yield f"{name} is not a setting of this plugin, and has no effect.", suggestion(name, known)
