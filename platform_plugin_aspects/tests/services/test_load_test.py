"""A load test from its first event to the report, through real queues and workers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import requests
from cms.celery import APP
from django.core.management import call_command
from openedx_events.learning.signals import COURSE_ENROLLMENT_CHANGED

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.load_test import runs
from test_utils.processes import ADMIN, Process, until
from test_utils.services import tracking

from .conftest import Site

pytestmark = pytest.mark.services

EVENTS = 500
PATIENCE_SECS = 120
TABLES = (
    "CREATE DATABASE IF NOT EXISTS xapi",
    "CREATE OR REPLACE TABLE xapi.xapi_events_all (event_id UUID, emission_time DateTime64(6), event String) "
    "ENGINE = ReplacingMergeTree ORDER BY (emission_time, event_id)",
)


class Monitor(Process):
    """monitor_load_test_tracking as an operator starts it."""

    def __init__(self, site: Site):
        command = [sys.executable, "manage.py", "cms", "monitor_load_test_tracking"]
        super().__init__("monitor", site.servers.folder, [*command, "--backend", "celery", "--sleep_time", "2"])

    def is_ready(self) -> bool:
        return "waiting for a load test to start" in self.output()

    @property
    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


@pytest.fixture
def monitor(site: Site) -> Iterator[Monitor]:
    for statement in TABLES:
        requests.post(site.clickhouse.url, statement, auth=ADMIN, timeout=30).raise_for_status()
    monitor = Monitor(site)
    yield monitor
    monitor.kill()


class Tracker:
    """Tracks all enrollments, and sees to it that the monitor finds those of the run in the queue and nothing else."""

    def __init__(self, site: Site):
        self.queue = site.settings.CELERY_TASK_DEFAULT_QUEUE
        self.clickhouse = site.clickhouse
        self.tracked = 0

    def track(self, enrollment: Any, **kwargs: Any) -> None:
        if self.tracked == 1:
            # From here on, workers look on.
            order("cancel_consumer", self.queue)
        tracking.track(enrollment, **kwargs)
        self.tracked += 1
        if self.tracked == 1:
            # The instructor's enrollment comes before the run, and the monitor is to see that.
            until(lambda: arrived() == 1, PATIENCE_SECS, "the first event has arrived")
            self.clickhouse.clear()
            until(lambda: self.looks() >= 2, PATIENCE_SECS, "the monitor has looked twice")

    def looks(self) -> int:
        return sum("emission_time" in request["statement"] for request in self.clickhouse.requests())


def order(what: str, queue: str) -> None:
    """Have the workers do something about a queue, and wait until both did."""
    # Not by a connection that is kept: it may lead to a broker that was killed since.
    with APP.connection_for_write() as broker:
        getattr(APP.control, what)(queue, connection=broker, reply=True, limit=2, timeout=PATIENCE_SECS)


def arrived() -> int:
    return tracking.xapi().select("SELECT count() FROM xapi.xapi_events_all")[0][0]


def samples() -> list[runs.Sample]:
    """Those of the last run."""
    client = get_client(Connection.from_settings())
    run = runs.load(client, runs.latest(client, 1)[0].run_id)
    return list(run.stats) if run else []


def test_a_load_test_of_500_events_is_reported_as_it_was(site: Site, monitor: Monitor, tmp_path: Path) -> None:
    queue = site.settings.CELERY_TASK_DEFAULT_QUEUE
    site.start_workers(window=2, sweep=0, CELERY_IMPORTS=[tracking.__name__])
    monitor.start()
    tracker = Tracker(site)
    COURSE_ENROLLMENT_CHANGED.connect(tracker.track)
    out = StringIO()
    try:
        options = {"num_users": 20, "num_events": EVENTS, "sleep_time": 0, "tags": ["celery", "2 workers"]}
        call_command("load_test_tracking_events", yes=True, stdout=out, **options)
    finally:
        COURSE_ENROLLMENT_CHANGED.disconnect(tracker.track)
    assert tracker.tracked == EVENTS + 1

    def waiting() -> int:
        return max(sample.stats["celery"]["cms_queue_length"] for sample in samples())

    until(lambda: waiting() >= EVENTS, PATIENCE_SECS, "the monitor has seen the queue", site.state)
    order("add_consumer", queue)
    until(lambda: monitor.ended, PATIENCE_SECS, "the monitor has seen all of it", monitor.tail)
    assert monitor.process is not None
    assert monitor.process.returncode == 0, monitor.tail()
    assert "the run has ended, and nothing is on its way" in monitor.output()

    run_id = out.getvalue().split()[1].rstrip(":")
    page = tmp_path / "report.html"
    printed = StringIO()
    call_command("aspects_load_test_report", run_id, json=True, html=page, stdout=printed)
    (report,) = json.loads(printed.getvalue())
    assert (report["events_sent"], report["events_arrived"]) == (EVENTS, EVENTS)
    assert arrived() == EVENTS + 1
    assert (report["num_users"], report["tags"], report["backend"]) == (20, ["celery", "2 workers"], "celery")
    assert report["sent_per_second"] == EVENTS / report["duration_seconds"]
    # The events, and the deliveries of sinks, one per sink and window.
    assert EVENTS <= report["longest_queue"] < 2 * EVENTS
    assert report["drained_after_seconds"] > 0
    assert [sample["queue"] for sample in report["samples"]][-1] == 0
    assert run_id in page.read_text()
    site.wait_until_delivered()
    site.assert_equal()
