"""The names of the reports, and the statements that make a relation under its names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import on_cluster
from platform_plugin_aspects.reporting.relation import (
    NOW,
    REFERENCE,
    RULE,
    SINKS,
    SOURCE,
    XAPI,
    Relation,
    hashes,
    in_order,
    relations,
)
from platform_plugin_aspects.reporting.rules import Rules

ENABLED_SETTING = "ASPECTS_REPORTING_ENABLED"
DATABASE_SETTING = "ASPECTS_REPORTING_DATABASE"
DAYS_SETTING = "ASPECTS_REPORTING_EVENT_DAYS"
#: The views whose numbers pages show without Superset. The plugin's user reads them.
VIEWS_OF_PAGES = ("course_summary", "course_summary_before")
#: The relation whose rows may have an end.
EVENTS = "events"
#: The table that remembers which months of a table are filled.
FILLED = "filled"
CLOCK = "now64(6, 'UTC')"
#: The beginning of the comment of a view, which names its definition and the table behind it.
COMMENT = "platform-plugin-aspects"
_COMMENT = re.compile(rf"{COMMENT}: definition ([0-9a-f]+)(?:, table (\w+))?")


@dataclass(frozen=True)
class Layout:
    """The databases, the rules and the relations of one ClickHouse. ``clock``: the expression of the current moment."""

    connection: Connection
    database: str
    cluster: str = ""
    rules: Rules = field(default_factory=Rules)
    #: Days after which rows of ``events`` are deleted; 0: never.
    event_days: int = 0
    clock: str = CLOCK
    #: Bytes of memory from which a filling groups the rows of a month on disk.
    fill_memory: int = 1_000_000_000
    #: Whether relations exist that show who learners are.
    personal: bool = False
    relations: Sequence[Relation] = field(default_factory=relations)

    @classmethod
    def from_settings(
        cls, connection: Connection | None = None, cluster: str | None = None, *, personal: bool = False
    ) -> Layout:
        """The layout that the settings describe. Raises Misconfigured for an invalid value."""
        connection = connection or Connection.from_settings()
        return cls(
            connection,
            database_of(connection),
            settings.EVENT_SINK_CLICKHOUSE_CLUSTER_NAME if cluster is None else cluster,
            Rules.from_settings(),
            event_days(),
            personal=personal,
        )

    @property
    def wanted(self) -> tuple[Relation, ...]:
        """The relations that exist, each after those that it reads."""
        return tuple(relation for relation in in_order(self.relations) if self.personal or not relation.is_personal)

    @property
    def thresholds(self) -> dict[str, float]:
        """The rules, ``event_days``, and ``smallest_shown``: the smallest group about whom a board tells more than its
        number.

        Where boards may show who learners are, a group of one tells nothing else.
        """
        shown = 1 if self.personal else self.rules.smallest_group
        return {**self.rules.values(), "smallest_shown": shown, "event_days": self.event_days}

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each definition, by name."""
        return hashes(in_order(self.relations), self.thresholds)

    def qualified(self, name: str) -> str:
        """A relation or table of the reports, quoted with its database."""
        return f"{quote(self.database)}.{quote(name)}"

    def select(self, relation: Relation, source: str = "") -> str:
        """The SELECT of a relation. ``source``: the table that feeds it."""

        def found(reference: re.Match[str]) -> str:
            match reference[1], reference[2]:
                case str(first), None if first == SOURCE:
                    return source
                case str(first), None if first == NOW:
                    return self.clock
                case str(first), str(second) if first == SINKS:
                    return f"{quote(self.connection.database)}.{quote(second)}"
                case str(first), str(second) if first == RULE:
                    return str(self.thresholds[second])
                case str(first), _:
                    return self.qualified(first)
            raise AssertionError(reference[0])

        return REFERENCE.sub(found, relation.select)

    def source_table(self, relation: Relation, tables: Mapping[str, str]) -> str:
        """The quoted source of a stored relation; ``tables``: the tables of other relations by name."""
        if relation.source == XAPI:
            return f"{quote(self.connection.xapi_database)}.{quote(self.connection.xapi_table)}"
        return self.qualified(tables[relation.source])

    # Statements.

    def create_table(self, relation: Relation, table: str) -> str:
        """CREATE TABLE IF NOT EXISTS of a stored relation."""
        columns = ",\n".join(
            f"    {quote(column.name)} {column.type} COMMENT {literal(column.definition)}"
            for column in relation.columns
        )
        partition = relation.head.get("Partition by")
        return "\n".join(
            [
                f"CREATE TABLE IF NOT EXISTS {self.qualified(table)}{on_cluster(self.cluster)}",
                f"(\n{columns}\n)",
                f"ENGINE = {'Replicated' if self.cluster else ''}{relation.head['Engine']}",
                *([f"PARTITION BY {partition}"] if partition else []),
                f"ORDER BY ({relation.head['Order by']})",
                *([f"TTL {self.ttl}"] if relation.name == EVENTS and self.event_days else []),
                f"COMMENT {literal(relation.head['One row'])}",
            ]
        )

    @property
    def ttl(self) -> str:
        """The end of rows of ``events``, as TTL has it."""
        return f"toDateTime(emission_time) + toIntervalDay({self.event_days})"

    def create_feed(self, relation: Relation, table: str, source: str) -> str:
        """CREATE MATERIALIZED VIEW IF NOT EXISTS, from each insert into ``source`` into ``table``."""
        return (
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS {self.qualified(feed_of(table))}{on_cluster(self.cluster)} "
            f"TO {self.qualified(table)} AS\n{self.select(relation, source)}"
        )

    def create_view(self, relation: Relation, table: str = "") -> str:
        """CREATE OR REPLACE VIEW: of a stored relation's ``table``, or of the SELECT.

        It reads with the rights of the user who creates it, so that readers need none on what is behind it.
        """
        definition = f"{COMMENT}: definition {self.hashes[relation.name]}" + (f", table {table}" if table else "")
        columns = ", ".join(quote(column.name) for column in relation.columns)
        select = f"SELECT {columns} FROM {self.qualified(table)}" if table else self.select(relation)
        return (
            f"CREATE OR REPLACE VIEW {self.qualified(relation.name)}{on_cluster(self.cluster)} "
            # Without parentheses, ClickHouse 24.8 takes COMMENT for an alias of the last table.
            f"DEFINER = CURRENT_USER SQL SECURITY DEFINER AS\n({select}\n)\nCOMMENT {literal(definition)}"
        )

    def fill(self, relation: Relation, table: str, source: str, month: int) -> str:
        """INSERT of what the source has of a month, such as 202603."""
        columns = ", ".join(quote(column.name) for column in relation.columns)
        some = f"(SELECT * FROM {source} WHERE toYYYYMM({quote(relation.month_of)}, 'UTC') = {month:d})"
        return (
            f"INSERT INTO {self.qualified(table)} ({columns})\n{self.select(relation, some)}\n"
            # Blocks of states are larger in memory than their bytes say.
            f"SETTINGS max_bytes_before_external_group_by = {self.fill_memory:d}, "
            "min_insert_block_size_rows = 65536, min_insert_block_size_bytes = 16000000"
        )

    def create_filled(self) -> str:
        """CREATE TABLE IF NOT EXISTS of the memory of rebuilds."""
        return (
            f"CREATE TABLE IF NOT EXISTS {self.qualified(FILLED)}{on_cluster(self.cluster)}\n"
            "(\n    `name` String,\n    `month` UInt32,\n    `at` DateTime DEFAULT now()\n)\n"
            f"ENGINE = {'Replicated' if self.cluster else ''}ReplacingMergeTree\nORDER BY (name, month)\n"
            "COMMENT 'Months that are filled in tables of the reports'"
        )


