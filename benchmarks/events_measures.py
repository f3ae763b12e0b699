"""The measurements of the benchmark of events, each of which adds its lines to the table."""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import events_peer
from benchmarks.events_figures import Cost, Figure
from benchmarks.events_site import EMPTY, FULL, BenchmarkError, Site, Step, say
from test_utils.processes import Process

#: Learners whom ERB's cache of 128 knows, and learners whom it does not.
FEW, MANY = 100, 20_000
#: Tasks for both processes of the worker: today's chain has one for each event, ours one for each batch.
WARM_UP, WARM_UP_OURS = 200, 2_500
#: The number of the first event of a warm-up: after all others.
LAST = 10_000_000
BATCH = 100
RATE, RATE_SECS = 50, 20
QUIET_SECS = 4
DELIVERED_AT_ONCE = 1_000
#: The best of them counts.
BATCHES = 12
MOST_REQUEST, MOST_PUBLISH, MOST_DELIVERY, MOST_BATCHED, MOST_UNBATCHED, MOST_GROWTH = 1.5, 1.0, 1.3, 0.35, 0.10, 1.1
MOST_MEMORY_MB = 10


def month(number: int) -> tuple[str, int]:
    """A month of 2026, as its beginning and as ClickHouse's toYYYYMM."""
    return f"2026-{number:02}-01T00:00:00+00:00", 202600 + number


