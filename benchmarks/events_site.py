"""The site of the benchmark of events: its servers and workers, and the processor time that each of them takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from benchmarks.events_meter import processor_secs
from test_utils.processes import ADMIN, REPOSITORY, Endpoint, Process
from test_utils.services.processes import MariaDB, Redis, Worker

POLL_SECS = 0.5
#: Nothing of the benchmark takes longer on a machine that does other work, too.
PATIENCE_SECS = 540
#: Events a second that a step delivers at least.
SLOWEST = 100
#: The tables that hold many statements and none, both in the database xapi.
FULL, EMPTY = "xapi_events_all", "xapi_events_none"


class BenchmarkError(Exception):
    """The benchmark cannot go on."""


def say(line: str) -> None:
    """Say how far it is; the table alone is standard output."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


class Step:
    """One step of events_steps.py in a process of its own, which begins when it is told to."""

    def __init__(self, name: str, arguments: Mapping[str, Any], environment: Mapping[str, str]):
        self.name = name
        self.patience = PATIENCE_SECS + arguments.get("number", 0) / SLOWEST
        command = [sys.executable, "-m", "benchmarks.events_steps", name, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        """Wait until it has imported, connected and warmed up all that it measures. BenchmarkError when it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == "ready\n":
                return
        raise BenchmarkError(f"{self.name} failed")

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for its end; what it found. BenchmarkError when it failed."""
        output, _ = self.process.communicate(timeout=self.patience)
        if self.process.returncode:
            raise BenchmarkError(f"{self.name} failed")
        return json.loads(output.splitlines()[-1])


class Site:
    """MariaDB, Redis and ClickHouse of one run, and who works with them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.database = MariaDB(folder)
        # As on a site: its own default is for many servers on a small machine.
        self.database.command.append("--innodb-buffer-pool-size=512M")
        self.broker = Redis("broker", folder)
        self.cache = Redis("cache", folder)
        self.clickhouse = Endpoint(folder)
        self.workers: list[Worker] = []

    @property
    def servers(self) -> tuple[Process, ...]:
        """The servers, in the order in which they start."""
        return (self.database, self.broker, self.cache, self.clickhouse)

    @contextmanager
    def running(self) -> Iterator[None]:
        """While its servers run, with the platform's tables and 20,000 learners in them."""
        try:
            for server in self.servers:
                server.start()
            yield
        finally:
            for process in (*self.workers, *self.servers):
                process.kill()

    def environment(self, name: str = "ours", table: str = FULL, **tokens: Any) -> dict[str, str]:
        """The environment of the stand-in platform; ``tokens``: further settings of the operator."""
        clickhouse = {"url": self.clickhouse.url, "username": ADMIN[0], "password": ADMIN[1], "xapi_table": table}
        settings = {
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {**clickhouse, "database": "event_sink", "timeout_secs": 30},
            "EVENT_SINK_CLICKHOUSE_XAPI_ENABLED": True,
            **tokens,
        }
        file = self.folder / f"tokens-{name}-{table}.json"
        file.write_text(json.dumps(settings))
        return {
            "DJANGO_SETTINGS_MODULE": "lms.envs.standin",
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "test_utils" / "edx_platform")]),
            "STANDIN_DATA_DIR": str(self.folder / "standin"),
            "STANDIN_DATABASE_URL": self.database.url,
            "STANDIN_BROKER_URL": self.broker.url,
            "STANDIN_CACHE_URL": self.cache.url,
            "STANDIN_ENV_TOKENS": str(file),
            "BENCHMARK_PROCESSES": json.dumps(self.pids()),
        }

    def pids(self) -> dict[str, int]:
        """The processes whose time counts, by the name under which it is reported."""
        processes = {process.name: process for process in (*self.servers, *self.workers)}
        return {name: each.process.pid for name, each in processes.items() if each.process is not None}

    def run(self, step: str, environment: Mapping[str, str], **arguments: Any) -> dict[str, Any]:
        """Run a step to its end; what it found. BenchmarkError when it failed."""
        process = Step(step, arguments, environment)
        process.wait_until_ready()
        process.go()
        return process.result()

    @contextmanager
    def worker(self, environment: Mapping[str, str], *others: Process) -> Iterator[Worker]:
        """While a Celery worker of the LMS runs, beside ``others`` that are started before it."""
        worker = Worker("worker", self.folder, environment, "lms")
        processes = (*others, worker)
        try:
            for process in processes:
                process.start()
            self.workers += processes  # type: ignore[arg-type]
            yield worker
        finally:
            self.workers = []
            for process in reversed(processes):
                process.kill()
            self.broker.clear()
            self.cache.clear()

    def sql(self, statement: str) -> str:
        """Run a statement in ClickHouse as its administrator; its answer, as text."""
        answer = requests.post(self.clickhouse.url, data=statement.encode(), auth=ADMIN, timeout=PATIENCE_SECS)
        if not answer.ok:
            raise BenchmarkError(f"ClickHouse refused {statement[:200]}: {answer.text[:500]}")
        return answer.text.strip()

    def count(self, begin: int, table: str = FULL) -> int:
        """How many statements of different events arrived of those that were emitted in the month of ``begin``."""
        month = f"toYYYYMM(emission_time) = {begin}"
        return int(self.sql(f"SELECT uniqExact(event_id) FROM xapi.{table} WHERE {month}"))

    def wait_for(self, number: int, month: int, patience: float = PATIENCE_SECS, table: str = FULL) -> int:
        """Wait until so many statements arrived, or the patience is over; how many did."""
        deadline = time.monotonic() + patience
        while (found := self.count(month, table)) < number and time.monotonic() < deadline:
            time.sleep(POLL_SECS)
        return found

    @contextmanager
    def measuring(self) -> Iterator[Callable[[], dict[str, float]]]:
        """Yields a function that returns the processor seconds of each process since now."""
        before = processor_secs(self.pids())

        def spent() -> dict[str, float]:
            now = processor_secs(self.pids())
            return {name: secs - before.get(name, 0.0) for name, secs in now.items()}

        yield spent