def table_name(relation: Relation, definition: str, generation: int) -> str:
    """The name of a stored relation's table."""
    return f"{relation.name}_v{definition}_{generation}"


def feed_of(table: str) -> str:
    """The name of the materialized view that feeds a table."""
    return f"{table}_feed"


def behind(comment: str) -> tuple[str, str]:
    """The definition and the table that a view's comment names, each empty if it names none."""
    found = _COMMENT.fullmatch(comment)
    return (found[1], found[2] or "") if found else ("", "")


def literal(text: str) -> str:
    """A text as ClickHouse's literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def reports_are_on() -> bool:
    """Whether the settings say that this site has reports. Without, nobody asks ClickHouse for them."""
    return bool(settings.ASPECTS_REPORTING_ENABLED)


def database_of(connection: Connection) -> str:
    """The database of the reports, which is neither the plugin's nor Aspects' own. Raises Misconfigured."""
    value: Any = settings.ASPECTS_REPORTING_DATABASE
    if not isinstance(value, str) or not value or "\x00" in value:
        raise Misconfigured(f"{DATABASE_SETTING} is {value!r}: it must be the name of a database")
    if value in (connection.database, connection.xapi_database, "reporting", "system", "default"):
        raise Misconfigured(f"{DATABASE_SETTING} is {value!r}: name a database of its own, such as aspects_reports")
    return value


def event_days() -> int:
    """Days after which rows of ``events`` are deleted; 0: never. Raises Misconfigured."""
    value: Any = settings.ASPECTS_REPORTING_EVENT_DAYS
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 36_500:
        raise Misconfigured(f"{DAYS_SETTING} is {value!r}: it must be a whole number of days, or 0 for ever")
    return value
