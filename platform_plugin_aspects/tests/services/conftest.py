"""A site with its demo data in ClickHouse, and Celery workers; the servers are started by test_utils.services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.delivery.deliver import deliver_changes
from platform_plugin_aspects.models import Change, SinkState
from platform_plugin_aspects.sinks.registry import sinks
from test_utils.comparison import Compared, compare
from test_utils.demo_data import Demo, load_demo
from test_utils.factories import make_course
from test_utils.processes import ADMIN, until
from test_utils.services.processes import Stream, Worker
from test_utils.services.servers import SERVERS, Servers

#: Enough for two windows, the longest wait after a failure that these tests meet, and a task on a busy machine.
PATIENCE_SECS = 30


class Site:
    """The stand-in platform on real services. ``window``: the delivery window in seconds."""

    def __init__(self, servers: Servers, demo: Demo, settings: Any):
        self.servers = servers
        self.demo = demo
        self.settings = settings
        self.clickhouse = servers.clickhouse
        self.broker = servers.broker
        self.cache = servers.cache
        self.workers: list[Worker] = []
        self.streams: list[Stream] = []
        self.layer = servers.folder / "site.json"
        self.environment = {"STANDIN_TUTOR_SETTINGS": str(self.layer)}

    def start_workers(self, window: float, sweep: float, **settings: Any) -> None:
        """Start two workers on the same queue and wait until both consume it; nothing sweeps where ``sweep`` is 0.

        ``settings`` are further ones of theirs.
        """
        values = {
            "EVENT_SINK_CLICKHOUSE_DELIVERY_WINDOW_SECS": window,
            "EVENT_SINK_CLICKHOUSE_SWEEP_SECS": sweep,
        }
        for name, value in values.items():
            setattr(self.settings, name, value)
        self.layer.write_text(json.dumps(values | settings))
        self.workers = [Worker(name, self.servers.folder, self.environment) for name in ("worker1", "worker2")]
        for worker in self.workers:
            worker.launch()
        for worker in self.workers:
            worker.wait_until_ready()

    def start_traffic(self, seed: int, operations: int) -> Stream:
        """Start a process that does what people do."""
        stream = Stream(seed, operations, self.servers.folder, self.environment)
        self.streams.append(stream)
        stream.launch()
        return stream

    def wait_until_delivered(self, seconds: float = PATIENCE_SECS, **changes: Any) -> None:
        """Poll until the outbox holds nothing (of these ``changes``)."""
        pending = Change.objects.filter(**changes)
        until(lambda: not pending.exists(), seconds, "the outbox is empty", self.state)

    def state(self) -> str:
        """Pending changes, the states of sinks and the ends of the workers' logs, for messages."""
        lines = ["pending:", *map(str, Change.objects.values("pk", "sink", "object_id", "attempts", "error")[:20])]
        lines += ["sinks:", *map(str, SinkState.objects.values())]
        return "\n".join([*lines, *(worker.tail() for worker in self.workers)])

    def assert_equal(self) -> dict[str, Compared]:
        """ClickHouse's latest rows are what the source holds, in every table; nothing is pending. Returns what was
        compared."""
        assert not Change.objects.exists(), self.state()
        compared = compare()
        assert len(compared) == 8
        assert {table: found.different for table, found in compared.items() if found.different} == {}
        return compared

    def latest(self, table: str, column: str, key_column: str, key: Any) -> Any:
        """The value in the row of the object with the greatest time_last_dumped, by ClickHouse's own means."""
        found = self.select(f"SELECT argMax({column}, time_last_dumped) FROM {table} WHERE {key_column} = {key!r}")
        return found[0][0]

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL as the plugin's user."""
        client = get_client(Connection.from_settings())
        return [tuple(row) for row in client.select(sql.replace(" FROM ", f" FROM {client.connection.database}."))]

    def close(self) -> None:
        """Kill the processes and leave everything as it was found: servers running, no faults, nothing queued."""
        cut_off = not all(stream.ended for stream in self.streams)
        for process in (*self.streams, *self.workers):
            process.kill()
        for server in (self.broker, self.cache, self.clickhouse):
            if server.process is None:
                server.start()
        self.clickhouse.heal()
        self.broker.clear()
        self.cache.clear()
        # After a failure: the next test is not to suffer for it.
        SinkState.objects.update(failures=0, retry_at=None)
        deliver_all()
        if cut_off:
            # A process that is killed outside of a transaction may have saved what it has not recorded.
            call_command("aspects_compare", object="all", repair=True, prune=True, verbosity=0)


def deliver_all() -> None:
    """Deliver what is pending here and now."""
    for name in sinks():
        deliver_changes(name)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """The servers that test_utils.services has started."""
    return request.config.stash[SERVERS]


@pytest.fixture(scope="session")
def demo(servers: Servers, django_db_setup: None, django_db_blocker: Any) -> Iterator[Demo]:
    """The demo site on MariaDB, with two more courses, and all of it in ClickHouse by a backfill."""
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        call_command("aspects_create_tables", username=ADMIN[0], password=ADMIN[1], verbosity=0)
        demo = load_demo()
        for run in ("one", "two"):
            make_course(f"course-v1:Services+{run}+2026", sequentials=2, verticals=2, leaves=3)
        call_command("dump_data_to_clickhouse", object="all", verbosity=0)
        # The demo's coach is made as users are.
        deliver_all()
        yield demo
        connection.close()
    close_clients()


@pytest.fixture
def site(demo: Demo, servers: Servers, settings: Any) -> Iterator[Site]:
    """The site, without workers."""
    site = Site(servers, demo, settings)
    yield site
    site.close()


@pytest.fixture
def xapi_events(demo: Demo) -> ClickHouse:
    """ClickHouse as its administrator sees it, with an empty table of xAPI events."""
    client = get_client(Connection.from_settings({"username": ADMIN[0], "password": ADMIN[1]}))
    for statement in (
        "CREATE DATABASE IF NOT EXISTS xapi",
        "CREATE TABLE IF NOT EXISTS xapi.xapi_events_all (event_id UUID, emission_time DateTime64(6), event String) "
        "ENGINE = ReplacingMergeTree ORDER BY (emission_time, event_id)",
        "TRUNCATE TABLE xapi.xapi_events_all",
    ):
        client.command(statement)
    return client


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """No database for tests: the workers use the site's."""
