"""For tests of sinks: the rows that a sink makes of the objects in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command

from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.sinks.conversion import Encoded
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink


def rows_of(sink_class: type[ModelBaseSink], fixture: Path | str) -> list[dict[str, Any]]:
    """Load a Django fixture into the database, and return the rows of ``sink_class`` in the order of their keys.

    Needs no ClickHouse. ``dump_id`` and ``time_last_dumped`` are left out.
    """
    call_command("loaddata", fixture, verbosity=0)
    sink = sink_class()
    columns = sink.converted(sink.read(Selection()))
    texts = [values.decoded() if isinstance(values, Encoded) else values for values in columns]
    names = [column.name for column in sink.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*texts, strict=True)]
