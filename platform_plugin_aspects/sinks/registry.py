"""Which sinks there are: the plugin's own, and those listed in EVENT_SINK_CLICKHOUSE_EXTRA_SINKS."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.conf import settings

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import LOAD_TEST_TABLES, Table
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

#: In the order in which a backfill of everything goes: what others refer to comes first.
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


#: Why nothing can be loaded from a path: modules that fail are run once in a process.
_failed: dict[str, str] = {}
#: Paths that the log named already.
_said: set[str] = set()


def extra_sinks() -> Iterator[tuple[str, type[BaseSink] | str]]:
    """(dotted path, class, or why there is none) for each entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS.

    Never raises, whatever the setting is and whatever the modules do that it names.
    """
    taken = {sink.name for sink in BUILT_IN}
    for path in _configured():
        place = path if isinstance(path, str) and path else repr(path)
        try:
            found = _load(path)
            fault = _fault_of(found, taken)
        except CannotLoad as error:
            yield place, str(error)
            continue
        except Exception as error:
            fault = f"it cannot be looked at: {shown(error)}"
        if fault:
            yield place, fault
        else:
            taken.add(found.name)
            yield place, found


def listed_classes() -> Iterator[type]:
    """The classes that EVENT_SINK_CLICKHOUSE_EXTRA_SINKS names, whether they are sinks or not. Never raises."""
    for path in _configured():
        try:
            found = _load(path)
        except CannotLoad:
            continue
        if isinstance(found, type):
            yield found


def _configured() -> Collection[Any]:
    configured = getattr(settings, "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS", None) or ()
    return configured if isinstance(configured, list | tuple | set) else [configured]


def _load(path: Any) -> Any:
    if isinstance(path, str) and path in _failed:
        raise CannotLoad(_failed[path])
    try:
        return load(path)
    except CannotLoad as error:
        # Before that, what it needs may only not be there yet.
        if apps.ready and isinstance(path, str):
            _failed[path] = str(error)
        raise


def _fault_of(found: Any, taken: Collection[str]) -> str:
    """Why this is not a sink that can be used; empty when it is one."""
    if not (isinstance(found, type) and issubclass(found, BaseSink)):
        return "it is no subclass of platform_plugin_aspects.sinks.BaseSink"
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
            return f"it deletes rows, but its key_column, {found.key_column!r}, is none of its columns"
    if inspect.isabstract(found):
        return f"it does not override {', '.join(sorted(found.__abstractmethods__))}"
    return ""


def sinks() -> dict[str, type[BaseSink]]:
    """All sinks by name.

    Entries of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS that cannot be used are left out, with an error in the log once in a
    process; the system checks report them, too.
    """
    known = {sink.name: sink for sink in BUILT_IN}
    for path, found in extra_sinks():
        if not isinstance(found, str):
            known[found.name] = found
        elif apps.ready and path not in _said:
            _said.add(path)
            log.error("EVENT_SINK_CLICKHOUSE_EXTRA_SINKS: %s cannot be used: %s", path, found)
    return known


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


def why_off(sink: type[BaseSink]) -> str:
    """Why ``sink.is_enabled()`` is false, with what would turn the sink on."""
    if found := sink.why_unusable():
        return f"{sink.name} is off: {found}"
    if sink.needs_model and edx_platform.get_model(sink.model) is None:
        wrong = f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]"
        return f"{sink.name} is off: its model cannot be imported; correct {wrong}"
    return f"{sink.name} is off: {sink.setting()} is not True, and the waffle flag {sink.flag()} is not on for everyone"


def tables(connection: Connection = DEFAULTS) -> list[Table]:
    """All tables of the plugin's database; those of load tests are called as in ``connection``."""
    names = (connection.runs_table, connection.stats_table)
    of_load_tests = [replace(table, name=name) for table, name in zip(LOAD_TEST_TABLES, names, strict=True)]
    return [table for sink in _of_plugin_database() for table in sink.tables] + of_load_tests


def tables_by_database(connection: Connection = DEFAULTS) -> dict[Connection, list[Table]]:
    """All tables, by the connection with their database: that of the plugin first, then that of the statements."""
    found = {connection: tables(connection)}
    for sink in sinks().values():
        if sink.database_key != BaseSink.database_key:
            found.setdefault(sink.place(connection), []).extend(sink.tables_at(connection))
    return found


def _of_plugin_database() -> list[type[BaseSink]]:
    return [sink for sink in sinks().values() if sink.database_key == BaseSink.database_key]


def relations_of_boards(connection: Connection = DEFAULTS) -> list[tuple[str, str]]:
    """(database, table) of the sinks' tables, those with personal data excepted.

    Raises Misconfigured when EVENT_SINK_CLICKHOUSE_PII_MODELS does not say which these are.
    """
    personal = {*defaults()["EVENT_SINK_CLICKHOUSE_PII_MODELS"], *personal_tables()}
    names = dict.fromkeys(table.name for sink in _of_plugin_database() for table in sink.tables)
    return [(connection.database, name) for name in names if name not in personal]


def learner_tables() -> list[str]:
    """The names of the tables whose rows are about one learner each, in order."""
    models = (sink for sink in sinks().values() if issubclass(sink, ModelBaseSink) and sink.learner)
    return sorted(table.name for sink in models for table in sink.tables)
