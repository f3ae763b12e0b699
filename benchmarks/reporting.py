"""Measure the reports, both what views of boards and what inserts of statements take: ``make benchmark-reporting``.

    python -m benchmarks.reporting [--statements N] [--fewer N] [--course N] [--rounds N] [--folder DIR] [--table FILE]

Two sites of 200 courses are made in the embedded engine, one with N statements (10,000,000) and one with fewer
(1,000,000). One course has 5,000 learners, 1,500 blocks and the same 500,000 statements on both. The statements are
ERB's own, multiplied inside ClickHouse (reporting_statements.py). The plugin makes and fills the reports.

views
    each view, all its columns, filtered to the large course as guests are; the rows are computed and not sent. Time is
    the best of the rounds after a first, because all else that the machine does can only add to it. Memory is the peak
    of the whole process, with Python and the engine. *Growth* is the time by that on the site with fewer statements; it
    counts from 50 ms on, because below that it is mostly planning. *page* is the query of the endpoint course_summary:
    each minute, and each hour those of a week ago;
inserts
    batches of 1,000 and 10,000 statements into the table that feeds the reports and into a bare table of the same
    columns, in turn; the best of the batches. Feeds run one after the other, as is ClickHouse's default;
disk
    bytes per statement, compressed, after the filling.

The end names each missed target, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Table, as_rst, as_text, machine

ROOT = Path(__file__).resolve().parents[1]
MOST_MS, MOST_MB, MOST_GROWTH, LEAST_MS = 300, 1_000, 2.0, 50
#: A page does not wait as long as a board.
MOST_MS_OF_PAGE = {"page, each minute": 100}
LEAST_RATE, LEAST_SHARE = {"10000": 30_000}, 0.25
BATCHES = {"1000": 20, "10000": 10}
VIEWS = ("view", "rows", "ms, fewer", "ms", "processor ms", "growth", "peak MB")
INSERTS = ("batches of", "bare, statements/s", "with reports, statements/s", "ratio")
DISK = ("table", "bytes per statement")


class BenchmarkError(Exception):
    """The benchmark cannot go on."""


def step(folder: Path, name: str, **arguments: Any) -> dict[str, Any]:
    """Run a step of reporting_steps.py in a process of its own. Raises BenchmarkError."""
    folder.mkdir(exist_ok=True)
    config = {"url": f"chdb://{folder / 'clickhouse'}", "database": "event_sink", "timeout_secs": 3_600}
    switches = {f"EVENT_SINK_CLICKHOUSE_{sink}_ENABLED": True for sink in ("EXTERNAL_ID", "USER_PROFILE")}
    tokens = folder / "env-tokens.json"
    tokens.write_text(json.dumps({"EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG": config, **switches}))
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "lms.envs.standin",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "test_utils" / "edx_platform")]),
        "STANDIN_DATA_DIR": str(folder),
        "STANDIN_ENV_TOKENS": str(tokens),
    }
    environment.pop("STANDIN_DATABASE_URL", None)
    command = [sys.executable, str(ROOT / "benchmarks" / "reporting_steps.py"), name, json.dumps(arguments)]
    log = folder / f"{name}.log"
    with log.open("w") as errors:
        done = subprocess.run(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, check=False
        )
    if done.returncode:
        raise BenchmarkError(f"{name} failed:\n{log.read_text()[-3_000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def say(line: str) -> None:
    """Say how far it is; the tables alone are standard output."""
    print(line, file=sys.stderr, flush=True)


def view_rows(fewer: Mapping[str, Any], all_of: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The lines of the views."""
    for name, found in all_of.items():
        yield (
            *(name, f"{found['rows']:,}", f"{fewer[name]['best_ms']:.0f}", f"{found['best_ms']:.0f}"),
            f"{found['processor_ms']:.0f}",
            f"{found['best_ms'] / fewer[name]['best_ms']:.2f}",
            f"{max(found['peak_mb'], fewer[name]['peak_mb']):.0f}",
        )


def view_misses(fewer: Mapping[str, Any], all_of: Mapping[str, Any]) -> Iterator[str]:
    """The missed targets of the views, a sentence each."""
    for name, found in all_of.items():
        most = MOST_MS_OF_PAGE.get(name, MOST_MS)
        if found["best_ms"] > most:
            yield f"{name}: {found['best_ms']:.0f} ms, more than {most}"
        if found["peak_mb"] > MOST_MB:
            yield f"{name}: {found['peak_mb']:.0f} MB, more than {MOST_MB}"
        growth = found["best_ms"] / fewer[name]["best_ms"]
        if found["best_ms"] > LEAST_MS and growth > MOST_GROWTH:
            yield f"{name}: {growth:.2f} times the time with fewer statements, more than {MOST_GROWTH:g}"


