"""Creating and rebuilding: what is missing is made, boards read meanwhile, and a rebuild that ends early resumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports, Stopped
from platform_plugin_aspects.reporting.relation import Relation, parse
from platform_plugin_aspects.reporting.state import Status
from platform_plugin_aspects.tests.reporting.conftest import go_on

HEAD = """-- One row: {0}.
-- From: a test.
-- Key: a test.
-- Population: a test.
-- Read by: boards
-- Freshness: at once
"""
SEEN = (
    HEAD.format("an act")
    + """-- Engine: ReplacingMergeTree
-- Source: xapi
-- Month of: emission_time
-- Order by: at, what
-- Columns:
--   at DateTime64(6, 'UTC'): Moment.
--   what String: Text.
SELECT emission_time AS at, {expression} AS what FROM {{source}}
"""
)
DAYS = (
    HEAD.format("a day")
    + """-- Engine: AggregatingMergeTree
-- Source: seen
-- Month of: at
-- Order by: day
-- Columns:
--   day Date: Day.
--   texts AggregateFunction(uniqExact, String): Texts.
SELECT toDate(at) AS day, uniqExactState(what) AS texts FROM {source} GROUP BY day
"""
)
COUNTS = (
    HEAD.format("a day")
    + """-- Columns:
--   day: Day.
--   texts: Number of texts.
SELECT day, uniqExactMerge(texts) AS texts FROM {days} GROUP BY day
"""
)


def some(expression: str = "event") -> list[Relation]:
    """Three relations; the first one's definition has this expression."""
    return [parse("seen", SEEN.format(expression=expression)), parse("days", DAYS), parse("counts", COUNTS)]


def at_once(reports: Reports) -> Reports:
    """The reports, without the seconds for inserts that have just begun."""
    reports.grace_secs = 0
    return reports


@pytest.fixture
def place(clickhouse: ClickHouse, reporting_database: str) -> Callable[..., Reports]:
    """The reports of these relations."""

    def reports(*args: Any) -> Reports:
        return at_once(Reports(clickhouse, replace(Layout.from_settings(), relations=some(*args))))

    return reports


def emit(reports: Reports, *moments_and_texts: tuple[str, str]) -> None:
    """Insert statements at moments such as "2026-03-01 10:00"; the text stands in place of the JSON."""
    connection = reports.client.connection
    for moment, text in moments_and_texts:
        reports.client.command(
            f"INSERT INTO `{connection.xapi_database}`.`{connection.xapi_table}` "
            f"VALUES (generateUUIDv4(), '{moment}:00', '{text}')"
        )


def counts(reports: Reports) -> dict[str, int]:
    sql = f"SELECT toString(day), texts FROM {reports.layout.qualified('counts')}"
    return dict(map(tuple, reports.client.select(sql)))


def seen(reports: Reports) -> list[str]:
    # Rows that were fed and filled are one only after merges: what boards read counts distinct ones.
    return sorted({text for (text,) in reports.client.select(f"SELECT what FROM {reports.layout.qualified('seen')}")})


def tables(reports: Reports) -> list[str]:
    sql = "SELECT name FROM system.tables WHERE database = {database:String} AND name != 'filled' ORDER BY name"
    return [name for (name,) in reports.client.select(sql, {"database": reports.layout.database})]


def statuses(reports: Reports) -> dict[str, Status]:
    return {state.relation.name: state.status for state in reports.states()}


def test_what_was_there_before_and_what_comes_after_is_in_the_relations(place: Callable[..., Reports]) -> None:
    reports = place()
    emit(reports, ("2026-03-01 10:00", "a"), ("2026-03-01 11:00", "b"), ("2025-12-31 10:00", "a"))
    assert statuses(reports) == dict.fromkeys(("seen", "days", "counts"), Status.MISSING)

    assert reports.create(go_on) == ["seen", "days", "counts"]
    emit(reports, ("2026-03-01 12:00", "c"), ("2026-03-01 13:00", "a"))

    assert statuses(reports) == dict.fromkeys(("seen", "days", "counts"), Status.CURRENT)
    assert counts(reports) == {"2025-12-31": 1, "2026-03-01": 3}
    assert reports.create(go_on) == []


