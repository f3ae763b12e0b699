"""The runs of load tests as ClickHouse keeps them: their start, their end, and what monitors measured in between.

In ``runs_table`` a run has a row "start" whose ``extra`` is JSON with tags, course_id, num_users and username_prefix,
and, once it has ended, a row "end" with sent_event_count. Each row of ``stats_table`` is what a monitor measured at one
moment, as JSON. All times are of ClickHouse's clock, and kept in whole seconds.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.clickhouse.errors import Unavailable
from platform_plugin_aspects.load_test.records import BadRow, excerpt, read_end, read_sample, read_start

log = logging.getLogger(__name__)

START, END = "start", "end"
#: The section of a sample with ClickHouse's figures.
CLICKHOUSE = "clickhouse"
#: When a row was written, and its ``extra``.
_Event = tuple[datetime, str]
#: The most bad samples of a run that are named.
MOST_NAMED = 3
#: Seconds after its start in which a run is one that a monitor waits for.
RECENT_SECS = 60
#: Seconds to wait for a ClickHouse that is away when a run ends, one after the other.
END_WAITS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Sample:
    """One measurement of a monitor: ``{"clickhouse": {...}, "<backend>": {...}}``."""

    at: datetime
    stats: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A load test. ``ended_at`` and ``sent_event_count`` are None while it runs, or if its end was not recorded."""

    run_id: str
    tags: Sequence[str]
    course_id: str
    num_users: int
    username_prefix: str
    started_at: datetime
    ended_at: datetime | None = None
    sent_event_count: int | None = None
    stats: Sequence[Sample] = ()
    #: Why rows of this run are left out, in words. Somebody else must have written them.
    left_out: Sequence[str] = ()


def check(client: ClickHouse) -> None:
    """Raise a Failure unless runs and samples can be recorded; writes nothing."""
    for name in (client.connection.runs_table, client.connection.stats_table):
        table = client.qualified(name)
        client.command(f"INSERT INTO {table} SELECT * FROM {table} WHERE 0")


def start(
    client: ClickHouse, run_id: str, *, tags: Sequence[str], course_id: str, num_users: int, username_prefix: str
) -> None:
    """Record that a run starts."""
    extra = {"tags": tags, "course_id": course_id, "num_users": num_users, "username_prefix": username_prefix}
    _append(client, client.connection.runs_table, run_id, event_type=START, extra=json.dumps(extra))


