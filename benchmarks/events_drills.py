"""Faults, and how many statements each of them costs: ours, and with ``--peer`` today's chain.

In each drill learners act while something fails; then nobody repairs anything. A statement is lost when it is not in
ClickHouse after no more have come for a while. The last events of today's chain, which wait for a next one, get it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import events_peer
from benchmarks.events_data import COURSE_NAME
from benchmarks.events_measures import FEW, WARM_UP, month
from benchmarks.events_site import FULL, BenchmarkError, Site, Step, say
from test_utils.processes import Process

HEADINGS = ("fault", "statements", "lost here", "lost today")
#: Longer than all retries of ERB's tasks, with the countdown that they have here.
OUTAGE_SECS = 5 * events_peer.COUNTDOWN_SECS
RATE = 500
#: Unless a statement comes for so long, no more will come; longer than any wait that the faults cause.
QUIET_SECS = 75
#: Celery gives tasks of a worker that was killed to another one after this time; its default is an hour.
REDELIVERED_SECS = 30
#: One event in so many is there already, or comes twice: one in each of today's batches.
EACH = 100
KILLS = 3


@dataclass
class Chain:
    """A chain under test: the way in, its environment, what it writes to and its worker."""

    name: str
    via: str
    environment: Mapping[str, str]
    store: Process
    worker: Process | None = None


class Drills:
    """The drills at a site; each has a month of its own, and each chain a year's half."""

    def __init__(self, site: Site, options: argparse.Namespace, python: Path | None):
        self.site = site
        self.number = options.events
        self.ralph = None if python is None else events_peer.Ralph(site, python)
        self.faults: Mapping[str, Callable[[Chain, int], None]] = {
            f"ClickHouse answers 503 for {OUTAGE_SECS} s": lambda _chain, _wanted: self.away("503"),
            f"ClickHouse resets connections for {OUTAGE_SECS} s": lambda _chain, _wanted: self.away("reset"),
            "the store is restarted (ClickHouse here, Ralph today)": self.restart,
            f"1 of {EACH} is stored with another course name": self.nothing,
            f"1 of {EACH} is emitted twice": self.nothing,
            f"the worker is killed {KILLS} times": self.kill,
        }

    def run(self) -> list[tuple[str, ...]]:
        """The table: a line for each fault."""
        ours = self.lost("ours", self.drill_environment(self.site.environment("drills")), "aspects", 1)
        today: Mapping[str, str] = {}
        if self.ralph is not None:
            environment = events_peer.environment(self.site, batched=True)
            router = {"url": self.ralph.url, "username": events_peer.NAME, "password": events_peer.PASSWORD}
            self.site.run("route", environment, **router)
            today = self.lost("today", self.drill_environment(environment), "event_transformer", 7)
        return [HEADINGS, *((fault, f"{self.number:,}", ours[fault], today.get(fault, "")) for fault in self.faults)]

    def drill_environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """With a broker that gives tasks of killed workers to others soon."""
        file = Path(environment.get("STANDIN_TUTOR_SETTINGS", self.site.folder / "drill-settings.json"))
        settings = json.loads(file.read_text()) if file.exists() else {}
        settings["CELERY_BROKER_TRANSPORT_OPTIONS"] = {"visibility_timeout": REDELIVERED_SECS}
        file.write_text(json.dumps(settings))
        return {**environment, "STANDIN_TUTOR_SETTINGS": str(file)}

    def lost(self, name: str, environment: Mapping[str, str], via: str, first_month: int) -> dict[str, str]:
        """The statements that each fault costs a chain, by fault."""
        others = [] if self.ralph is None or name == "ours" else [self.ralph]
        found: dict[str, str] = {}
        for position, (fault, act) in enumerate(self.faults.items()):
            with self.site.worker(environment, *others) as worker:
                store = others[0] if others else self.site.clickhouse
                chain = Chain(name, via, environment, store, worker)
                lost = self.drill(chain, fault, act, first_month + position)
            say(f"{name}, {fault}: {lost:,} of {self.number:,} lost")
            found[fault] = f"{lost:,}"
        return found

    def drill(self, chain: Chain, fault: str, act: Callable[[Chain, int], None], number: int) -> int:
        """Let learners act while something fails; how many statements are lost."""
        begin, wanted = month(number)
        given: dict[str, Any] = {"users": FEW, "via": chain.via}
        apart = {**given, "month": "2025-01-01T00:00:00+00:00"}
        self.site.run("emit", chain.environment, number=WARM_UP, first=1_000_000 * number, **apart)
        if "stored" in fault:
            # These come alone, wait for no others, and then have another name.
            self.site.run("emit", chain.environment, number=self.number // EACH, each=EACH, month=begin, **given)
            self.flush(chain, apart, 1_000_000 * number + 500_000)
            if self.site.wait_for(self.number // EACH, wanted, QUIET_SECS) < self.number // EACH:
                raise BenchmarkError("The statements that should be stored already did not come")
            # Its first words: Ralph writes other letters than those of ASCII as escape sequences.
            renamed = f"replaceAll(event, '{COURSE_NAME.partition(',')[0]}', 'Another name')"
            where = f"toYYYYMM(emission_time) = {wanted}"
            self.site.sql(f"ALTER TABLE xapi.{FULL} UPDATE event = {renamed} WHERE {where} SETTINGS mutations_sync = 1")
        twice = EACH if "twice" in fault else 0
        step = Step(
            "emit", {**given, "number": self.number, "month": begin, "rate": RATE, "twice": twice}, chain.environment
        )
        step.wait_until_ready()
        step.go()
        self.site.wait_for(self.number // 5, wanted, QUIET_SECS)
        act(chain, wanted)
        step.result()
        return self.number - self.settled(chain, wanted, apart, 1_000_000 * number + 600_000)

    def settled(self, chain: Chain, wanted: int, apart: Mapping[str, Any], first: int) -> int:
        """How many statements came, when all did or no more come."""
        found, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_SECS:
            now = self.site.count(wanted)
            if now >= self.number:
                return now
            if now > found:
                found, since = now, time.monotonic()
            elif time.monotonic() - since > QUIET_SECS / 2:
                self.flush(chain, apart, first)
                first += 10
            time.sleep(2)
        return found

    def flush(self, chain: Chain, apart: Mapping[str, Any], first: int) -> None:
        """The next event, for which the last ones of today's chain wait."""
        if chain.name != "ours":
            time.sleep(events_peer.INTERVAL_SECS + 1)
            self.site.run("emit", chain.environment, number=1, first=first, **apart)
            time.sleep(2)

    def away(self, kind: str) -> None:
        """No insert succeeds for a while."""
        self.site.clickhouse.fail(kind, times=None, match="INSERT")
        time.sleep(OUTAGE_SECS)
        self.site.clickhouse.heal()

    def restart(self, chain: Chain, _wanted: int) -> None:
        """The server to which the worker writes ends, and is there again some seconds later."""
        chain.store.stop()
        time.sleep(3)
        chain.store.start()

    def kill(self, chain: Chain, wanted: int) -> None:
        """All processes of the worker end at once, and a supervisor starts it again; several times."""
        assert chain.worker is not None
        assert chain.worker.process is not None
        for stroke in range(1, KILLS + 1):
            for pid in below(chain.worker.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.site.wait_for(min(self.number, self.number // 5 * (stroke + 1)), wanted, 15)

    def nothing(self, _chain: Chain, _wanted: int) -> None:
        """Nothing fails but what is in the events."""


def below(pid: int) -> list[int]:
    """All processes that descend from this one."""
    try:
        children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*children, *(each for child in children for each in below(child))]
