"""The monitor of a load test, with ClickHouse over HTTP and Vector as the backend: its schedule, its end, faults."""

from __future__ import annotations

import math
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured, Unavailable
from platform_plugin_aspects.load_test import runs
from platform_plugin_aspects.load_test.backends.vector import Vector
from platform_plugin_aspects.load_test.monitor import LOOK_SECS, Monitor, TooLate, arrived, line
from platform_plugin_aspects.tests.commands import run
from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.vector_endpoint import VectorEndpoint, configured_by_tutor

RUN = "0b8e"
BEGAN = 1000.0


class Clock:
    """A watcher whose time passes in ``wait`` only; it makes planned events happen at their moments."""

    def __init__(self) -> None:
        self.time = BEGAN
        self.planned: dict[float, Callable[[], Any]] = {}
        self.said: list[str] = []
        self.stopping = False

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        until = self.time + seconds
        for moment in sorted(self.planned):
            if moment <= until and not self.stopping:
                self.time = moment
                self.planned.pop(moment)()
        if not self.stopping:
            self.time = until

    def wants_to_stop(self) -> bool:
        return self.stopping

    def tell(self, line: str) -> None:
        self.said.append(line)

    def stop(self) -> None:
        self.stopping = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vector() -> Iterator[VectorEndpoint]:
    """Vector as Tutor's plugin sets it up; no statement has come yet."""
    with VectorEndpoint() as endpoint:
        endpoint.components = configured_by_tutor(xapi=0)
        yield endpoint


@pytest.fixture
def client(clickhouse_http: ClickHouseEndpoint, clickhouse: ClickHouse, settings: Any) -> ClickHouse:
    """ClickHouse as the plugin's user sees it, with an empty table of xAPI events."""
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"xapi_database": clickhouse.connection.database}
    clickhouse.command(
        f"CREATE TABLE {clickhouse.qualified('xapi_events_all')} (event_id UUID, emission_time DateTime64(6), "
        "event String) ENGINE = ReplacingMergeTree ORDER BY (emission_time, event_id)"
    )
    return get_client(Connection.from_settings())


@pytest.fixture
def monitor(client: ClickHouse, vector: VectorEndpoint, clock: Clock) -> Monitor:
    """A monitor that takes a sample every ten seconds."""
    # Runs are stored in whole seconds: one that starts in a later second than the monitor would lack its first sample.
    time.sleep(-time.time() % 1 if time.time() % 1 > 0.3 else 0)
    return Monitor(client, Vector(vector.graphql_url, None, None), 10, clock, clock.tell)


def arrive(client: ClickHouse, number: int, secs_ago: float = 0) -> None:
    """Events come to ClickHouse; the newest was emitted so long ago."""
    client.command(
        f"INSERT INTO {client.qualified('xapi_events_all')} SELECT generateUUIDv4(), "
        f"now64(6) - toIntervalMillisecond({round(1000 * secs_ago)} + number), '' FROM numbers({number})"
    )


def start(client: ClickHouse) -> runs.Run:
    runs.start(client, RUN, tags=[], course_id="course-v1:Org+Course+run", num_users=3, username_prefix="lt_")
    found = runs.latest_start(client)
    assert found is not None
    return found


def stored(client: ClickHouse, monitor: Monitor) -> list[tuple[float, dict[str, Any]]]:
    """The samples in ClickHouse, each with its moment on the test's clock."""
    run = runs.load(client, RUN)
    assert run is not None
    return [(math.ceil((sample.at - monitor.clock_zero).total_seconds()), dict(sample.stats)) for sample in run.stats]


def moments(client: ClickHouse, monitor: Monitor) -> list[float]:
    return [moment - BEGAN for moment, _stats in stored(client, monitor)]


# The figures of ClickHouse


def test_what_has_arrived(client: ClickHouse) -> None:
    assert arrived(client) == {"total_rows": 0, "most_recent_event": None, "lag_seconds": None}
    arrive(client, 2, secs_ago=3600)
    arrive(client, 1, secs_ago=120)
    before = datetime.now(UTC)
    found = arrived(client)
    assert found["total_rows"] == 3
    assert 119 < found["lag_seconds"] < 180
    newest = datetime.fromisoformat(found["most_recent_event"])
    assert abs(before - newest - timedelta(seconds=found["lag_seconds"])) < timedelta(seconds=60)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["most_recent_event"])


