"""Load tests as they might have been, simulated second by second."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.load_test.runs import Run, Sample

STARTED = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
#: Rows of other events that were there before.
ROWS_BEFORE = 120_000


def simulated(
    run_id: str = "one",
    *,
    backend: str = "celery",
    tags: Sequence[str] = (),
    sent_per_second: int = 10,
    taken_per_second: int = 7,
    duration: int = 200,
    every: int = 10,
    away: Mapping[str, range] | None = None,
) -> Run:
    """A run whose backend hands on fewer events per second than are sent, sampled until it has drained.

    ``away``: {section: seconds in which it does not answer}.
    """
    sent = arrived = 0
    stats = []
    for second in count():
        if second % every == 0:
            newest = arrived / sent_per_second
            sections: dict[str, Any] = {
                "clickhouse": {
                    "total_rows": ROWS_BEFORE + arrived,
                    "most_recent_event": (STARTED + timedelta(seconds=newest)).isoformat(),
                    "lag_seconds": second - newest,
                },
                backend: {"lag": sent - arrived},
            }
            for section, seconds in (away or {}).items():
                if second in seconds:
                    del sections[section]
            stats.append(Sample(STARTED + timedelta(seconds=second), sections))
            if second >= duration and sent == arrived:
                break
        sent += sent_per_second if second < duration else 0
        arrived = min(sent, arrived + taken_per_second)
    return Run(
        run_id=run_id,
        tags=list(tags),
        course_id="course-v1:LoadTest+LT101+2026",
        num_users=10,
        username_prefix="lt_",
        started_at=STARTED,
        ended_at=STARTED + timedelta(seconds=duration),
        sent_event_count=duration * sent_per_second,
        stats=stats,
    )


def record(client: ClickHouse, run: Run) -> None:
    """Write a run with its samples as load_test_tracking_events and monitor_load_test_tracking do."""
    about = {name: getattr(run, name) for name in ("tags", "course_id", "num_users", "username_prefix")}
    events = [(run.started_at, "start", about)]
    if run.ended_at:
        events.append((run.ended_at, "end", {"sent_event_count": run.sent_event_count}))
    times, types, extras = zip(*events, strict=True)
    client.insert(
        "load_test_runs",
        [("run_id", "String"), ("timestamp", "DateTime"), ("event_type", "String"), ("extra", "String")],
        [[run.run_id] * len(events), times, types, list(map(json.dumps, extras))],
    )
    if run.stats:
        client.insert(
            "load_test_stats",
            [("run_id", "String"), ("timestamp", "DateTime"), ("stats", "String")],
            [
                [run.run_id] * len(run.stats),
                [sample.at for sample in run.stats],
                [json.dumps(sample.stats) for sample in run.stats],
            ],
        )
