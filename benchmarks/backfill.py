"""How fast, and in how much memory, the backfill writes learners to ClickHouse: ``make benchmark``.

    python benchmarks/backfill.py [--number N ...] [--rounds N] [--mariadb [URL]] [--objects NAME ...] [--table FILE]

Seeds N learners (profile, enrollment, external id; 200,000 unless told otherwise) in an SQLite database of its own and,
with ``--mariadb``, also on a MariaDB server: one that it starts and stops, or an empty database named by a URL
(``mysql://user:password@host:port/name``), which keeps the learners. ClickHouse is the embedded engine behind its HTTP
endpoint, in another process on the same machine. All the rest lives in a temporary folder that is removed at the end.

ClickHouse gets half of the machine's processors, source and client the other half: on a site they are not on one
machine, where ClickHouse's merges take the processor from the client by bursts. With ``--folder /dev/shm`` files are in
memory; on a disk, making and removing the small files of 100 partitions may take more time than all the rest.

Every figure is measured in a fresh process that has handled one object before (so imports and connecting are left out
of the times, not of the memory); all but the last begin with an empty table. In each round an object is measured four
times, one directly after the other:

read
    only reading: the same columns in the same portions, by SQL written by hand on the database driver's cursor;
insert
    only inserting: one portion, read and converted beforehand, as often as the backfill inserts;
backfill
    what ``dump_data_to_clickhouse`` runs;
compare
    what ``aspects_compare`` runs, on what the backfill has written: every range must be equal at once.

Each time of the table is the best of the rounds, because other load of the machine can only add to it; memory is their
greatest. *Ratio* is the backfill's wall time by that of the slower limit, *by backfill* the comparison's by the
backfill's. With several numbers *per row* compares the time per row with that of the first number.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from report import as_rst, as_text, machine

ROOT = Path(__file__).resolve().parents[1]
OBJECTS = ("user_profile", "course_enrollment", "external_id")
STEPS = ("read", "insert", "backfill", "compare")
#: Targets of the backfill and the comparison.
MOST_PROCESSOR_US = {"user_profile": 10, "course_enrollment": 7}
MOST_RATIO = 1.5
MOST_BY_BACKFILL = 1.5
MOST_MEMORY_MB = 250
MOST_GROWTH = 1.15
HEADINGS = (
    *("database", "object", "rows", "rows/s", "µs/row", "processor s", "processor µs/row", "peak MB"),
    *("only read s", "only insert s", "backfill s", "ratio", "per row"),
    *("compare s", "by backfill"),
)


class BenchmarkError(Exception):
    """The benchmark cannot go on."""


@dataclass(frozen=True)
class Figures:
    """One object of one database and number: seconds of wall and processor time, the memory in MB."""

    database: str
    name: str
    rows: int
    read: float
    insert: float
    backfill: float
    compare: float
    processor: float
    memory: float

    @property
    def ratio(self) -> float:
        """The backfill's time by that of the slower limit."""
        return self.backfill / max(self.read, self.insert)

    @property
    def by_backfill(self) -> float:
        """The comparison's time by the backfill's."""
        return self.compare / self.backfill

    @property
    def per_row(self) -> float:
        """Microseconds of wall time."""
        return self.backfill / self.rows * 1e6

    @property
    def processor_per_row(self) -> float:
        """Microseconds of processor time of the client."""
        return self.processor / self.rows * 1e6

    def cells(self, first: Figures) -> tuple[str, ...]:
        """The line of the table; ``first``: the same object with the first number of learners."""
        times = (f"{self.read:.2f}", f"{self.insert:.2f}", f"{self.backfill:.2f}", f"{self.ratio:.2f}")
        return (
            *(self.database, self.name, f"{self.rows:,}", f"{self.rows / self.backfill:,.0f}", f"{self.per_row:.1f}"),
            *(f"{self.processor:.2f}", f"{self.processor_per_row:.1f}", f"{self.memory:.0f}", *times),
            "" if first is self else f"{self.per_row / first.per_row:.2f}",
            *(f"{self.compare:.2f}", f"{self.by_backfill:.2f}"),
        )

    def missed(self, first: Figures) -> Iterator[str]:
        """The missed targets, a sentence each."""
        limit = MOST_PROCESSOR_US.get(self.name)
        if limit is not None and self.processor_per_row > limit:
            yield f"{self.processor_per_row:.1f} µs of processor time per row, more than {limit}"
        if self.ratio > MOST_RATIO:
            yield f"{self.ratio:.2f} times the slower limit, more than {MOST_RATIO}"
        if self.memory > MOST_MEMORY_MB:
            yield f"{self.memory:.0f} MB, more than {MOST_MEMORY_MB}"
        if self.per_row > MOST_GROWTH * first.per_row:
            yield f"{self.per_row / first.per_row:.2f} times the time per row with {first.rows:,} rows"
        if self.by_backfill > MOST_BY_BACKFILL:
            yield f"comparing takes {self.by_backfill:.2f} times the backfill, more than {MOST_BY_BACKFILL}"