def test_a_missing_table_of_events_is_named(client: ClickHouse, settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG |= {"xapi_table": "elsewhere"}
    with pytest.raises(Misconfigured, match=r"^There is no table .*\.elsewhere of xAPI events: correct xapi_database"):
        arrived(get_client(Connection.from_settings()))


# A run


def test_a_run_from_its_start_to_the_last_event(
    client: ClickHouse, vector: VectorEndpoint, monitor: Monitor, clock: Clock
) -> None:
    xapi, sink = vector.components["xapi"], vector.components["clickhouse_xapi"]

    def send() -> None:
        xapi.sent, sink.sent = 50, 20
        arrive(client, 20)

    def catch_up() -> None:
        sink.sent = 50
        arrive(client, 30)

    run = start(client)
    clock.planned = {1005: send, 1015: lambda: runs.end(client, RUN, 50), 1035: catch_up}
    assert monitor.watch(run)
    found = stored(client, monitor)
    # At 1020 the run has ended, at 1040 nothing is on its way; at 1050 what a worker held has arrived too.
    assert [moment for moment, _stats in found] == [1000, 1010, 1020, 1030, 1040, 1050]
    assert [stats["clickhouse"]["total_rows"] for _moment, stats in found] == [0, 20, 20, 20, 50, 50]
    assert [stats["vector"] for _moment, stats in found[:2]] == [
        {"events_received": 0, "events_sent": 0, "lag": 0},
        {"events_received": 50, "events_sent": 20, "lag": 30},
    ]
    assert [stats["vector"]["lag"] for _moment, stats in found] == [0, 30, 30, 30, 0, 0]
    assert (monitor.stored, monitor.unstored) == (6, [])
    assert len(clock.said) == 6


def test_a_slow_sample_does_not_shift_the_others(
    client: ClickHouse, vector: VectorEndpoint, monitor: Monitor, clock: Clock
) -> None:
    def slow(number: int) -> None:
        # The first question is the monitor's own, to begin with.
        clock.time += {2: 4, 4: 23}.get(number, 0)

    vector.before_answer = slow
    clock.planned = {1055: clock.stop}
    assert not monitor.watch(start(client))
    assert moments(client, monitor) == [0, 10, 20, 50]


def test_something_still_on_its_way_starts_the_wait_anew(
    client: ClickHouse, vector: VectorEndpoint, monitor: Monitor, clock: Clock
) -> None:
    xapi, sink = vector.components["xapi"], vector.components["clickhouse_xapi"]
    run = start(client)
    runs.end(client, RUN, 1)
    clock.planned = {
        1005: lambda: setattr(xapi, "sent", 1),
        1015: lambda: setattr(sink, "sent", 1),
    }
    assert monitor.watch(run)
    assert moments(client, monitor) == [0, 10, 20, 30]


def test_what_workers_held_starts_the_wait_anew(
    client: ClickHouse, vector: VectorEndpoint, monitor: Monitor, clock: Clock
) -> None:
    run = start(client)
    runs.end(client, RUN, 1)
    clock.planned = {1005: lambda: arrive(client, 1)}
    assert monitor.watch(run)
    assert moments(client, monitor) == [0, 10, 20]


# Faults


def test_clickhouse_is_away_for_a_while(
    client: ClickHouse, clickhouse_http: ClickHouseEndpoint, monitor: Monitor, clock: Clock
) -> None:
    run = start(client)
    clock.planned = {1005: clickhouse_http.stop, 1025: clickhouse_http.start, 1035: clock.stop}
    monitor.watch(run)
    found = stored(client, monitor)
    assert [moment for moment, _stats in found] == [1000, 1010, 1020, 1030]
    assert [list(stats) for _moment, stats in found] == [
        ["clickhouse", "vector"],
        ["vector"],
        ["vector"],
        ["clickhouse", "vector"],
    ]
    assert len([said for said in clock.said if said.startswith("ClickHouse cannot be reached")]) == 1


def test_a_sample_that_clickhouse_did_not_take_is_kept(
    client: ClickHouse, clickhouse_http: ClickHouseEndpoint, monitor: Monitor, clock: Clock
) -> None:
    run = start(client)
    clock.planned = {
        1005: lambda: clickhouse_http.fail("too_many_parts", match="INSERT"),
        1025: clock.stop,
    }
    monitor.watch(run)
    assert moments(client, monitor) == [0, 10, 20]
    assert monitor.stored == 3
    (kept,) = [said for said in clock.said if said.endswith("; trying again with the next sample")]
    assert "code 252" in kept


def test_it_does_not_end_before_clickhouse_has_all(
    client: ClickHouse, clickhouse_http: ClickHouseEndpoint, monitor: Monitor, clock: Clock
) -> None:
    run = start(client)
    runs.end(client, RUN, 0)
    clock.planned = {
        1005: lambda: clickhouse_http.fail("503", times=None, match="INSERT"),
        1035: clickhouse_http.heal,
    }
    assert monitor.watch(run)
    assert moments(client, monitor) == [0, 10, 20, 30, 40]


def test_the_backend_is_away_for_a_while(
    client: ClickHouse, vector: VectorEndpoint, monitor: Monitor, clock: Clock
) -> None:
    run = start(client)
    runs.end(client, RUN, 0)
    # A sample without the backend's figures is not drained.
    clock.planned = {1005: vector.stop, 1035: vector.start, 1045: vector.stop, 1055: vector.start}
    assert monitor.watch(run)
    found = stored(client, monitor)
    assert [(moment - BEGAN, "vector" in stats) for moment, stats in found] == [
        (0, True),
        (10, False),
        (20, False),
        (30, False),
        (40, True),
        (50, False),
        (60, True),
        (70, True),
    ]
    # Once each time.
    assert clock.said.count("Vector did not answer (ConnectionError): check --vector_url") == 2


def test_what_is_wrong_from_the_beginning_is_said_at_once(
    client: ClickHouse, clickhouse_http: ClickHouseEndpoint, vector: VectorEndpoint, clock: Clock
) -> None:
    backend = Vector(vector.graphql_url, None, None)
    for statement in ("load_test_runs", "load_test_stats", "xapi_events_all"):
        clickhouse_http.fail("503", match=statement)
        with pytest.raises(Unavailable):
            Monitor(client, backend, 10, clock, clock.tell)
    assert clickhouse_http.faults.pending == 0


# Which run


def test_the_run_that_starts_while_it_waits(client: ClickHouse, monitor: Monitor, clock: Clock) -> None:
    def short() -> None:
        start(client)
        arrive(client, 1)
        runs.end(client, RUN, 1)

    arrive(client, 7)
    clock.planned = {1002.5: short}
    run = monitor.wait_for_run()
    assert run is not None
    assert (run.run_id, run.sent_event_count) == (RUN, 1)
    assert clock.time == 1003
    assert clock.said == ["waiting for a load test to start"]
    assert monitor.watch(run)
    found = runs.load(client, RUN)
    assert found is not None
    # The first sample is of the time before the run's first event.
    assert (found.stats[0].at, list(found.stats[0].stats)) == (run.started_at, ["clickhouse", "vector"])
    assert [sample.stats["clickhouse"]["total_rows"] for sample in found.stats] == [7, 8, 8]


def test_the_run_that_starts_at_the_first_look(client: ClickHouse, vector: VectorEndpoint, clock: Clock) -> None:
    def short(number: int) -> None:
        # The first query was the monitor's beginning.
        if number == 2:
            start(client)
            arrive(client, 1)

    arrive(client, 7)
    vector.before_answer = short
    monitor = Monitor(client, Vector(vector.graphql_url, None, None), 10, clock, clock.tell)
    run = monitor.wait_for_run()
    assert run is not None
    assert [(at, stats["clickhouse"]["total_rows"]) for at, stats in monitor.unstored] == [(run.started_at, 7)]


def test_the_run_that_was_started_before(client: ClickHouse, monitor: Monitor, clock: Clock) -> None:
    run = start(client)
    assert monitor.wait_for_run() == run
    assert (clock.time, clock.said, monitor.unstored) == (BEGAN, [], [])


def test_clickhouse_is_away_while_it_waits(
    client: ClickHouse, clickhouse_http: ClickHouseEndpoint, monitor: Monitor, clock: Clock
) -> None:
    clock.planned = {
        1002.5: clickhouse_http.stop,
        1008.5: clickhouse_http.start,
        1010.5: lambda: start(client),
    }
    assert monitor.wait_for_run() is not None
    assert len(clock.said) == 2
    assert clock.said[1].startswith("ClickHouse cannot be reached")


def test_a_monitor_that_is_stopped_while_it_waits_ends_at_once(monitor: Monitor, clock: Clock) -> None:
    clock.planned = {1002.5: clock.stop}
    assert monitor.wait_for_run() is None
    assert clock.time <= BEGAN + 3 * LOOK_SECS


def test_a_run_that_is_over(client: ClickHouse, monitor: Monitor) -> None:
    start(client)
    runs.end(client, RUN, 1)
    with pytest.raises(TooLate, match=f"^Run {RUN} has ended already"):
        monitor.wait_for_run()


# The command


def monitor_load_test(vector: VectorEndpoint, *args: str) -> str:
    """The output of the command."""
    command = ("monitor_load_test_tracking", "--backend", "vector", "--vector_url", vector.graphql_url)
    return run(*command, "--sleep_time", 1, *args)


def test_the_command(client: ClickHouse, vector: VectorEndpoint) -> None:
    start(client)
    # With the second sample.
    vector.before_answer = lambda number: runs.end(client, RUN, 0) if number == 3 else None
    first, *samples, last = monitor_load_test(vector).splitlines()
    assert first == f"run {RUN}"
    assert len(samples) == 3
    shown = "clickhouse: total_rows 0, .*  vector: events_received 0, events_sent 0, lag 0"
    assert all(re.fullmatch(rf"\d\d:\d\d:\d\d  {shown}", sample) for sample in samples)
    assert last == "the run has ended, and nothing is on its way; 3 samples stored"


@pytest.mark.usefixtures("signals_are_heard")
def test_sigterm_ends_it_after_the_sample(client: ClickHouse, vector: VectorEndpoint) -> None:
    start(client)
    vector.before_answer = lambda number: os.kill(os.getpid(), signal.SIGTERM) if number == 3 else None
    assert monitor_load_test(vector).splitlines()[-1] == "stopped; 2 samples stored"


@pytest.mark.usefixtures("signals_are_heard")
def test_samples_that_are_lost_are_told(
    client: ClickHouse, clickhouse_http: ClickHouseEndpoint, vector: VectorEndpoint
) -> None:
    start(client)

    def last(number: int) -> None:
        if number == 2:
            clickhouse_http.fail("503", times=None, match="INSERT")
            os.kill(os.getpid(), signal.SIGTERM)

    vector.before_answer = last
    with pytest.raises(CommandError, match=r"^1 samples could not be stored$"):
        monitor_load_test(vector)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--sleep_time", "0.5"], r"^--sleep_time 0\.5: it must be at least 1$"),
        (["--sleep_time", "nan"], r"^--sleep_time nan: it must be at least 1$"),
        (["--vector_url", "http://127.0.0.1:1"], r"^Vector did not answer \(ConnectionError\): check --vector_url$"),
        (["--password", "wrong"], "code 516"),
        ([], f"^Run {RUN} has ended already"),
    ],
)
def test_what_it_refuses(args: list[str], message: str, client: ClickHouse, vector: VectorEndpoint) -> None:
    start(client)
    runs.end(client, RUN, 0)
    with pytest.raises(CommandError, match=message):
        monitor_load_test(vector, *args)


def test_the_command_as_in_run_books_watches_celery(client: ClickHouse) -> None:
    start(client)
    runs.end(client, RUN, 0)
    # It has looked at the queues before.
    with pytest.raises(CommandError, match=f"^Run {RUN} has ended already"):
        run("monitor_load_test_tracking")


def test_lists_stay_out_of_the_line() -> None:
    kafka = {"topic": "analytics", "partitions": [{"partition": 0, "lag": 3}], "lag": 3}
    assert line(datetime(2026, 11, 21, 9, 5, tzinfo=UTC), {"kafka_bus": kafka}) == (
        "09:05:00  kafka_bus: topic analytics, lag 3"
    )
