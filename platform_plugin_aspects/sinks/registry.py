"""Which sinks there are: the plugin's own, and those listed in EVENT_SINK_CLICKHOUSE_EXTRA_SINKS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.conf import settings
from django.utils.module_loading import import_string

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.client import Connection
from platform_plugin_aspects.clickhouse.schema import LOAD_TEST_TABLES, Table
from platform_plugin_aspects.sinks import (
    BaseSink,
    CourseEnrollmentSink,
    CourseOverviewSink,
    ExternalIdSink,
    ModelBaseSink,
    ObjectTagSink,
    TagSink,
    TaxonomySink,
    UserProfileSink,
    UserRetirementSink,
)

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
)
DEFAULTS = Connection()
#: What to do about a sink that is off, in commands.
HOW_TO_WRITE_IF_OFF = "Turn one of them on, or add --even_if_off to write its rows all the same"


def extra_sinks() -> Iterator[tuple[str, type[BaseSink] | str]]:
    """(dotted path, class, or why there is none) for each entry of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS."""
    taken = {sink.name for sink in BUILT_IN}
    configured = getattr(settings, "EVENT_SINK_CLICKHOUSE_EXTRA_SINKS", None) or ()
    # Text is made of letters, none of which is a path.
    for path in [configured] if isinstance(configured, str) else configured:
        try:
            found = import_string(path)
        except (ImportError, ValueError) as error:
            yield path, str(error)
            continue
        if not (isinstance(found, type) and issubclass(found, BaseSink)):
            yield path, "it is no subclass of platform_plugin_aspects.sinks.BaseSink"
        elif not found.name or not found.model:
            yield path, "it has no name or no model"
        elif found.name in taken:
            yield path, f"its name, {found.name!r}, is taken"
        elif (
            issubclass(found, ModelBaseSink)
            and found.deletes
            and found.key_column not in {column.name for column in found.columns}
        ):
            yield path, f"it deletes rows, but its key_column, {found.key_column!r}, is none of its columns"
        else:
            taken.add(found.name)
            yield path, found


def sinks() -> dict[str, type[BaseSink]]:
    """All sinks by name. Entries of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS that are none are left to the system checks."""
    usable = [found for _path, found in extra_sinks() if not isinstance(found, str)]
    return {sink.name: sink for sink in (*BUILT_IN, *usable)}


def why_off(sink: type[BaseSink]) -> str:
    """Why ``sink.is_enabled()`` is false, with what would turn the sink on."""
    if edx_platform.get_model(sink.model) is None:
        wrong = f"EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[{sink.model!r}]"
        return f"{sink.name} is off: its model cannot be imported; correct {wrong}"
    return f"{sink.name} is off: {sink.setting()} is not True, and the waffle flag {sink.flag()} is not on for everyone"


def tables(connection: Connection = DEFAULTS) -> list[Table]:
    """All tables of the plugin's database; those of load tests are called as in ``connection``."""
    names = (connection.runs_table, connection.stats_table)
    of_load_tests = [replace(table, name=name) for table, name in zip(LOAD_TEST_TABLES, names, strict=True)]
    return [table for sink in sinks().values() for table in sink.tables] + of_load_tests
