"""Sinks that were written for version 2 of the package are found, listed or only loaded."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from platform_plugin_aspects.operations.checks.sinks import check_old_sinks
from platform_plugin_aspects.sinks import ModelBaseSink, registry
from platform_plugin_aspects.sinks.column import Column

MODULE = "somebody_s_plugin"


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """Somebody's module, gone after the test with its classes."""
    sys.modules[MODULE] = ModuleType(MODULE)
    yield sys.modules[MODULE]
    vars(sys.modules.pop(MODULE)).clear()
    registry._checked.cache_clear()
    gc.collect()


def declare(module: ModuleType, base: type, **attributes: Any) -> None:
    module.TheirSink = type("TheirSink", (base,), {"__module__": MODULE, **attributes})


OLD = {
    "model": "user_preference",
    "unique_key": "id",
    "clickhouse_table_name": "user_preference",
    "timestamp_field": "time_last_dumped",
    "name": "User Preference",
    "serializer_class": object,
    "pk_format": int,
}
SAID = (
    "somebody_s_plugin.TheirSink is a sink of version 2: clickhouse_table_name, unique_key, timestamp_field, "
    "serializer_class, pk_format have no effect."
)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("base", [ModelBaseSink, object])
def test_a_sink_of_version_2_is_found(base: type, listed: bool, module: ModuleType, settings: Any) -> None:
    """Version 2 found subclasses that were loaded; a class of another package is found where it is listed."""
    declare(module, base, **OLD)
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{MODULE}.TheirSink"] if listed else []
    found = check_old_sinks(None)
    if base is object and not listed:
        assert found == []
        return
    (warning,) = found
    assert (warning.id, warning.msg) == ("platform_plugin_aspects.W024", SAID)
    assert "Port a sink of version 2" in (warning.hint or "")


def test_what_it_inherits_counts(module: ModuleType, settings: Any) -> None:
    declare(module, ModelBaseSink, serializer_class=object)
    declare(module, module.TheirSink, name="theirs", model="user_preference", columns=(Column("id", "Int32"),))
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{MODULE}.TheirSink"]
    assert {warning.msg.partition(": ")[2] for warning in check_old_sinks(None)} == {"serializer_class have no effect."}


def test_nothing_is_said_of_sinks_of_this_version(module: ModuleType, settings: Any) -> None:
    declare(module, ModelBaseSink, name="theirs", model="user_preference", columns=(Column("id", "Int32"),))
    settings.EVENT_SINK_CLICKHOUSE_EXTRA_SINKS = [f"{MODULE}.TheirSink", "nowhere.Sink", None]
    assert check_old_sinks(None) == []
