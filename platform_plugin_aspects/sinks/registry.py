"""Which sinks there are: the plugin's own, and those listed in EVENT_SINK_CLICKHOUSE_EXTRA_SINKS."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import Table
from platform_plugin_aspects.dotted_path import CannotLoad, load, shown
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.models import NAME_LENGTH
from platform_plugin_aspects.settings.common import defaults
from platform_plugin_aspects.sinks import (
    BaseSink,
    CourseEnrollmentSink,
    CourseOverviewSink,
    ExternalIdSink,
    ModelBaseSink,
    ObjectTagSink,
    StatementSink,
    TagSink,
    TaxonomySink,
    UserProfileSink,
    UserRetirementSink,
)
from platform_plugin_aspects.sinks.personal_data import personal_tables

log = logging.getLogger(__name__)

#: In the order of a backfill of all objects: sinks that others refer to come first.
BUILT_IN: tuple[type[BaseSink], ...] = (
    TaxonomySink,
    TagSink,
    ObjectTagSink,
    CourseOverviewSink,
    UserProfileSink,
    ExternalIdSink,
    CourseEnrollmentSink,
    UserRetirementSink,
    StatementSink,
)
DEFAULTS = Connection()
#: Advice of commands about a sink that is off.
HOW_TO_WRITE_IF_OFF = "Turn one of them on, or add --even_if_off to write its rows all the same"


@dataclass(frozen=True)
class Invalid:
    """An entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS that cannot be used. ``found``: the object loaded from it."""

    path: str
    why: str
    found: Any = None


def extra_sinks() -> Sequence[type[BaseSink] | Invalid]:
    """The class, or why it cannot be used, for each entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS.

    Never raises, whatever the setting is and whatever the modules do that it names. Modules that fail are run once per
    value of the setting, and named in the log once.
    """
    configured = getattr(settings, "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS", None) or ()
    entries = configured if isinstance(configured, list | tuple | set) else [configured]
    # Entries that are not text may not be hashable.
    paths = tuple((path, path) if isinstance(path, str) and path else (repr(path), None) for path in entries)
    # A module that fails while the platform starts may only need something that is not there yet.
    return _checked(paths) if apps.ready else _check(paths)


def _check(paths: Iterable[tuple[str, str | None]]) -> list[type[BaseSink] | Invalid]:
    taken = {sink.name for sink in BUILT_IN}
    checked: list[type[BaseSink] | Invalid] = []
    for shown_path, path in paths:
        found: Any = None
        try:
            found = load(path)
            fault = _fault_of(found, taken)
        except CannotLoad as error:
            fault = str(error)
        except Exception as error:
            fault = f"it cannot be inspected: {shown(error)}"
        if fault:
            checked.append(Invalid(shown_path, fault, found))
        else:
            taken.add(found.name)
            checked.append(found)
    return checked


@cache
def _checked(paths: tuple[tuple[str, str | None], ...]) -> list[type[BaseSink] | Invalid]:
    checked = _check(paths)
    for entry in checked:
        if isinstance(entry, Invalid):
            log.error("EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: %s cannot be used: %s", entry.path, entry.why)
    return checked


def _fault_of(found: Any, taken: Collection[str]) -> str:
    """Why this is not a sink that can be used; empty when it is one."""
    if not (isinstance(found, type) and issubclass(found, BaseSink)):
        return "it is not a subclass of platform_plugin_aspects.sinks.BaseSink"
    declared: dict[str, Any] = {name: getattr(found, name) for name in ("name", "model", "tables")}
    if not declared["name"] or not declared["model"]:
        return "it has no name or no model"
    if not (isinstance(declared["name"], str) and isinstance(declared["model"], str)):
        return "its name and its model must be text"
    if len(found.name) > NAME_LENGTH:
        return f"its name is longer than {NAME_LENGTH} characters"
    if found.name in taken:
        return f"its name, {found.name!r}, is taken"
    if not (isinstance(declared["tables"], tuple) and all(isinstance(table, Table) for table in declared["tables"])):
        return "its tables must be a tuple of Table"
    if issubclass(found, ModelBaseSink):
        if not found.columns:
            return "it has no columns"
        own_write = (found.write, found.insert) != (ModelBaseSink.write, ModelBaseSink.insert)
        if own_write and found.encode is ModelBaseSink.encode:
            return "it overrides write or insert: it must override encode, too, and return None there"
        if found.deletes and found.key_column not in {column.name for column in found.columns}:
            return f"it deletes rows, but its key_column, {found.key_column!r}, is not one of its columns"
    if inspect.isabstract(found):
        return f"it does not override {', '.join(sorted(found.__abstractmethods__))}"
    return ""


def sinks() -> dict[str, type[BaseSink]]:
    """All sinks by name; entries of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS that cannot be used are left out."""
    extra = [entry for entry in extra_sinks() if not isinstance(entry, Invalid)]
    return {sink.name: sink for sink in (*BUILT_IN, *extra)}


def is_on(sink: type[BaseSink]) -> bool:
    """Whether the sink is on; False, with an error in the log, for a sink of others that raises when it is asked.

    Raises PLATFORM_FAULTS.
    """
    try:
        return sink.is_enabled()
    except PLATFORM_FAULTS:
        raise
    except Exception as error:
        log.error("%s is treated as off, because it does not say whether it is on: %s", sink.name, shown(error))
        return False


def names_are_on() -> bool:
    """Whether the platform writes who its users are, so that reports may show it."""
    return all(is_on(sinks()[name]) for name in ("external_id", "user_profile"))


def why_off(sink: type[BaseSink]) -> str:
    """Why ``sink.is_enabled()`` is false, and how to turn the sink on."""
    switched_off = f"{sink.setting()} is not True, and the waffle flag {sink.flag()} is not on for everyone"
    return f"{sink.name} is off: {why_it_stays_off(sink) or switched_off}"


def why_it_stays_off(sink: type[BaseSink]) -> str:
    """Why neither its setting nor its flag turns the sink on, and what to do; empty when they do."""
    if found := sink.why_unusable():
        return found
    if sink.needs_model and edx_platform.get_model(sink.model) is None:
        return f"its model cannot be imported; correct EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]"
    return ""


def tables() -> list[Table]:
    """The tables of all sinks that write to the plugin's database."""
    ours = [sink for sink in sinks().values() if sink.database_key == BaseSink.database_key]
    return [table for sink in ours for table in sink.tables]