def rates(inserts: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """(size of a batch, statements a second into the bare table, with reports)."""
    for size, found in inserts.items():
        yield size, int(size) / found["bare"]["best_secs"], int(size) / found["reports"]["best_secs"]


def insert_misses(inserts: Mapping[str, Any]) -> Iterator[str]:
    """The missed targets of the inserts, a sentence each."""
    for size, bare, fed in rates(inserts):
        if fed < LEAST_SHARE * bare:
            yield f"batches of {int(size):,}: {fed / bare:.2f} of the bare rate, less than {LEAST_SHARE}"
        if fed < LEAST_RATE.get(size, 0):
            yield f"batches of {int(size):,}: {fed:,.0f} statements/s, less than {LEAST_RATE[size]:,}"


def disk_rows(filled: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines of the disk: the statements, each stored relation, and all of these."""
    each = {name: size / filled["statements"] for name, size in filled["bytes"].items() if name != "filled"}
    raw = each.pop("statements")
    yield "the xAPI table", f"{raw:.1f}"
    yield from ((name, f"{size:.1f}") for name, size in sorted(each.items(), key=lambda item: -item[1]))
    yield "all stored relations", f"{sum(each.values()):.1f}"


def run(options: argparse.Namespace, folder: Path) -> tuple[list[Table], list[str], str]:
    """Measure everything: the tables, what misses its target, and how long the filling took."""
    found: dict[str, dict[str, Any]] = {}
    for name, number in (("fewer", options.fewer), ("all", options.statements)):
        size = {"statements": number, "of_course": options.course}
        say(f"filling {number:,} statements")
        found[name] = {"filled": step(folder / name, "fill", **size)}
        say(f"views with {number:,} statements")
        found[name]["views"] = step(folder / name, "views", rounds=options.rounds, **size)
        if name == "all":
            say("inserts")
            found[name]["inserts"] = step(folder / name, "inserts", batches=BATCHES, **size)
        shutil.rmtree(folder / name)
    views, inserts = (found["fewer"]["views"], found["all"]["views"]), found["all"]["inserts"]
    insert_rows = [
        (f"{int(size):,}", f"{bare:,.0f}", f"{fed:,.0f}", f"{fed / bare:.2f}") for size, bare, fed in rates(inserts)
    ]
    filled = found["all"]["filled"]
    tables: list[Table] = [
        [VIEWS, *view_rows(*views)],
        [INSERTS, *insert_rows],
        [DISK, *disk_rows(filled)],
    ]
    told = (
        f"{filled['statements']:,} statements, fewer: {found['fewer']['filled']['statements']:,}. "
        f"The plugin filled the reports in {filled['fill_secs']:.0f} s, with a peak of {filled['peak_mb']:,.0f} MB."
    )
    return tables, [*view_misses(*views), *insert_misses(inserts)], told


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statements", type=int, default=10_000_000, metavar="N", help="statements (10,000,000)")
    parser.add_argument("--fewer", type=int, default=1_000_000, metavar="N", help="of the other site (1,000,000)")
    parser.add_argument("--course", type=int, default=500_000, metavar="N", help="of the large course (500,000)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds of each view, after a first (7)")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder is made there)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="also write the tables there, as reStructuredText")
    options = parser.parse_args(argv)
    if not 10_000 <= options.course < options.fewer <= options.statements or options.rounds < 1:
        parser.error("--course must be at least 10,000 and less than --fewer, and that at most --statements")
    return options


def main() -> None:
    """Measure, print the tables and what misses its target; end with 1 when something does."""
    options = parse()
    folder = Path(tempfile.mkdtemp(prefix="aspects-benchmark-", dir=options.folder))
    try:
        tables, missed, told = run(options, folder)
    except BenchmarkError as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    head = f"{machine(f'{told} Best of {options.rounds} rounds')}."
    print(head, *(f"\n{as_text(table)}" for table in tables), *missed, sep="\n")
    if options.table:
        lines = (
            ["Misses its target:", "", *(f"* {line}" for line in missed)] if missed else ["All is within its targets."]
        )
        text = "\n".join([head, "", *(as_rst(table) for table in tables), *lines, ""])
        options.table.parent.mkdir(parents=True, exist_ok=True)
        options.table.write_text(text, encoding="utf-8")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
