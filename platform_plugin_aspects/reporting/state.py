"""The state of the relations in ClickHouse: what is there, and the changes that are due."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.schema import has_database, on_cluster
from platform_plugin_aspects.reporting.layout import EVENTS, Layout, behind, feed_of
from platform_plugin_aspects.reporting.relation import HASH_LENGTH, Relation

_TTL = re.compile(r" TTL .*?(?= SETTINGS|$)")


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


class Present:
    """The reports that one ClickHouse has. All methods raise clickhouse.errors.Failure, and none sends a write."""

    def __init__(self, client: ClickHouse, layout: Layout):
        self.client = client
        self.layout = layout
        self.relations = layout.wanted
        self.hashes = layout.hashes

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
        return [name for made, name in self._tables(relation, names, current=True) if made > generation(table)]

    def due(self) -> list[str]:
        """The changes that ``Reports.create`` would make, one line each; empty if nothing. Sends no write."""
        database, states = self.layout.database, self.states()
        comments = self._comments()
        found = []
        if not has_database(self.client, database):
            found.append(f"create the database {database}")
        missing = [state.relation.name for state in states if state.status is Status.MISSING]
        if missing:
            found.append(f"create {len(missing)} relations in {database}: {', '.join(missing)}")
        replaced = [relation.name for relation in self._due_views(states, missing) if relation.name not in missing]
        if replaced:
            found.append(f"replace {len(replaced)} views in {database}: {', '.join(replaced)}")
        found += [
            f"drop the view {relation.name} in {database}, which shows who learners are"
            for relation in self._unwanted()
            if relation.name in comments
        ]
        if self._days_change(states):
            found.append(f"change how long rows of {EVENTS} in {database} are kept")
        return found

    def _unwanted(self) -> list[Relation]:
        return [relation for relation in self.layout.relations if relation not in self.relations]

    def _due_views(self, states: Iterable[State], made: Collection[str]) -> list[Relation]:
        """The views to be created or replaced: not those that read stored relations of an older definition."""
        states = list(states)
        old = {
            state.relation.name
            for state in states
            if state.relation.is_stored and state.status is Status.OLDER and state.relation.name not in made
        }
        return [
            state.relation
            for state in states
            if not state.relation.is_stored
            and state.status is not Status.CURRENT
            and not self._reads(state.relation, old)
        ]

    def _reads(self, relation: Relation, names: set[str]) -> bool:
        """Whether a relation reads one of these, by itself or by another view."""
        by_name = {found.name: found for found in self.relations}
        return any(
            name in names or (not by_name[name].is_stored and self._reads(by_name[name], names))
            for name in relation.references
        )

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

    def _days_change(self, states: Iterable[State]) -> str:
        """The statement that lets rows of ``events`` live as long as the setting says; empty if they do."""
        table = next((state.table for state in states if state.relation.name == EVENTS), "")
        sql = "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {name:String}"
        found = self.client.select(sql, {"database": self.layout.database, "name": table}) if table else []
        wanted = f" TTL {self.layout.ttl}" if self.layout.event_days else ""
        if not found or wanted == (is_there[0] if (is_there := _TTL.search(found[0][0])) else ""):
            return ""
        change = f"MODIFY{wanted}" if wanted else "REMOVE TTL"
        return f"ALTER TABLE {self.layout.qualified(table)}{on_cluster(self.layout.cluster)} {change}"


def generation(table: str) -> int:
    """The number in the name of a table."""
    return int(table.rpartition("_")[2]) if table else 0
