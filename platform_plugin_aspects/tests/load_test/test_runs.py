"""Runs of load tests in ClickHouse: what is written is read again, whole, and nothing takes another row's place."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.load_test import runs
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.tests.conftest import rows
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.properties import examples

COURSE = "course-v1:Org+Course+run"


def start(client: ClickHouse, run_id: str, tags: tuple[str, ...] = ()) -> None:
    runs.start(client, run_id, tags=tags, course_id=COURSE, num_users=3, username_prefix="lt_")


def merge(client: ClickHouse) -> None:
    """Merge parts, as ClickHouse does some time: one of several rows with the same sorting key stays."""
    for table in (client.connection.runs_table, client.connection.stats_table):
        client.command(f"OPTIMIZE TABLE {client.qualified(table)} FINAL")


@pytest.fixture
def restricted(clickhouse_http: ClickHouseEndpoint) -> ClickHouse:
    """ClickHouse as the plugin's user sees it, over HTTP."""
    return get_client(Connection.from_settings())


def test_a_run_from_start_to_end(restricted: ClickHouse, clickhouse: ClickHouse) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert runs.load(restricted, "one") is None
    start(restricted, "one", ("nightly", "kafka"))
    going = runs.load(restricted, "one")
    assert going == runs.Run("one", ["nightly", "kafka"], COURSE, 3, "lt_", going.started_at, stats=[])
    assert timedelta(0) <= going.started_at - before < timedelta(minutes=1)
    assert not runs.has_ended(restricted, "one")
    for lag in (5, 0):
        runs.add_sample(restricted, "one", {"celery": {"lag": lag}})
    runs.end(restricted, "one", 20)
    merge(clickhouse)
    ended = runs.load(restricted, "one")
    assert (ended.ended_at > ended.started_at, ended.sent_event_count) == (True, 20)
    assert [sample.stats for sample in ended.stats] == [{"celery": {"lag": 5}}, {"celery": {"lag": 0}}]
    assert ended.stats[0].at < ended.stats[1].at
    assert runs.has_ended(restricted, "one")
    assert [
        (row["event_type"], json.loads(row["extra"])) for row in rows(clickhouse, "load_test_runs", order="1, 2")
    ] == [
        ("start", {"tags": ["nightly", "kafka"], "course_id": COURSE, "num_users": 3, "username_prefix": "lt_"}),
        ("end", {"sent_event_count": 20}),
    ]


def test_runs_are_kept_apart(clickhouse: ClickHouse) -> None:
    for run_id in ("one", "two"):
        start(clickhouse, run_id)
        runs.add_sample(clickhouse, run_id, {"of": {"run": run_id}})
    runs.end(clickhouse, "two", 7)
    assert not runs.has_ended(clickhouse, "one")
    one, two = runs.load(clickhouse, "one"), runs.load(clickhouse, "two")
    assert (one.ended_at, [sample.stats for sample in one.stats]) == (None, [{"of": {"run": "one"}}])
    assert (two.sent_event_count, [sample.stats for sample in two.stats]) == (7, [{"of": {"run": "two"}}])


def started(client: ClickHouse, run_id: str, secs_ago: int) -> None:
    """A run that was started a while ago."""
    client.command(
        f"INSERT INTO {client.qualified('load_test_runs')} SELECT {{run:String}}, now() - {secs_ago}, 'start', '{{}}'",
        {"run": run_id},
    )


def test_the_latest_start_is_of_the_last_minute(clickhouse: ClickHouse) -> None:
    assert runs.latest_start(clickhouse) is None
    started(clickhouse, "long ago", 90)
    assert runs.latest_start(clickhouse) is None
    started(clickhouse, "newer", 40)
    started(clickhouse, "older", 50)
    # Its end is later than the newer one's start.
    runs.end(clickhouse, "older", 1)
    found = runs.latest_start(clickhouse)
    assert found is not None
    assert (found.run_id, found.ended_at) == ("newer", None)
    assert runs.latest_start(clickhouse, within_secs=20) is None
    runs.end(clickhouse, "newer", 1)
    assert runs.latest_start(clickhouse).sent_event_count == 1