def test_an_older_definition_is_rebuilt_with_all_that_it_feeds(place: Callable[..., Reports]) -> None:
    before = place()
    before.create(go_on)
    emit(before, ("2026-03-01 10:00", "a"), ("2026-03-01 11:00", "A"), ("2026-02-01 11:00", "A"))
    assert counts(before) == {"2026-02-01": 1, "2026-03-01": 2}
    after = place("upper(event)")
    assert statuses(after) == dict.fromkeys(("seen", "days", "counts"), Status.OLDER)
    # Without a rebuild, boards go on reading what they read.
    assert after.create(go_on) == []
    assert counts(after) == {"2026-02-01": 1, "2026-03-01": 2}

    heard = []

    def watch(relation: str, month: int, number: int, months: int) -> bool:
        heard.append((relation, month, number, months))
        # Statements flow, and boards read, while it is rebuilt.
        emit(after, ("2026-03-02 10:00", f"b{len(heard)}"))
        assert counts(after)["2026-03-01"] == 2
        return True

    assert after.rebuild([], watch) == ["seen", "days"]

    assert heard == [("seen", 202602, 1, 2), ("seen", 202603, 2, 2), ("days", 202602, 1, 2), ("days", 202603, 2, 2)]
    assert counts(after) == {"2026-02-01": 1, "2026-03-01": 1, "2026-03-02": 4}
    assert seen(after) == ["A", "B1", "B2", "B3", "B4"]
    assert statuses(after) == dict.fromkeys(("seen", "days", "counts"), Status.CURRENT)
    [days, days_feed, seen_table, seen_feed] = [name for name in tables(after) if "_v" in name]
    assert (days_feed, seen_feed) == (f"{days}_feed", f"{seen_table}_feed")
    assert after.rebuild([], go_on) == []


@pytest.mark.parametrize("months", [1, 2, 3])
def test_a_rebuild_that_was_stopped_resumes_with_the_next_month(place: Callable[..., Reports], months: int) -> None:
    place().create(go_on)
    reports = place("upper(event)")
    emit(reports, ("2026-02-01 10:00", "a"), ("2026-03-01 10:00", "b"))
    heard: list[tuple[str, int]] = []

    def stop(relation: str, month: int, _number: int, _months: int) -> bool:
        heard.append((relation, month))
        return len(heard) < months

    with pytest.raises(Stopped):
        reports.rebuild([], stop)
    assert counts(reports) == {"2026-02-01": 1, "2026-03-01": 1}
    assert seen(reports) == ["a", "b"]
    assert any(state.begun for state in reports.states())
    emit(reports, ("2026-03-03 10:00", "c"))
    heard_later: list[tuple[str, int]] = []
    reports.rebuild([], lambda relation, month, _number, _months: heard_later.append((relation, month)) is None)

    every = [(relation, month) for relation in ("seen", "days") for month in (202602, 202603)]
    assert heard + heard_later == every
    assert counts(reports) == {"2026-02-01": 1, "2026-03-01": 1, "2026-03-03": 1}
    assert seen(reports) == ["A", "B", "C"]
    assert len(tables(reports)) == 7


def test_a_named_relation_is_rebuilt_in_any_case_and_loses_what_the_source_has_lost(
    place: Callable[..., Reports],
) -> None:
    reports = place()
    reports.create(go_on)
    emit(reports, ("2026-03-01 10:00", "a"), ("2026-03-01 11:00", "b"))
    connection = reports.client.connection
    reports.client.command(
        f"ALTER TABLE `{connection.xapi_database}`.`{connection.xapi_table}` DELETE WHERE event = 'b' "
        "SETTINGS mutations_sync = 2"
    )
    assert counts(reports) == {"2026-03-01": 2}

    assert reports.rebuild(["days"], go_on) == ["days"]
    assert counts(reports) == {"2026-03-01": 2}
    assert reports.rebuild(["seen"], go_on) == ["seen", "days"]

    assert counts(reports) == {"2026-03-01": 1}
    emit(reports, ("2026-03-01 12:00", "c"))
    assert counts(reports) == {"2026-03-01": 2}
    with pytest.raises(Misconfigured, match=r"Not a stored relation: counts, x\. Stored ones: days, seen"):
        reports.rebuild(["counts", "x"], go_on)


def test_what_came_past_a_feed_is_read_again(place: Callable[..., Reports]) -> None:
    reports = place()
    reports.create(go_on)
    feed = next(name for name in tables(reports) if name.startswith("seen") and name.endswith("feed"))
    reports.client.command(f"DETACH TABLE {reports.layout.qualified(feed)}")
    emit(reports, ("2026-02-01 10:00", "a"), ("2026-03-01 10:00", "b"))
    reports.client.command(f"ATTACH TABLE {reports.layout.qualified(feed)}")
    assert counts(reports) == {}

    assert reports.read_again([], 202603, go_on) == ["seen", "days"]
    reports.read_again([], 202603, go_on)

    assert counts(reports) == {"2026-03-01": 1}