def end(
    client: ClickHouse,
    run_id: str,
    sent_event_count: int,
    at: datetime | None = None,
    tell: Callable[[str], object] = log.warning,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Record that a run has ended at that moment of ClickHouse's clock, by default now.

    While ClickHouse is away, this retries for half a minute, and passes each failure to ``tell``.
    """
    extra = _end_extra(sent_event_count)
    for wait in (*END_WAITS, None):
        try:
            return _append(client, client.connection.runs_table, run_id, at, event_type=END, extra=extra)
        except Unavailable as error:
            if wait is None:
                raise
            tell(f"{error}; trying again in {wait} s")
            sleep(wait)


def _end_extra(sent_event_count: int) -> str:
    return json.dumps({"sent_event_count": sent_event_count})


def end_statement(client: ClickHouse, run_id: str, sent_event_count: int, at: datetime) -> str:
    """The statement for an operator to run if ``end`` failed."""
    return (
        f"INSERT INTO {client.qualified(client.connection.runs_table)} (run_id, timestamp, event_type, extra) "
        f"VALUES ('{run_id}', {int(at.timestamp())}, '{END}', '{_end_extra(sent_event_count)}')"
    )


def add_sample(client: ClickHouse, run_id: str, stats: Mapping[str, Any], at: datetime | None = None) -> None:
    """Record what a monitor measured at that moment of ClickHouse's clock, by default now."""
    _append(client, client.connection.stats_table, run_id, at, stats=json.dumps(stats))


def latest_start(client: ClickHouse, within_secs: int = RECENT_SECS) -> Run | None:
    """The run that was started last, if that was in the last ``within_secs`` seconds; it may have ended already.

    Without its samples.
    """
    recent = "timestamp BETWEEN now() - {secs:UInt32} AND now() + {secs:UInt32}"
    found = _runs(client, f"event_type = 'start' AND {recent}", 1, {"secs": within_secs})
    return next(iter(found), None)


def latest(client: ClickHouse, limit: int) -> list[Run]:
    """The runs that were started last, the newest first, without their samples."""
    return _runs(client, "event_type = 'start'", limit)


def has_ended(client: ClickHouse, run_id: str) -> bool:
    """Whether the run's end is recorded."""
    table = client.qualified(client.connection.runs_table)
    sql = f"SELECT count() FROM {table} WHERE run_id = {{run_id:String}} AND event_type = 'end'"
    return bool(client.select(sql, {"run_id": run_id})[0][0])


def load(client: ClickHouse, run_id: str) -> Run | None:
    """The run with its samples in the order of time; None when none of this id was started."""
    found = _runs(client, "run_id = {run_id:String}", 1, {"run_id": run_id})
    if not found:
        return None
    sql = (
        f"SELECT toUnixTimestamp(timestamp), stats FROM {client.qualified(client.connection.stats_table)} "
        "WHERE run_id = {run_id:String} ORDER BY timestamp"
    )
    return with_samples(found[0], client.connection.stats_table, client.select(sql, {"run_id": run_id}))


def clock(client: ClickHouse) -> datetime:
    """The time by ClickHouse's clock."""
    return _moment(client.select("SELECT toUnixTimestamp64Micro(now64(6))")[0][0] / 1e6)


def _append(client: ClickHouse, table: str, run_id: str, at: datetime | None = None, **values: str) -> None:
    """Add a row of that moment, by default now, but a second or more after the run's last one.

    These tables are ReplacingMergeTrees ordered by run and second: of two rows of one second only one would stay.
    """
    wanted = "now()" if at is None else f"toDateTime({int(at.timestamp())})"
    sql = (
        f"SELECT toUnixTimestamp(greatest({wanted}, max(timestamp) + 1)) FROM {client.qualified(table)} "
        "WHERE run_id = {run_id:String}"
    )
    moment = _moment(client.select(sql, {"run_id": run_id})[0][0])
    columns = [("run_id", "String"), ("timestamp", "DateTime"), *((name, "String") for name in values)]
    client.insert(table, columns, [[run_id], [moment], *([value] for value in values.values())])


def _runs(client: ClickHouse, condition: str, limit: int, parameters: Mapping[str, Any] | None = None) -> list[Run]:
    """The runs that have a row for which the condition holds, those started last first."""
    table = client.qualified(client.connection.runs_table)
    sql = (
        f"SELECT run_id, event_type, toUnixTimestamp(timestamp), extra FROM {table} WHERE run_id IN "
        f"(SELECT run_id FROM {table} WHERE {condition} GROUP BY run_id ORDER BY max(timestamp) DESC LIMIT {limit:d}) "
        "ORDER BY timestamp DESC"
    )
    return read_runs(client.connection.runs_table, client.select(sql, parameters))


def read_runs(table: str, rows: Iterable[Sequence[Any]]) -> list[Run]:
    """The runs in these rows (run_id, event_type, Unix time, extra), those started last first, without samples."""
    events: dict[str, dict[str, _Event]] = {}
    for run_id, event_type, seconds, extra in rows:
        events.setdefault(run_id, {})[event_type] = (_moment(seconds), extra)
    runs = [_run(table, run_id, of_run) for run_id, of_run in events.items() if START in of_run]
    return sorted(runs, key=lambda run: run.started_at, reverse=True)


def with_samples(run: Run, table: str, rows: Iterable[Sequence[Any]]) -> Run:
    """The run with the samples in these rows (Unix time, stats)."""
    samples, bad = [], []
    for seconds, stats in rows:
        try:
            _require_after(run.started_at, _moment(seconds))
            samples.append(Sample(_moment(seconds), read_sample(stats)))
        except BadRow as error:
            bad.append(_left_out(table, run.run_id, _moment(seconds), error))
    if len(bad) > MOST_NAMED:
        bad[MOST_NAMED:] = [f"{table}: {len(bad) - MOST_NAMED} more rows are left out"]
    return replace(run, stats=samples, left_out=(*run.left_out, *bad))


def _run(table: str, run_id: str, events: Mapping[str, _Event]) -> Run:
    """A run counts even if its row "start" is bad; a bad row "end" does not count."""
    left_out = []
    started_at, extra = events[START]
    try:
        about = read_start(extra)
    except BadRow as error:
        about = read_start("{}")
        left_out.append(_left_out(table, run_id, started_at, error))
    ended_at, sent = None, None
    if END in events:
        moment, extra = events[END]
        try:
            _require_after(started_at, moment)
            sent = read_end(extra)
            ended_at = moment
        except BadRow as error:
            left_out.append(_left_out(table, run_id, moment, error))
    return Run(
        run_id=run_id,
        started_at=started_at,
        ended_at=ended_at,
        sent_event_count=sent,
        left_out=tuple(left_out),
        **about,
    )


def _require_after(start: datetime, moment: datetime) -> None:
    if moment < start:
        raise BadRow("its time is before the start of the run")


def _left_out(table: str, run_id: str, moment: datetime, why: BadRow) -> str:
    return f"{table}, run {excerpt(run_id, 100)}, {moment:%Y-%m-%d %H:%M:%S}: the row is left out: {why}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