def relations_of_boards(connection: Connection = DEFAULTS) -> list[tuple[str, str]]:
    """(database, table) of the sinks' tables, those with personal data excepted.

    Raises Misconfigured when EVENT_SINK_CLICKHOUSE_PII_MODELS does not say which these are.
    """
    personal = {*defaults()["EVENT_SINK_CLICKHOUSE_PII_MODELS"], *personal_tables()}
    names = dict.fromkeys(table.name for table in tables())
    return [(connection.database, name) for name in names if name not in personal]


def relations_of_own_boards(connection: Connection = DEFAULTS) -> list[tuple[str, str]]:
    """(database, table) of those tables that boards of a site's own may read.

    Their rows are limited by ``org`` and ``course_key``, and no column of theirs is personal. Raises Misconfigured.
    """
    usable = {table.name for table in tables() if _is_of_courses(table)}
    return [(database, name) for database, name in relations_of_boards(connection) if name in usable]


def _is_of_courses(table: Table) -> bool:
    is_personal = any(getattr(column, "personal", False) for column in table.columns)
    return not is_personal and {"org", "course_key"} <= {column.name for column in table.columns}


def learner_tables() -> list[str]:
    """The names of the tables whose rows are about one learner each, in order."""
    models = (sink for sink in sinks().values() if issubclass(sink, ModelBaseSink) and sink.learner)
    return sorted(table.name for sink in models for table in sink.tables)