class Measures:
    """Measures one thing after another at a site; ``python``: the interpreter of Ralph's environment, or None."""

    def __init__(self, site: Site, options: argparse.Namespace, python: Path | None):
        self.site = site
        self.options = options
        self.python = python
        self.found: list[Figure] = []

    def add(self, figure: Figure) -> None:
        """Add a line to the table, and say it."""
        self.found.append(figure)
        say("  ".join(filter(None, figure.cells())))

    def requests(self) -> None:
        """An event in a request."""
        environment = {**self.site.environment(), "STANDIN_ERB_ROUTING": "1"}
        result = self.site.run("request", environment, number=self.options.events, users=FEW, month=month(1)[0])
        costs = {name: Cost(result["events"], secs) for name, secs in result["secs"].items()}
        self.site.broker.clear()
        self.add(Figure("request", "an empty transaction with SELECT 1", costs["transaction"]))
        self.add(Figure("request", "bare INSERT", costs["bare"]))
        self.add(Figure("request", "publish to Celery (today)", costs["publish"]))
        ours = costs["ours"]
        self.add(Figure("request", "ours, by a bare INSERT", ours, costs["bare"], at_most=MOST_REQUEST))
        self.add(Figure("request", "ours, by today's publish", ours, costs["publish"], at_most=MOST_PUBLISH))

    def deliveries(self) -> None:
        """Transform and delivery beside ERB alone."""
        for number, users in ((2, FEW), (3, MANY)):
            arguments = {
                "number": max(self.options.events, BATCHES * DELIVERED_AT_ONCE),
                "users": users,
                "month": month(number)[0],
            }
            result = self.site.run("transform", self.site.environment(), **arguments)
            costs = {name: Cost(result["events"], secs) for name, secs in result["secs"].items()}
            what = f"delivery, {users:,} learners"
            self.add(Figure(what, "ERB alone, its cache warm", costs["erb warm"]))
            if "erb cold" in costs:
                self.add(Figure(what, "ERB alone, for these learners", costs["erb cold"]))
            self.add(Figure(what, "ours, by ERB alone", costs["ours"], costs["erb warm"], at_most=MOST_DELIVERY))

    def fill(self) -> None:
        """Fill the table with statements of other learners in the year before, and make an empty one beside it."""
        self.site.sql(f"CREATE TABLE xapi.{EMPTY} AS xapi.{FULL}")
        samples = f"(SELECT groupArray(event) FROM (SELECT event FROM xapi.{FULL} LIMIT 500))"
        moment = "toDateTime64('2025-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(number * 30)"
        for first in range(0, self.options.rows, 100_000):
            many = min(100_000, self.options.rows - first)
            text = 'concat(\'{"id":"\', toString(id), substring(texts[number % length(texts) + 1], 44))'
            self.site.sql(
                f"INSERT INTO xapi.{FULL} WITH {samples} AS texts "
                f"SELECT generateUUIDv4(number) AS id, {moment}, {text} FROM numbers({first}, {many})"
            )
        self.site.sql(f"OPTIMIZE TABLE xapi.{FULL} FINAL")

    def chains(self) -> None:
        """The whole chain, ours and today's."""
        ours = self.chain("ours", self.site.environment(), "aspects", 4, self.options.events)
        what = f"chain, {self.options.rows:,} rows"
        self.add(Figure(what, "ours", ours))
        if self.python is None:
            return
        ralph = events_peer.Ralph(self.site, self.python)
        router = {"url": ralph.url, "username": events_peer.NAME, "password": events_peer.PASSWORD}
        batched = events_peer.environment(self.site, batched=True)
        self.site.run("route", batched, **router)
        today = self.chain("batched", batched, "event_transformer", 5, self.options.events, ralph, left=BATCH)
        self.add(Figure(what, f"today, batched by {BATCH}", today))
        self.add(Figure(what, "ours, by today batched", ours, today, at_most=MOST_BATCHED))
        few = max(100, self.options.events // 10)
        unbatched = events_peer.environment(self.site, batched=False)
        today = self.chain("unbatched", unbatched, "event_transformer", 6, few, ralph)
        self.add(Figure(what, "today, one by one", today))
        self.add(Figure(what, "ours, by today one by one", ours, today, ("ClickHouse",), MOST_UNBATCHED))

    def chain(
        self,
        name: str,
        environment: Mapping[str, str],
        via: str,
        number: int,
        events: int,
        *others: Process,
        left: int = 0,
    ) -> Cost:
        """The cost of a chain; ``left``: so many of the last events wait for a next one."""
        begin, wanted = month(number)
        given = {"users": FEW, "month": begin, "via": via}
        with self.site.worker(environment, *others):
            warm_up = WARM_UP if others else WARM_UP_OURS
            self.site.run("emit", environment, number=warm_up, first=LAST, **given)
            self.settle(warm_up - left, wanted)
            step = Step("emit", {"number": events, **given}, environment)
            step.wait_until_ready()
            there = self.site.count(wanted)
            with self.site.measuring() as spent:
                step.go()
                result = step.result()
                arrived = self.settle(there + events - left, wanted) - there
                secs = {**spent(), "client": result["secs"]}
            say(f"{name}: {arrived:,} of {events:,} events arrived")
            if name == "ours":
                self.times(environment)
        return Cost(arrived, secs)

    def settle(self, number: int, wanted: int) -> int:
        """Wait for so many statements, and until no more come; how many came. BenchmarkError when they do not come."""
        found = self.site.wait_for(number, wanted)
        if found < number:
            raise BenchmarkError(f"{found} of {number} statements arrived")
        while True:
            time.sleep(QUIET_SECS)
            before, found = found, self.site.count(wanted)
            if before == found:
                return found

    def times(self, environment: Mapping[str, str]) -> None:
        """The seconds from the act to the row, at so many events a second: by ClickHouse's clock at the insert."""
        self.site.sql(f"ALTER TABLE xapi.{FULL} ADD COLUMN arrived DateTime64(6) DEFAULT now64(6)")
        begin, number = time.time(), RATE * RATE_SECS
        given = {"number": number, "users": FEW, "month": month(7)[0], "via": "aspects", "rate": RATE, "now": True}
        self.site.clickhouse.clear()
        self.site.run("emit", environment, **given)
        recent = f"FROM xapi.{FULL} WHERE emission_time >= fromUnixTimestamp64Micro({int(begin * 1e6)})"
        deadline = time.monotonic() + 60
        while int(self.site.sql(f"SELECT count() {recent}")) < number and time.monotonic() < deadline:
            time.sleep(1)
        waits = "dateDiff('millisecond', emission_time, arrived) / 1000"
        found = self.site.sql(f"SELECT {waits} {recent}").split()
        self.site.sql(f"ALTER TABLE xapi.{FULL} DROP COLUMN arrived")
        if len(found) != number:
            raise BenchmarkError(f"{len(found)} of {number} statements arrived")
        waited = list(map(float, found))
        inserts = sum("INSERT" in request["statement"] for request in self.site.clickhouse.requests())
        told = f"{number:,} events in {inserts} inserts: median {statistics.median(waited):.1f} s"
        told += f", worst {max(waited):.1f} s"
        self.add(Figure("time", f"from the act to the row, {RATE} events/s", other=told))

    def rows(self) -> None:
        """The delivery into a full table and into an empty one."""
        costs: dict[str, list[Cost]] = defaultdict(list)
        for round_ in range(self.options.rounds):
            for table in (EMPTY, FULL):
                environment = self.site.environment(table=table)
                given = {"number": self.options.events, "users": FEW, "month": month(8)[0], "first": round_ * 100_000}
                result = self.site.run("delivery", environment, **given)
                costs[table].append(Cost(result["events"], result["secs"]["ours"]))
        empty, full = (min(costs[table], key=Cost.per_event) for table in (EMPTY, FULL))
        self.add(Figure("rows", "delivery, empty table", empty))
        ours = f"delivery, {self.options.rows:,} rows, by an empty table"
        self.add(Figure("rows", ours, full, empty, at_most=MOST_GROWTH))

    def workers(self) -> None:
        """One process that delivers, and two at once."""
        rates: list[float] = []
        for number in (1, 2):
            environment = self.site.environment(f"workers{number}", EVENT_SINK_CLICKHOUSE_XAPI_WORKERS=number)
            begin = month(9 + number)[0]
            self.site.run("stored", environment, number=2 * self.options.events, users=FEW, month=begin)
            steps = [Step("drain", {}, environment) for _ in range(number)]
            for step in steps:
                step.wait_until_ready()
            for step in steps:
                step.go()
            results = [step.result() for step in steps]
            rates.append(self.rate(results))
            told = f"{2 * self.options.events:,} events: {rates[-1]:,.0f} events/s"
            told += f", {rates[-1] / rates[0]:.2f} times one" if number > 1 else ""
            self.add(Figure("workers", f"{number} {'worker' if number == 1 else 'workers'}", other=told))

    def rate(self, results: Sequence[Mapping[str, float]]) -> float:
        """Events a second of processes that delivered at once."""
        events = sum(result["events"] for result in results)
        if events != 2 * self.options.events:
            raise BenchmarkError(f"{events} of {2 * self.options.events} events were delivered")
        return events / (max(result["end"] for result in results) - min(result["begin"] for result in results))

    def memory(self) -> None:
        """The memory of a process that delivers."""
        environment = self.site.environment()
        result = self.site.run("memory", environment, number=self.options.memory, users=FEW, month=month(12)[0])
        idle, peaks = result["idle"], result["peaks"]
        told = f"{result['events']:,} events: {idle:.0f} MB idle, at most {max(peaks) - idle:.1f} MB more"
        told += f"; first tenth {peaks[0] - idle:.1f}, last {peaks[-1] - idle:.1f}"
        way = f"MB over idle, batches of {DELIVERED_AT_ONCE:,}"
        self.add(Figure("memory", way, other=told, value=max(peaks) - idle, at_most=MOST_MEMORY_MB))
