"""Retirement: the personal data of a learner leaves ClickHouse."""

from __future__ import annotations

import logging
from datetime import datetime

from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.sinks.base_sink import BaseSink
from platform_plugin_aspects.sinks.batch import Batch, Selection, Written
from platform_plugin_aspects.sinks.personal_data import not_tables, personal_tables, unknown_among
from platform_plugin_aspects.sinks.retired_events import forget_events, forget_statements
from platform_plugin_aspects.sinks.retired_reports import forget_in_reports
from platform_plugin_aspects.sinks.statement_sink import StatementSink

log = logging.getLogger(__name__)


class UserRetirementSink(BaseSink):
    """Writes nothing: deletes the rows of learners from the tables in EVENT_SINK_CLICKHOUSE_PII_MODELS.

    Learning events of the learners that still wait are deleted, too, and statements that name them by an address,
    with what the reports made of these.
    Trigger: the platform's retire_misc step, or the account is deleted. It counts as done when no row is left.
    """

    name = "auth_user"
    model = "auth_user"
    has_objects = False
    needs_model = False

    def parse_key(self, text: str) -> int:
        """A user id."""
        return int(text)

    def read(self, selection: Selection) -> Batch:
        """The users asked for, whether or not their account still exists."""
        keys = sorted(selection.keys or ())
        return Batch(keys, {})

    def write(self, batch: Batch, stamp: datetime) -> Written:
        """Delete the learners' rows, then check that none is left.

        Learning events go first, because they may become statements.

        Raises Misconfigured for names in the setting that are not tables, after the other tables are done.
        """
        forget_events(batch.keys)
        forget_statements(batch.keys, StatementSink(self.connection))
        # After the statements, because a relation is rebuilt from them.
        is_rebuilt = forget_in_reports(batch.keys, self.clickhouse)
        names = personal_tables()
        existing = self.clickhouse.columns()
        unknown = unknown_among(names, existing)
        for table in names:
            if table in unknown:
                continue
            type_ = dict(existing.get(table, ())).get("user_id")
            if type_ is None:
                log.info("Retirement: %r is not a table with a user_id in ClickHouse, skipped", table)
                continue
            self.clickhouse.delete(table, "user_id", type_, batch.keys)
            ((left,),) = self.clickhouse.select(
                f"SELECT count() FROM {self.clickhouse.qualified(table)} WHERE user_id IN {{ids:Array({type_})}}",
                {"ids": batch.keys},
            )
            if left:
                raise Unavailable(f"{left} rows of retired learners are still in {table}: deleting goes on")
        if unknown:
            raise not_tables(unknown, self.connection.database)
        if is_rebuilt:
            raise Unavailable(
                "Reports are being rebuilt, perhaps from statements of retired learners: they are looked through again "
                "after the rebuild. If none is running, resume it with `manage.py lms aspects_reports rebuild`"
            )
        return Written()
