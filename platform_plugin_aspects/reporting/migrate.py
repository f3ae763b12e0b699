"""Creates the relations that are missing, and rebuilds stored ones beside those that boards read meanwhile.

A stored relation is a view of a table, whose name holds the hash of its definition and a number. A rebuild makes the
next table with its feed, fills it month by month, and then lets the view read it. All states are idempotent, so a row
that the feed and the filling both write is counted once; a rebuild that was killed resumes with the next month.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import create_database_statement, on_cluster
from platform_plugin_aspects.reporting.layout import FILLED, feed_of, table_name
from platform_plugin_aspects.reporting.relation import Relation
from platform_plugin_aspects.reporting.state import Present, Status

#: Hears of each month that is filled: relation, month, its number from 1, and their number. False stops the rebuild.
Watch = Callable[[str, int, int, int], bool]


class Stopped(Exception):
    """The watcher stopped a rebuild, which the same call resumes."""


class Reports(Present):
    """The reports in one ClickHouse. All methods raise clickhouse.errors.Failure."""

    #: Seconds between the end of a feed and that of its table. An insert that has just begun may still look for the
    #: table, and would fail without it.
    grace_secs = 5.0

    def create(self, watch: Watch) -> list[str]:
        """Create what is missing, and replace views of an older definition. Returns the names.

        Views that show who learners are, and shall not, are dropped.
        Stored relations of an older definition stay, and so do views that read them, until ``rebuild``.
        """
        self.client.command(create_database_statement(self.layout.database, self.layout.cluster))
        self.client.command(self.layout.create_filled())
        for relation in self._unwanted():
            on = on_cluster(self.layout.cluster)
            self.client.command(f"DROP VIEW IF EXISTS {self.layout.qualified(relation.name)}{on}")
        states = self.states()
        missing = [state.relation for state in states if state.status is Status.MISSING]
        made = self._build(self._with_fed({relation.name for relation in missing if relation.is_stored}), watch)
        for relation in self._due_views(states, made):
            self.client.command(self.layout.create_view(relation))
            made.append(relation.name)
        if change := self._days_change(self.states()):
            self.client.command(change)
        return made

    def rebuild(self, names: Sequence[str], watch: Watch) -> list[str]:
        """Rebuild stored relations, those of an older definition without ``names``, and all that they feed.

        Boards read the former tables meanwhile. Returns the names. Raises Stopped.
        """
        self.create(watch)
        states = self.states()
        known = {state.relation.name for state in states if state.relation.is_stored}
        if unknown := [name for name in names if name not in known]:
            raise Misconfigured(f"Not a stored relation: {', '.join(unknown)}. Stored ones: {', '.join(sorted(known))}")
        wanted = set(names) or {
            state.relation.name
            for state in states
            if state.relation.is_stored and (state.status is not Status.CURRENT or state.begun)
        }
        built = self._build(self._with_fed(wanted), watch)
        # A rebuild that was killed may have left some.
        self._drop_former()
        self.create(watch)
        return built

    def _with_fed(self, names: set[str]) -> list[Relation]:
        """These stored relations and all that they feed, in order."""
        chosen: list[Relation] = []
        for relation in self.relations:
            if relation.is_stored and (relation.name in names or relation.source in {found.name for found in chosen}):
                chosen.append(relation)
        return chosen

    def read_again(self, names: Sequence[str], since: int, watch: Watch) -> list[str]:
        """Add to the tables what their sources have since a month, such as 202603. Returns the names.

        It adds statements that came past a feed, and removes nothing. Raises Stopped.
        """
        tables = {state.relation.name: state.table for state in self.states()}
        chosen = [
            relation for relation in self.relations if relation.is_stored and (not names or relation.name in names)
        ]
        for relation in chosen:
            if not tables[relation.name]:
                raise Misconfigured(f"{relation.name} is missing: create it first")
            source = self.layout.source_table(relation, tables)
            months = [month for month in self._months(relation, source) if month >= since]
            for number, month in enumerate(months, 1):
                self.client.command(self.layout.fill(relation, tables[relation.name], source, month))
                if not watch(relation.name, month, number, len(months)):
                    raise Stopped
        return [relation.name for relation in chosen]

    def _build(self, chosen: Sequence[Relation], watch: Watch) -> list[str]:
        """Make and fill new tables, beside the present ones, then switch over and drop the former."""
        if not chosen:
            return []
        present = {state.relation.name: state.table for state in self.states()}
        tables = dict(present)
        fed_by = self._feeds()
        built = []
        for relation in chosen:
            names = self._comments()
            tables_of = self._tables(relation, names)
            last = tables_of[-1][0] if tables_of else 0
            begun = [
                name for made, name in self._tables(relation, names, current=True) if name != present[relation.name]
            ]
            source = self.layout.source_table(relation, tables)
            if relation.source in tables and fed_by.get(present[relation.name]) == source != self.layout.source_table(
                relation, present
            ):
                # A rebuild was killed after it had switched this one over, and before its source.
                continue
            usable = [name for name in begun if fed_by.get(name, source) == source]
            table = usable[-1] if usable else table_name(relation, self.hashes[relation.name], last + 1)
            if table not in names:
                # A table of this name may have been dropped by hand, after it was filled.
                self._forget(table)
            self.client.command(self.layout.create_table(relation, table))
            # From here on, new rows arrive by themselves.
            self.client.command(self.layout.create_feed(relation, table, source))
            self._fill(relation, table, source, watch)
            tables[relation.name] = table
            built.append(relation)
        for relation in reversed(built):
            self.client.command(self.layout.create_view(relation, tables[relation.name]))
        self._drop_former()
        return [relation.name for relation in built]

    def _months(self, relation: Relation, source: str) -> list[int]:
        sql = f"SELECT DISTINCT toYYYYMM(`{relation.month_of}`, 'UTC') AS month FROM {source} ORDER BY month"
        return [int(month) for (month,) in self.client.select(sql)]

    def _fill(self, relation: Relation, table: str, source: str, watch: Watch) -> None:
        """Insert what the source has, month by month, but for months that are filled already. Raises Stopped."""
        filled = self.layout.qualified(FILLED)
        done = {month for (month,) in self.client.select(f"SELECT month FROM {filled} WHERE name = '{table}'")}
        months = self._months(relation, source)
        for number, month in enumerate(months, 1):
            if month in done:
                continue
            self.client.command(self.layout.fill(relation, table, source, month))
            self.client.command(f"INSERT INTO {filled} (name, month) VALUES ('{table}', {month:d})")
            if not watch(relation.name, month, number, len(months)):
                raise Stopped

    def _drop_former(self) -> None:
        """Drop the tables that no view reads any more, after their feeds. A rebuild that has begun keeps its own."""
        on = on_cluster(self.layout.cluster)
        names = self._comments()
        present = {state.relation.name: state.table for state in self.states()}
        former: list[str] = []
        for relation in self.relations:
            if now := present[relation.name] if relation.is_stored else "":
                kept = {now, *self._begun(relation, names, now)}
                former += [table for _made, table in self._tables(relation, names) if table not in kept]
        feeds = [feed_of(table) for table in former if feed_of(table) in names]
        for name in feeds:
            self.client.command(f"DROP TABLE IF EXISTS {self.layout.qualified(name)}{on}")
        if feeds:
            time.sleep(self.grace_secs)
        for table in former:
            # First its memory: the name of a table that is gone may be given again.
            self._forget(table)
            self.client.command(f"DROP TABLE IF EXISTS {self.layout.qualified(table)}{on}")

    def _forget(self, table: str) -> None:
        """Forget which months of a table are filled."""
        on = on_cluster(self.layout.cluster)
        self.client.command(f"DELETE FROM {self.layout.qualified(FILLED)}{on} WHERE name = '{table}'")
