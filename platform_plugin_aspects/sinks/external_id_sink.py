"""External ids."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.sinks.column import Column, Text, Uuid
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink


class ExternalIdSink(ModelBaseSink):
    """A row: one of the ids by which a learner is known outside the platform (xAPI, Caliper, LTI).

    Trigger: the id or the account is saved; when the id is deleted its rows go. Ids made in bulk send no signal; the
    backfill writes them. Personal data: all.
    """

    name = "external_id"
    model = "external_id"
    columns = (
        Column("external_user_id", "UUID", Uuid(), personal=True),
        Column("external_id_type", "String", Text("external_id_type__name")),
        Column("username", "String", Text("user__username"), personal=True),
        Column("user_id", "Int32", personal=True),
    )
    order_by = ("external_user_id", "time_last_dumped")
    partition_by = "user_id MOD 100"
    learner = "user_id"
    deletes = True
    key_column = "external_user_id"
    date = "created"
    # Every insert makes a part in each of up to 100 partitions, and parts are merged: few and large inserts spare
    # ClickHouse most of its work.
    insert_size = 100_000

    def parse_key(self, text: str) -> Any:
        """A primary key, or the UUID that is recorded when an id is deleted, because rows hold no primary key."""
        with suppress(ValueError):
            return uuid.UUID(text)
        return super().parse_key(text)

    def within(self, queryset: Any, selection: Selection) -> Any:
        """The objects that ModelBaseSink selects; a UUID selects nothing."""
        if selection.keys is not None:
            selection = replace(selection, keys=[key for key in selection.keys if not isinstance(key, uuid.UUID)])
        return super().within(queryset, selection)

    def gone(self, keys: Sequence[Any]) -> Sequence[Any]:
        """The UUIDs that are gone. An id that was recorded by its primary key is recorded by its UUID, too."""
        deleted = [key for key in keys if isinstance(key, uuid.UUID)]
        there = set(self.manager.filter(external_user_id__in=deleted).values_list("external_user_id", flat=True))
        return [str(key) for key in deleted if key not in there]
