"""Creates the relations that are missing, and rebuilds stored ones beside those that boards read meanwhile.

A stored relation is a view of a table, whose name holds the hash of its definition and a number. A rebuild makes the
next table with its feed, fills it month by month, and then lets the view read it. All states are idempotent, so a row
that the feed and the filling both write is counted once; a rebuild that was killed resumes with the next month.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import create_database_statement, on_cluster
from platform_plugin_aspects.reporting.layout import EVENTS, FILLED, Layout, behind, feed_of, table_name
from platform_plugin_aspects.reporting.relation import HASH_LENGTH, Relation


class Status(StrEnum):
    """Whether a relation exists, as the package defines it."""

    CURRENT = "current"
    MISSING = "missing"
    OLDER = "of an older definition"
    UNFED = "not fed by its source"


@dataclass(frozen=True)
class State:
    """A relation, what is there of it, and whether a rebuild of it has begun."""

    relation: Relation
    status: Status
    table: str = ""
    begun: bool = False


#: Hears of each month that is filled: relation, month, its number from 1, and their number. False stops the rebuild.
Watch = Callable[[str, int, int, int], bool]


class Stopped(Exception):
    """The watcher stopped a rebuild, which the same call resumes."""


class Reports:
    """The reports in one ClickHouse. All methods raise clickhouse.errors.Failure."""

    #: Seconds between the end of a feed and that of its table. An insert that has just begun may still look for the
    #: table, and would fail without it.
    grace_secs = 5.0

    def __init__(self, client: ClickHouse, layout: Layout):
        self.client = client
        self.layout = layout
        self.relations = layout.wanted
        self.hashes = layout.hashes

    # Reading.

    def states(self) -> list[State]:
        """The state of each relation, in the order in which they are created."""
        comments = self._comments()
        fed_by = self._feeds()
        tables: dict[str, str] = {}
        found = []
        for relation in self.relations:
            definition, table = behind(comments.get(relation.name, ""))
            status = Status.CURRENT
            if relation.name not in comments or (relation.is_stored and table not in comments):
                status, table = Status.MISSING, ""
            elif definition != self.hashes[relation.name]:
                status = Status.OLDER
            elif relation.is_stored and fed_by.get(table) != self._source(relation, tables):
                status = Status.UNFED
            tables[relation.name] = table
            found.append(State(relation, status, table, bool(self._begun(relation, comments, table))))
        return found

    def _source(self, relation: Relation, tables: Mapping[str, str]) -> str:
        """The quoted source of a stored relation; empty while it is missing."""
        return "" if tables.get(relation.source) == "" else self.layout.source_table(relation, tables)

    def _comments(self) -> dict[str, str]:
        """The tables and views of the reports with their comments."""
        sql = "SELECT name, comment FROM system.tables WHERE database = {database:String}"
        return dict(map(tuple, self.client.select(sql, {"database": self.layout.database})))

    def _tables(self, relation: Relation, names: Iterable[str], *, current: bool = False) -> list[tuple[int, str]]:
        """(number, name) of the tables of a stored relation, in order; ``current``: of today's definition only."""
        definition = self.hashes[relation.name] if current else f"[0-9a-f]{{{HASH_LENGTH}}}"
        pattern = re.compile(rf"{relation.name}_v{definition}_(\d+)")
        return sorted((int(found[1]), name) for name in names if (found := pattern.fullmatch(name)))

    def _begun(self, relation: Relation, names: Iterable[str], table: str) -> list[str]:
        """The tables of a rebuild that has begun beside the present ``table``."""
        return [name for made, name in self._tables(relation, names, current=True) if made > _generation(table)]

    # Changing.

    def create(self, watch: Watch) -> list[str]:
        """Create what is missing, and replace views of an older definition. Returns the names.

        Views that show who learners are, and shall not, are dropped.
        Stored relations of an older definition stay, and so do views that read them, until ``rebuild``.
        """
        self.client.command(create_database_statement(self.layout.database, self.layout.cluster))
        self.client.command(self.layout.create_filled())
        for relation in self.layout.relations:
            if relation not in self.relations:
                on = on_cluster(self.layout.cluster)
                self.client.command(f"DROP VIEW IF EXISTS {self.layout.qualified(relation.name)}{on}")
        states = {state.relation.name: state for state in self.states()}
        missing = [state.relation for state in states.values() if state.status is Status.MISSING]
        made = self._build(self._with_fed({relation.name for relation in missing if relation.is_stored}), watch)
        old = {
            state.relation.name
            for state in states.values()
            if state.relation.is_stored and state.status is Status.OLDER and state.relation.name not in made
        }
        for state in states.values():
            if (
                not state.relation.is_stored
                and state.status is not Status.CURRENT
                and not self._reads(state.relation, old)
            ):
                self.client.command(self.layout.create_view(state.relation))
                made.append(state.relation.name)
        if EVENTS in self.hashes:
            self._keep_days()
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

    def _reads(self, relation: Relation, names: set[str]) -> bool:
        """Whether a relation reads one of these, by itself or by another view."""
        by_name = {found.name: found for found in self.relations}
        return any(
            name in names or (not by_name[name].is_stored and self._reads(by_name[name], names))
            for name in relation.references
        )

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

    def _feeds(self) -> dict[str, str]:
        """The quoted source of each table that has a feed."""
        sql = (
            "SELECT name, as_select FROM system.tables WHERE database = {database:String} AND engine = {engine:String}"
        )
        found = {}
        for name, select in self.client.select(sql, {"database": self.layout.database, "engine": "MaterializedView"}):
            if sources := re.findall(r"FROM\s+(`?[^\s`.]+`?)\.(`?[^\s`.]+`?)", select):
                database, table = (part.strip("`") for part in sources[-1])
                found[name.removesuffix(feed_of(""))] = f"`{database}`.`{table}`"
        return found

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

    def _keep_days(self) -> None:
        """Let rows of ``events`` live as long as the setting says."""
        table = next(state.table for state in self.states() if state.relation.name == EVENTS)
        sql = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {name:String}"
        [(engine,)] = self.client.select(sql, {"database": self.layout.database, "name": table})
        wanted = f" TTL {self.layout.ttl}" if self.layout.event_days else ""
        if wanted == (found[0] if (found := re.search(r" TTL .*?(?= SETTINGS|$)", engine)) else ""):
            return
        change = f"MODIFY{wanted}" if wanted else "REMOVE TTL"
        self.client.command(f"ALTER TABLE {self.layout.qualified(table)}{on_cluster(self.layout.cluster)} {change}")


def _generation(table: str) -> int:
    return int(table.rpartition("_")[2]) if table else 0
