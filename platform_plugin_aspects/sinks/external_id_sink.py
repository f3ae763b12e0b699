"""External ids."""

from __future__ import annotations

from platform_plugin_aspects.clickhouse.schema import Column
from platform_plugin_aspects.sinks.base_sink import ModelBaseSink


class ExternalIdSink(ModelBaseSink):
    """A row: one of the ids by which a learner is known outside the platform (xAPI, Caliper, LTI).

    Trigger: an external id is saved. Ids made in bulk send no signal; the backfill brings them. Personal data: all.
    """

    name = "external_id"
    model = "external_id"
    columns = (
        Column("external_user_id", "UUID", as_text=True, sent_as="String", personal=True),
        Column("external_id_type", "String", source="external_id_type__name", as_text=True),
        Column("username", "String", source="user__username", as_text=True, personal=True),
        Column("user_id", "Int32", personal=True),
    )
    order_by = ("external_user_id", "time_last_dumped")
    partition_by = "user_id MOD 100"
    learner = "user_id"
    key_column = "external_user_id"
    date = "created"
    # Every insert makes a part in each of up to 100 partitions, and parts are merged: few and large inserts spare
    # ClickHouse most of its work.
    insert_size = 100_000
