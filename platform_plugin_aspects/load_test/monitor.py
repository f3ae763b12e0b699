"""Watches a load test: events that arrive in ClickHouse and events on their way, in samples on a fixed schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from platform_plugin_aspects.clickhouse.client import ClickHouse, quote
from platform_plugin_aspects.clickhouse.errors import NOT_THERE, Failure, Misconfigured
from platform_plugin_aspects.load_test import runs
from platform_plugin_aspects.load_test.backends import Backend, BackendError
from platform_plugin_aspects.sinks.formats import iso_utc
from platform_plugin_aspects.stopping import Stoppable

#: Seconds between two looks for a run that starts.
LOOK_SECS = 1
#: After the run's end, this number of samples in a row must find no event on its way, and equal counts in ClickHouse.
#: Events that a worker holds are in no queue: at the second sample they have arrived.
QUIET_SAMPLES = 2
MICROSECONDS = 1_000_000


class TooLate(Exception):
    """There is nothing to watch: the run has ended before the monitor began."""


class Monitor:
    """Watches one load test. Making it asks every source once, and raises Failure or BackendError.

    ``tell`` gets lines for a person: samples, and why some are missing.
    ``stored``: how many samples are in ClickHouse; ``unstored``: those that are not yet, each with its moment.
    """

    def __init__(
        self,
        client: ClickHouse,
        backend: Backend,
        interval_secs: float,
        stop: Stoppable,
        tell: Callable[[str], object],
    ):
        self.client = client
        self.backend = backend
        self.interval_secs = interval_secs
        self.stop = stop
        self.tell = tell
        self.stored = 0
        self.unstored: list[tuple[datetime, Mapping[str, Any]]] = []
        self.problems: set[str] = set()
        runs.check(client)
        self.sources: Mapping[str, Callable[[], dict[str, Any]]] = {
            runs.CLICKHOUSE: lambda: arrived(client),
            backend.name: backend.sample,
        }
        #: The state before any run that has not started yet.
        self.before = {name: measure() for name, measure in self.sources.items()}
        #: ClickHouse's clock when this host's showed 0.
        self.clock_zero = runs.clock(client) - timedelta(seconds=stop.now())

    def wait_for_run(self) -> runs.Run | None:
        """The run that was started in the last minute, or that starts now; None when the monitor is to stop.

        What there was when it started is its first sample. Raises TooLate.
        """
        run = runs.latest_start(self.client)
        if run is None:
            self.tell("waiting for a load test to start")
        elif run.ended_at is not None:
            raise TooLate(f"Run {run.run_id} has ended already: start the monitor, and then the load test")
        before: Mapping[str, Any] = {} if run is not None else self.before
        while run is None and not self.stop.wants_to_stop():
            # Measure first: if no run has started afterwards, the figures are from before the run.
            now = self._measure()
            try:
                run = runs.latest_start(self.client)
            except Failure as failure:
                self._tell_problem(str(failure))
            if run is None:
                before = now
                self.stop.wait(LOOK_SECS)
        if run is not None and before:
            self.unstored.append((run.started_at, before))
        return run

    def watch(self, run: runs.Run) -> bool:
        """Take samples until the run has ended and nothing is on its way any more, or until the monitor is to stop.

        Returns whether it came to that end.
        """
        began = self.stop.now()
        ended = False
        quiet = 0
        total = None
        while not self.stop.wants_to_stop():
            at = self.clock_zero + timedelta(seconds=self.stop.now())
            stats = self._measure()
            self.tell(line(at, stats))
            self.unstored.append((at, stats))
            try:
                if runs.CLICKHOUSE in stats:
                    self._store(run)
                    ended = ended or runs.has_ended(self.client, run.run_id)
            except Failure as failure:
                self._tell_problem(f"{failure}; trying again with the next sample")
            before, total = total, stats.get(runs.CLICKHOUSE, {}).get("total_rows")
            drained = ended and self.backend.name in stats and stats[self.backend.name]["lag"] <= 0
            quiet = (quiet + 1 if total == before else 1) if drained else 0
            if quiet >= QUIET_SAMPLES and not self.unstored:
                return True
            passed = self.stop.now() - began
            # Wait for the next moment of the schedule. A slow sample skips some.
            self.stop.wait((passed // self.interval_secs + 1) * self.interval_secs - passed)
        return False

    def _measure(self) -> dict[str, Any]:
        """The current figures; without ClickHouse or the backend if it does not answer."""
        stats: dict[str, Any] = {}
        for name, measure in self.sources.items():
            try:
                stats[name] = measure()
            except (Failure, BackendError) as error:
                self._tell_problem(str(error))
        if len(stats) == len(self.sources):
            self.problems.clear()
        return stats

    def _tell_problem(self, problem: str) -> None:
        """Print a problem once, until all sources answer again."""
        if problem not in self.problems:
            self.problems.add(problem)
            self.tell(problem)

    def _store(self, run: runs.Run) -> None:
        """Write the samples to ClickHouse, the oldest first. Raises Failure."""
        while self.unstored:
            at, stats = self.unstored[0]
            runs.add_sample(self.client, run.run_id, stats, at)
            del self.unstored[0]
            self.stored += 1


def arrived(client: ClickHouse) -> dict[str, Any]:
    """The state of the table of xAPI events: {total_rows, most_recent_event, lag_seconds}.

    ``most_recent_event`` is the greatest emission_time in ISO 8601, ``lag_seconds`` its age by ClickHouse's clock; both
    are None while the table is empty.
    """
    connection = client.connection
    # Both are known to ClickHouse without reading rows.
    sql = (
        "SELECT count(), toUnixTimestamp64Micro(toDateTime64(max(emission_time), 6)), toUnixTimestamp64Micro(now64(6)) "
        f"FROM {quote(connection.xapi_database)}.{quote(connection.xapi_table)}"
    )
    try:
        total, newest, now = client.select(sql)[0]
    except Misconfigured as failure:
        if failure.code not in NOT_THERE:
            raise
        raise Misconfigured(
            f"There is no table {connection.xapi_database}.{connection.xapi_table} of xAPI events: correct "
            "xapi_database and xapi_table in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG",
            failure.code,
        ) from None
    return {
        "total_rows": total,
        "most_recent_event": iso_utc(datetime.fromtimestamp(newest / MICROSECONDS, UTC)) if total else None,
        "lag_seconds": (now - newest) / MICROSECONDS if total else None,
    }


def line(at: datetime, stats: Mapping[str, Any]) -> str:
    """A sample for a person."""
    parts = [f"{at:%H:%M:%S}"]
    for name, figures in stats.items():
        shown = [f"{figure} {value}" for figure, value in figures.items() if not isinstance(value, list)]
        parts.append(f"{name}: {', '.join(shown)}")
    return "  ".join(parts)