def test_a_relation_that_lost_its_feed_or_its_source_is_named_and_rebuilt(place: Callable[..., Reports]) -> None:
    reports = place()
    reports.create(go_on)
    feed = next(name for name in tables(reports) if name.startswith("days") and name.endswith("feed"))
    reports.client.command(f"DROP TABLE {reports.layout.qualified(feed)}")
    emit(reports, ("2026-03-01 10:00", "a"))
    assert statuses(reports)["days"] is Status.UNFED

    reports.rebuild([], go_on)
    assert counts(reports) == {"2026-03-01": 1}

    # The view is made anew, of the same table.
    reports.client.command(f"DROP VIEW {reports.layout.qualified('seen')}")
    assert reports.create(go_on) == ["seen"]
    for name in [name for name in tables(reports) if name.startswith("seen")][::-1]:
        reports.client.command(f"DROP TABLE {reports.layout.qualified(name)}")
    reports.create(go_on)
    assert seen(reports) == ["a"]
    emit(reports, ("2026-03-01 10:00", "b"))
    assert counts(reports) == {"2026-03-01": 2}
    assert set(statuses(reports).values()) == {Status.CURRENT}


def test_rules_are_part_of_definitions(place: Callable[..., Reports]) -> None:
    layout = Layout.from_settings()
    changed = replace(layout, rules=replace(layout.rules, away_days=8))
    differ = {name for name, made in layout.hashes.items() if changed.hashes[name] != made}
    at_risk = {"learner_standing", "learner_status", "learner_status_with_names", "at_risk_reasons"}
    assert differ == {*at_risk, "course_summary", "course_summary_before"}


def test_events_live_as_long_as_the_setting_says(
    clickhouse: ClickHouse, reporting_database: str, settings: Any
) -> None:
    def ttl() -> str:
        reports = Reports(clickhouse, Layout.from_settings())
        reports.create(go_on)
        table = next(state.table for state in reports.states() if state.relation.name == "events")
        [(engine,)] = clickhouse.select(
            f"SELECT engine_full FROM system.tables WHERE database = '{reporting_database}' AND name = '{table}'"
        )
        return str(engine).partition(" TTL ")[2].partition(" SETTINGS")[0]

    assert ttl() == ""
    settings.ASPECTS_REPORTING_EVENT_DAYS = 400
    assert ttl() == "toDateTime(emission_time) + toIntervalDay(400)"
    settings.ASPECTS_REPORTING_EVENT_DAYS = 0
    assert ttl() == ""


class Killed(BaseException):
    """The process is gone."""


class Dying:
    """A client that is killed before a statement, the one with this number."""

    def __init__(self, client: ClickHouse, left: int):
        self.client = client
        self.left = left

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def command(self, sql: str) -> None:
        if not self.left:
            raise Killed
        self.left -= 1
        self.client.command(sql)


def test_a_rebuild_that_is_killed_anywhere_twice_ends_with_the_right_rows(place: Callable[..., Reports]) -> None:
    place().create(go_on)
    emit(place(), ("2026-02-01 10:00", "a"), ("2026-03-01 10:00", "b"), ("2026-03-01 11:00", "B"))
    expressions = ["upper(event)", "event"]
    right = {"upper(event)": {"2026-02-01": 1, "2026-03-01": 1}, "event": {"2026-02-01": 1, "2026-03-01": 2}}
    # Both definitions in turn, until a rebuild needs no statement after the one before which it would be killed.
    survived: set[str] = set()
    for left, expression in zip(range(100), cycle(expressions), strict=False):
        for more in (0, 1):
            dying: Any = Dying(place().client, left + more)
            try:
                at_once(Reports(dying, place(expression).layout)).rebuild([], go_on)
                survived.add(expression)
            except Killed:
                assert counts(place()) in right.values()
        place(expression).rebuild([], go_on)
        assert counts(place()) == right[expression], left
        assert set(statuses(place(expression)).values()) == {Status.CURRENT}
        assert len(tables(place())) == 7
        if survived == set(expressions):
            break
    assert survived == set(expressions)


class Recording:
    """A client that writes down what it drops."""

    def __init__(self, client: ClickHouse):
        self.client = client
        self.dropped: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def command(self, sql: str) -> None:
        if sql.startswith("DROP TABLE"):
            self.dropped.append(sql.rpartition(".")[2].strip("`"))
        self.client.command(sql)


def test_feeds_end_before_any_table_does_so_that_inserts_find_their_tables(place: Callable[..., Reports]) -> None:
    place().create(go_on)
    former = sorted(name for name in tables(place()) if "_v" in name)
    recording: Any = Recording(place().client)
    at_once(Reports(recording, place("upper(event)").layout)).rebuild([], go_on)
    # The feed of the source before that of what it feeds.
    days, days_feed, seen_table, seen_feed = former
    assert recording.dropped == [seen_feed, days_feed, seen_table, days]