def test_the_latest_runs(clickhouse: ClickHouse) -> None:
    for run_id, secs_ago in (("a", 30), ("b", 20), ("c", 3000), ("d", 10)):
        started(clickhouse, run_id, secs_ago)
    runs.end(clickhouse, "c", 1)
    assert [run.run_id for run in runs.latest(clickhouse, 3)] == ["d", "b", "a"]
    assert [run.run_id for run in runs.latest(clickhouse, 10)] == ["d", "b", "a", "c"]


def test_an_end_without_a_start_is_no_run(clickhouse: ClickHouse) -> None:
    runs.end(clickhouse, "one", 1)
    assert runs.load(clickhouse, "one") is None
    assert runs.latest(clickhouse, 10) == []


def test_a_run_without_details_has_empty_ones(clickhouse: ClickHouse) -> None:
    started(clickhouse, "one", 1)
    run = runs.load(clickhouse, "one")
    assert (run.tags, run.course_id, run.num_users, run.username_prefix) == ([], "", 0, "")


def test_tables_of_other_names(clickhouse: ClickHouse, settings: Any) -> None:
    close_clients()
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"runs_table": "my_runs", "stats_table": "my_stats"}
    client = get_client(Connection.from_settings())
    create_missing(client, all_tables(client.connection))
    client.command(f"DROP TABLE {client.qualified('load_test_runs')}, {client.qualified('load_test_stats')}")
    runs.check(client)
    start(client, "one")
    runs.add_sample(client, "one", {})
    runs.end(client, "one", 2)
    found = runs.load(client, "one")
    assert (found.sent_event_count, len(found.stats), runs.has_ended(client, "one")) == (2, 1, True)


def test_the_check_writes_nothing_and_finds_what_is_missing(
    restricted: ClickHouse, clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint
) -> None:
    runs.check(restricted)
    start(clickhouse, "one")
    runs.check(restricted)
    assert len(rows(clickhouse, "load_test_runs", order="1")) == 1
    clickhouse_http.fail("exception", match="INSERT", code=497)
    with pytest.raises(Misconfigured, match="lacks a grant"):
        runs.check(restricted)
    clickhouse.command(f"DROP TABLE {clickhouse.qualified('load_test_runs')}")
    with pytest.raises(Misconfigured, match="aspects_create_tables"):
        runs.check(restricted)


TEXTS = st.text(max_size=40)


@settings(max_examples=examples(8))
@given(tags=st.lists(TEXTS, max_size=3), prefix=TEXTS, value=TEXTS)
def test_any_text_survives(clickhouse: ClickHouse, tags: list[str], prefix: str, value: str) -> None:
    run_id = f"{value}\\\t'{uuid.uuid4()}"
    runs.start(clickhouse, run_id, tags=tags, course_id=COURSE, num_users=1, username_prefix=prefix)
    runs.add_sample(clickhouse, run_id, {"celery": {"unit": value}})
    found = runs.load(clickhouse, run_id)
    assert found is not None
    assert (found.tags, found.username_prefix, found.stats[0].stats) == (tags, prefix, {"celery": {"unit": value}})
    assert found.run_id == run_id


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"'])
def test_rows_of_somebody_else_are_no_obstacle(clickhouse: ClickHouse, text: str) -> None:
    clickhouse.insert(
        "load_test_runs", [(name, "String") for name in ("run_id", "event_type", "extra")], [["odd"], ["start"], [text]]
    )
    clickhouse.insert("load_test_stats", [("run_id", "String"), ("stats", "String")], [["odd"], [text]])
    found = runs.load(clickhouse, "odd")
    assert found is not None
    assert (found.course_id, found.tags, found.stats, len(found.left_out)) == ("", [], [], 2)
    assert [run.run_id for run in runs.latest(clickhouse, 1)] == ["odd"]
