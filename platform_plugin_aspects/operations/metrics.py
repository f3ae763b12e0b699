"""The figures of delivery and of the reports in the text format that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from platform_plugin_aspects.operations.reports import reports_status
from platform_plugin_aspects.operations.status import SinkStatus, sink_statuses
from platform_plugin_aspects.reporting.state import Status

Family = type[GaugeMetricFamily] | type[CounterMetricFamily]


#: Kind, name, help and value of each metric; a sink without a value has no sample.
METRICS: tuple[tuple[Family, str, str, Callable[[SinkStatus, datetime], float | None]], ...] = (
    (
        GaugeMetricFamily,
        "aspects_sink_enabled",
        "1 where the sink is on in the service that answers, else 0.",
        lambda status, _now: status.enabled,
    ),
    (
        GaugeMetricFamily,
        "aspects_pending_changes",
        "Changes that are to be delivered, without those of failing objects.",
        lambda status, _now: status.pending,
    ),
    (
        GaugeMetricFamily,
        "aspects_oldest_pending_seconds",
        "Age of the oldest of the pending changes; 0 without any.",
        lambda status, now: (now - (status.oldest_pending_at or now)).total_seconds(),
    ),
    (
        GaugeMetricFamily,
        "aspects_pending_limit",
        "Pending changes of the sink that are many: more are a problem of aspects_check; only for learning events.",
        lambda status, _now: status.pending_limit,
    ),
    (
        GaugeMetricFamily,
        "aspects_failing_objects",
        "Objects that could not be written and wait for another attempt.",
        lambda status, _now: status.failing_objects,
    ),
    (
        GaugeMetricFamily,
        "aspects_delivery_failures",
        "Deliveries that failed since the last success because ClickHouse is away or wrongly set up.",
        lambda status, _now: status.failures,
    ),
    (
        CounterMetricFamily,
        "aspects_objects_delivered",
        "Objects that deliveries wrote or deleted; a backfill's are not counted.",
        lambda status, _now: status.objects_delivered,
    ),
    (
        GaugeMetricFamily,
        "aspects_last_success_timestamp_seconds",
        "When a delivery last succeeded, failing objects aside, as Unix time; missing where none did.",
        lambda status, _now: status.last_success_at.timestamp() if status.last_success_at else None,
    ),
)


#: Name and help of the metric that has the reason and the event's name as labels, too.
REASONS = (
    "aspects_failing_events",
    "Learning events that could not be written, by the most frequent reasons and names.",
)

#: Name and help of the metrics of reports, which have other labels than a sink's. Only while reports are on.
REPORTS_UP = ("aspects_reports_up", "1 where ClickHouse says how the reports are, else 0. Only while they are on.")
RELATIONS = ("aspects_reports_relations", "Relations of the reports by their state. Only while reports are on.")
BEGUN = ("aspects_reports_rebuilds_begun", "Relations with a rebuild that has begun and not ended.")
REPORT_METRICS = (REPORTS_UP, RELATIONS, BEGUN)
#: The values of the label ``state``.
STATES = {Status.CURRENT: "current", Status.MISSING: "missing", Status.OLDER: "older", Status.UNFED: "unfed"}


class ReportsCollector(Collector):
    """Asks ClickHouse at each scrape, unless reports are off."""

    def collect(self) -> Iterator[Metric]:
        """The metrics; those of the relations are missing where ClickHouse does not answer."""
        found = reports_status()
        if found is None:
            return
        yield GaugeMetricFamily(*REPORTS_UP, value=not found.error)
        if found.error:
            return
        relations = GaugeMetricFamily(*RELATIONS, labels=["state"])
        for status, state in STATES.items():
            relations.add_metric([state], len(found.relations.get(status, ())))
        yield relations
        yield GaugeMetricFamily(*BEGUN, value=len(found.begun))


class DeliveryCollector(Collector):
    """Asks the platform's database at each scrape, so that it does not matter which process answers."""

    def collect(self) -> Iterator[Metric]:
        """The metrics, with the sink's name as a label."""
        statuses, now = sink_statuses(show=0), timezone.now()
        for kind, name, text, value_of in METRICS:
            family = kind(name, text, labels=["sink"])
            for status in statuses:
                value = value_of(status, now)
                if value is not None:
                    family.add_metric([status.sink], value)
            yield family
        failing = GaugeMetricFamily(*REASONS, labels=["sink", "reason", "name"])
        for status in statuses:
            for each in status.reasons:
                failing.add_metric([status.sink, each.reason, each.name], each.number)
        yield failing


def exposition() -> bytes:
    """The text of a scrape, as ``prometheus_client.CONTENT_TYPE_LATEST``. Raises database errors."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DeliveryCollector())
    registry.register(ReportsCollector())
    return generate_latest(registry)