class Bench:
    """One source database and the ClickHouse of the run."""

    def __init__(self, label: str, database_url: str, clickhouse_url: str, folder: Path):
        self.label = label
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "lms.envs.standin",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "test_utils" / "edx_platform")]),
            "STANDIN_DATA_DIR": str(folder),
            "STANDIN_DATABASE_URL": database_url,
            "STANDIN_ENV_TOKENS": str(folder / "env-tokens.json"),
        }
        config = {"url": clickhouse_url, "username": "ch_admin", "password": "admin-password", "timeout_secs": 30}
        tokens = {
            "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": {**config, "database": "event_sink"},
            **{f"EVENT_SINK_CLICKHOUSE_{name.upper()}_ENABLED": True for name in OBJECTS},
        }
        (folder / "env-tokens.json").write_text(json.dumps(tokens))

    def step(self, step: str, argument: Any = "") -> dict[str, Any]:
        """Run a step of measure.py; BenchmarkError, with its output, when it fails."""
        command = [sys.executable, str(ROOT / "benchmarks" / "measure.py"), step, str(argument)]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"{step} {argument} on {self.label} failed:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}

    def measure(self, name: str, number: int, rounds: int) -> Figures:
        """Measure one object. BenchmarkError when a measurement did not handle every row."""
        results = defaultdict(list)
        for round_ in range(rounds):
            for step in STEPS:
                result = self.step(step, name)
                if result["rows"] != number:
                    raise BenchmarkError(f"{step} {name} handled {result['rows']} of {number} rows")
                results[step].append(result)
            say(f"{self.label} {name} {number:,} round {round_ + 1}: {_brief(results)}")
        return Figures(
            self.label,
            name,
            number,
            *(min(result["wall"] for result in results[step]) for step in STEPS),
            processor=min(result["processor"] for result in results["backfill"]),
            memory=max(result["memory"] for result in results["backfill"]),
        )


def _brief(results: dict[str, list[dict[str, Any]]]) -> str:
    parts = [f"{step} {results[step][-1]['wall']:.2f} s" for step in STEPS]
    backfill = results["backfill"][-1]
    return ", ".join([*parts, f"processor {backfill['processor']:.2f} s, peak {backfill['memory']:.0f} MB"])


@contextmanager
def clickhouse(folder: Path) -> Iterator[str]:
    """The embedded engine behind its endpoint, in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "test_utils.clickhouse_endpoint", "--path", str(folder / "clickhouse")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise BenchmarkError("The ClickHouse endpoint did not start")
        yield line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """A MariaDB server of our own; yields the URL of its empty database."""
    sys.path.insert(0, str(ROOT))
    from test_utils.services.processes import MariaDB

    server = MariaDB(folder)
    # As on a site: its own default is for many servers on a small machine.
    server.command.append("--innodb-buffer-pool-size=512M")
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@contextmanager
def running_on(processors: set[int]) -> Iterator[None]:
    """Processes started inside the block run on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def shares() -> tuple[set[int], set[int]]:
    """The processors of source and client, and those of ClickHouse; the same when there is one."""
    processors = sorted(os.sched_getaffinity(0))
    half = len(processors) // 2
    return set(processors[half:]), set(processors[:half] or processors)


def run(options: argparse.Namespace, folder: Path) -> list[tuple[Figures, Figures]]:
    """Measure everything; (figures, figures of the same object with the first number) in the order of the table."""
    found = []
    with ExitStack() as stack:
        for_client, for_clickhouse = shares()
        with running_on(for_clickhouse):
            url = stack.enter_context(clickhouse(folder))
        stack.enter_context(running_on(for_client))
        benches = [Bench("SQLite", f"sqlite:///{folder / 'platform.sqlite3'}", url, folder)]
        if options.mariadb is not None:
            database_url = options.mariadb or stack.enter_context(mariadb(folder))
            benches.append(Bench("MariaDB", database_url, url, folder))
        for bench in benches:
            bench.step("refuse-used")
            bench.step("tables")
            first: dict[str, Figures] = {}
            for number in sorted(options.number):
                say(f"seeding {number:,} learners on {bench.label}")
                bench.step("seed", number)
                for name in options.objects:
                    figures = bench.measure(name, number, options.rounds)
                    found.append((figures, first.setdefault(name, figures)))
    return found


def say(line: str) -> None:
    """Say how far it is; the table alone is standard output."""
    print(line, file=sys.stderr, flush=True)


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, nargs="+", default=[200_000], metavar="N", help="learners; several: each")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds per object (3)")
    parser.add_argument("--objects", nargs="+", choices=OBJECTS, default=list(OBJECTS), metavar="NAME")
    parser.add_argument(
        "--mariadb", nargs="?", const="", metavar="URL", help="also on MariaDB; without URL on a server of its own"
    )
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder is made there)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="also write the table there, as reStructuredText")
    options = parser.parse_args(argv)
    if min(options.number) < 1 or options.rounds < 1:
        parser.error("--number and --rounds must be at least 1")
    if options.mariadb and urlsplit(options.mariadb).scheme != "mysql":
        parser.error("--mariadb: the URL must be mysql://user:password@host:port/name")
    return options


def main() -> None:
    """Measure, print the table and what is above its target; end with 1 when something is."""
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="aspects-benchmark-", dir=options.folder))
    try:
        found = run(options, folder)
    except BenchmarkError as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    rows = [HEADINGS, *(figures.cells(first) for figures, first in found)]
    missed = [
        f"{figures.database} {figures.name} {figures.rows:,}: {what}"
        for figures, first in found
        for what in figures.missed(first)
    ]
    taken_on = machine("one half for ClickHouse, one for source and client")
    print(taken_on, as_text(rows), *missed, sep="\n")
    if options.table:
        options.table.parent.mkdir(parents=True, exist_ok=True)
        lines = (
            ["Above its target:", "", *(f"* {line}" for line in missed)] if missed else ["All is within its targets."]
        )
        rounds = f"Best of {options.rounds} rounds."
        text = "\n".join([f"{taken_on}. {rounds}", "", as_rst(rows), *lines, ""])
        options.table.write_text(text, encoding="utf-8")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
