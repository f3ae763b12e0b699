"""Measure what learning events cost, from a learner's act to a row in ClickHouse: ``make benchmark-events``.

    python -m benchmarks.events [--events N] [--rows N] [--peer [FOLDER]] [--memory N] [--only NAME ...] [--faults]
        [--table FILE]

Costs are processor time, user and system, of every process: those of the platform, MariaDB, Redis and ClickHouse, which
is the embedded engine behind its HTTP endpoint. All of them are started in a temporary folder that is removed at the
end. Wall time is told only where time is the question. Every ratio is of two figures of one run; within a step, the
ways that are compared take turns, block by block.

request
    an event in a request, in a transaction of its own: ours, a bare INSERT of the same bytes into the same table, and
    the publishing of the same event to Celery, with which today's chain begins;
delivery
    events that wait, until their rows are in ClickHouse and they are deleted, in batches of 1,000, beside the processor
    of edx-event-routing-backends (ERB) alone, whose cache knows all 100 learners: of 100 learners, and of 20,000;
chain
    from the emission to the row, with a Celery worker, and many statements in the table (``--rows``). ``--peer`` takes
    today's chain beside it, in batches of 100 and one by one: ERB, Celery, Redis, and Ralph, which is installed into
    FOLDER from the package registry;
rows
    the delivery once more, into a table with many statements and into an empty one, the best of several rounds;
workers, memory, time
    one process that delivers and two; the memory of one that delivers many events; the seconds from the act to the
    row at 50 events a second.

``--faults`` measures nothing of this. It counts the statements that faults cost: see events_drills.py.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks import events_peer
from benchmarks.events_drills import Drills
from benchmarks.events_figures import HEADINGS, Figure
from benchmarks.events_measures import Measures
from benchmarks.events_site import BenchmarkError, Site, say
from benchmarks.report import as_rst, as_text, machine


def measure(site: Site, options: argparse.Namespace, python: Path | None) -> list[Figure]:
    """All measurements, in the order of the table."""
    measures = Measures(site, options, python)
    steps: Sequence[Callable[[], None]] = (
        measures.requests,
        measures.deliveries,
        measures.fill,
        measures.chains,
        measures.rows,
        measures.workers,
        measures.memory,
    )
    for step in steps:
        if options.only and step.__name__ not in options.only:
            continue
        say(f"{step.__name__}")
        step()
    return measures.found


def run(options: argparse.Namespace, folder: Path) -> tuple[list[tuple[str, ...]], list[str]]:
    """Start the site and measure, or drill; the table, and what misses its target."""
    python = events_peer.python_of(options.peer) if options.peer else None
    site = Site(folder)
    with site.running():
        site.run("prepare", site.environment())
        if options.faults:
            rows = Drills(site, options, python).run()
            return rows, [f"{fault}: {lost} statements lost" for fault, _all, lost, _today in rows[1:] if lost != "0"]
        found = measure(site, options, python)
    missed = [f"{figure.what}: {figure.missed}" for figure in found if figure.missed]
    return [HEADINGS, *(figure.cells() for figure in found)], missed


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=4_000, metavar="N", help="events per measurement (4,000)")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="statements in the table (1,000,000)")
    parser.add_argument("--memory", type=int, default=20_000, metavar="N", help="events, for the memory (20,000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds of the rows (3)")
    parser.add_argument(
        "--peer",
        nargs="?",
        type=Path,
        const=Path(tempfile.gettempdir()) / "aspects-benchmark-ralph",
        metavar="FOLDER",
        help="also today's chain; FOLDER: Ralph's virtual environment, which is made if missing",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=("requests", "deliveries", "fill", "chains", "rows", "workers", "memory"),
        help="these measurements only; chains and rows need fill",
    )
    parser.add_argument("--faults", action="store_true", help="count what faults cost instead; --events: in each drill")
    parser.add_argument("--folder", type=Path, help="where to work (a temporary folder is made there)")
    parser.add_argument("--table", type=Path, metavar="FILE", help="also write the table there, as reStructuredText")
    options = parser.parse_args(argv)
    if min(options.events, options.rows, options.memory, options.rounds) < 1:
        parser.error("--events, --rows, --memory and --rounds must be at least 1")
    return options


def main() -> None:
    """Measure, print the table and what misses its target; end with 1 when something does."""
    options = parse()
    # For the servers to end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("The benchmark was ended"))
    folder = Path(tempfile.mkdtemp(prefix="aspects-benchmark-", dir=options.folder))
    try:
        rows, missed = run(options, folder)
    except BenchmarkError as error:
        for log in sorted((folder / "logs").glob("*.log")):
            with suppress(OSError):
                print(f"{log.name}:", *log.read_text(errors="replace").splitlines()[-15:], sep="\n", file=sys.stderr)
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    taken_on = machine("shared by all processes")
    print(taken_on, as_text(rows), *missed, sep="\n")
    if options.table:
        lines = (
            ["Misses its target:", "", *(f"* {line}" for line in missed)] if missed else ["All is within its targets."]
        )
        options.table.parent.mkdir(parents=True, exist_ok=True)
        options.table.write_text("\n".join([f"{taken_on}.", "", as_rst(rows), *lines, ""]), encoding="utf-8")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
