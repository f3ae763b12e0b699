"""The figures of a load test: what was sent, what arrived in ClickHouse, how far behind it was, and how long the queue.

Plain data: from a run as it stands in ClickHouse (load_test.runs) to numbers that a table, JSON or a chart shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from platform_plugin_aspects.load_test.records import excerpt, is_number
from platform_plugin_aspects.load_test.runs import CLICKHOUSE, Run

#: A first sample this many seconds after the start may have missed events that arrived earlier.
LATE_SECS = 5
#: The text for an unknown figure.
UNKNOWN = "-"
#: Fields of a run that JSON shows unchanged.
ABOUT = ("run_id", "tags", "course_id", "num_users", "username_prefix", "started_at", "ended_at")
#: The most characters of a cell: anybody may have written a million.
CELL = 1_000


@dataclass(frozen=True)
class Point:
    """One sample of the monitor. Missing figures are None."""

    seconds: float  #: since the run's start
    rows: int | None  #: of the table of xAPI events
    arrived_per_second: float | None  #: since the sample before, of those that ClickHouse answered
    lag_seconds: float | None  #: the age of the newest row, at most since the run's start; 0 once it has drained
    queue: int | None  #: events, messages or tasks that wait in the backend
    drained: bool  #: the run has ended, nothing waits as far as is known, and no more rows came afterwards


@dataclass(frozen=True)
class Figures:
    """One run in numbers. Unknown figures are None."""

    duration_seconds: float | None
    sent_per_second: float | None
    events_arrived: int | None  #: new rows from the first sample to the last
    arrived_per_second: float | None  #: until no more came
    greatest_lag_seconds: float | None
    mean_lag_seconds: float | None
    longest_queue: int | None
    drained_after_seconds: float | None  #: from the run's end to the first sample that is drained


@dataclass(frozen=True)
class Report:
    """A run, its samples and its figures; ``missing`` says in words what its records lack."""

    run: Run
    backend: str | None
    points: Sequence[Point]
    figures: Figures
    missing: Sequence[str]

    def as_data(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            **about(self.run),
            "backend": self.backend,
            **asdict(self.figures),
            "missing": self.missing,
            "samples": [asdict(point) for point in self.points],
        }


def about(run: Run) -> dict[str, Any]:
    """A run without its samples, for JSON."""
    return {name: getattr(run, name) for name in ABOUT} | {"events_sent": run.sent_event_count}


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"


def _whole(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _decimal(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}"


#: The table of figures: the heading of each row, and its cell for a run.
ROWS: Sequence[tuple[str, Callable[[Report], str]]] = (
    ("tags", lambda report: ", ".join(report.run.tags) or UNKNOWN),
    ("backend", lambda report: report.backend or UNKNOWN),
    ("started (UTC)", lambda report: _moment(report.run.started_at)),
    ("course", lambda report: report.run.course_id),
    ("users", lambda report: _whole(report.run.num_users)),
    ("duration, s", lambda report: _whole(report.figures.duration_seconds)),
    ("events sent", lambda report: _whole(report.run.sent_event_count)),
    ("sent per second", lambda report: _decimal(report.figures.sent_per_second)),
    ("events arrived", lambda report: _whole(report.figures.events_arrived)),
    ("arrived per second", lambda report: _decimal(report.figures.arrived_per_second)),
    ("greatest lag, s", lambda report: _decimal(report.figures.greatest_lag_seconds)),
    ("mean lag, s", lambda report: _decimal(report.figures.mean_lag_seconds)),
    ("longest queue", lambda report: _whole(report.figures.longest_queue)),
    ("drained after, s", lambda report: _whole(report.figures.drained_after_seconds)),
)


def table(reports: Sequence[Report]) -> list[list[str]]:
    """The figures with the runs as columns; the first row holds the run ids, the first column the headings."""
    return [
        ["run", *(excerpt(report.run.run_id, CELL) for report in reports)],
        *([heading, *(excerpt(cell(report), CELL) for report in reports)] for heading, cell in ROWS),
    ]


def listing(runs: Sequence[Run]) -> list[list[str]]:
    """Runs as the rows of a table with headings."""
    rows = [["run", "started (UTC)", "users", "events sent", "tags"]]
    for run in runs:
        numbers = _whole(run.num_users), _whole(run.sent_event_count)
        tags = excerpt(", ".join(run.tags), CELL)
        rows.append([excerpt(run.run_id, CELL), _moment(run.started_at), *numbers, tags])
    return rows


def make_report(run: Run) -> Report:
    """The report of a run, whatever its records lack."""
    backend = next((name for sample in run.stats for name in sample.stats if name != CLICKHOUSE), None)
    duration = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    points = list(_points(run, backend, duration))
    figures = _figures(run, duration, points)
    return Report(run, backend, points, figures, [*run.left_out, *_missing(backend, points, figures)])


def _points(run: Run, backend: str | None, duration: float | None) -> Iterator[Point]:
    counts = [_number(sample.stats, CLICKHOUSE, "total_rows") for sample in run.stats]
    last = next((rows for rows in reversed(counts) if rows is not None), None)
    before: tuple[float, float] | None = None
    for sample, rows in zip(run.stats, counts, strict=True):
        seconds = (sample.at - run.started_at).total_seconds()
        rate = None
        if rows is not None:
            if before and seconds > before[0]:
                # Rows become fewer when ClickHouse merges those that are equal, or an operator deletes some.
                rate = max(0.0, rows - before[1]) / (seconds - before[0])
            before = seconds, rows
        age = _number(sample.stats, CLICKHOUSE, "lag_seconds")
        queue = _number(sample.stats, backend, "lag")
        ended = duration is not None and seconds >= duration
        # Since its start, Vector may have sent more events than it received.
        drained = ended and rows is not None and rows == last and (queue is None or queue <= 0)
        yield Point(
            seconds,
            None if rows is None else int(rows),
            rate,
            # Neither events before the run nor the silence after it measure the run.
            None if age is None else 0.0 if drained else max(0.0, min(age, seconds)),
            None if queue is None else max(0, int(queue)),
            drained,
        )


def _number(stats: Mapping[str, Any], section: str | None, name: str) -> float | None:
    """A number of a section; None if the section did not answer when the sample was taken."""
    figures = stats.get(section or "")
    value = figures.get(name) if isinstance(figures, Mapping) else None
    return value if is_number(value) else None


def _figures(run: Run, duration: float | None, points: Sequence[Point]) -> Figures:
    sent = run.sent_event_count
    counted = [(point.seconds, point.rows) for point in points if point.rows is not None]
    growth = [(at, rows - before) for (_, before), (at, rows) in pairwise(counted) if rows > before]
    arrived = sum(rows for _at, rows in growth) if len(counted) > 1 else None
    arriving = growth[-1][0] - counted[0][0] if growth else 0.0
    lags = [point.lag_seconds for point in points if point.lag_seconds is not None]
    # Without a backend's figures, events on their way are unknown.
    drained = [point.seconds for point in points if point.drained and point.queue is not None]
    queues = [point.queue for point in points if point.queue is not None]
    return Figures(
        duration_seconds=duration,
        sent_per_second=sent / duration if sent is not None and duration else None,
        events_arrived=arrived,
        arrived_per_second=arrived / arriving if arrived is not None and arriving else None,
        greatest_lag_seconds=max(lags, default=None),
        mean_lag_seconds=sum(lags) / len(lags) if lags else None,
        longest_queue=max(queues, default=None),
        drained_after_seconds=None if duration is None or not drained else drained[0] - duration,
    )


def _missing(backend: str | None, points: Sequence[Point], figures: Figures) -> Iterator[str]:
    if figures.duration_seconds is None:
        yield "No end is recorded: the load test is still running, or was killed."
    if not points:
        yield "There are no samples: monitor_load_test_tracking did not run beside it."
        return
    if len(points) == 1:
        yield "There is one sample only, which tells nothing about what arrived."
    elif points[0].seconds > LATE_SECS:
        yield f"The first sample was taken {points[0].seconds:,.0f} s after the start: what came before does not count."
    for name, values in ((CLICKHOUSE, [point.rows for point in points]), (backend, [point.queue for point in points])):
        absent = values.count(None)
        if name is None:
            yield "No sample holds figures of a backend."
        elif absent:
            yield f"{absent} of {len(points)} samples lack the figures of {name}, which did not answer."
    if figures.duration_seconds is not None and figures.drained_after_seconds is None:
        yield "The queue had not drained when the last sample was taken, or nobody looked after the end."
