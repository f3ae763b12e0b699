"""The backends of a load test on a real Redis and on librdkafka's own Kafka cluster; the monitor as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from cms.celery import APP
from confluent_kafka import Consumer, Producer

from platform_plugin_aspects.clickhouse.client import ClickHouse, get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.load_test import runs
from platform_plugin_aspects.load_test.backends import BackendError
from platform_plugin_aspects.load_test.backends.celery_queues import Celery
from platform_plugin_aspects.load_test.backends.event_buses import KafkaBus, RedisBus
from test_utils.processes import Process, until
from test_utils.services.servers import Servers

from .conftest import PATIENCE_SECS, Site

pytestmark = pytest.mark.services

GROUP = "event_routing_backends"


# Celery on Redis


@pytest.fixture
def broker(servers: Servers) -> Iterator[Servers]:
    """The broker, with empty queues and without workers."""
    servers.broker.clear()
    yield servers
    if servers.broker.process is None:
        servers.broker.start()
    servers.broker.clear()


def send(service: str, number: int, **options: Any) -> None:
    for _ in range(number):
        APP.send_task("tracking.event", queue=f"edx.{service}.core.default", **options)


def test_tasks_of_all_priorities_count(broker: Servers) -> None:
    celery = Celery(lms_queue=None, cms_queue=None)
    assert celery.sample() == {"lms_queue_length": 0, "cms_queue_length": 0, "lag": 0}
    send("lms", 2)
    send("lms", 3, priority=9)
    send("cms", 1, priority=4)
    with redis.Redis.from_url(broker.broker.url) as client:
        # Each priority has a list of its own.
        assert client.llen("edx.lms.core.default") == 2
    assert celery.sample() == {"lms_queue_length": 5, "cms_queue_length": 1, "lag": 6}


def test_a_broker_that_goes_away_and_comes_back(broker: Servers) -> None:
    celery = Celery(lms_queue=None, cms_queue=None)
    celery.sample()
    broker.broker.kill()
    with pytest.raises(BackendError, match=r"^Celery's broker did not answer"):
        celery.sample()
    broker.broker.start()
    assert celery.sample()["lag"] == 0


# Redis streams


@pytest.fixture
def stream(servers: Servers, settings: Any) -> Iterator[redis.Redis]:
    """The Redis of the event bus, empty."""
    settings.EVENT_BUS_REDIS_CONNECTION_URL = servers.cache.url
    settings.EVENT_BUS_TOPIC_PREFIX = "dev"
    servers.cache.clear()
    with redis.Redis.from_url(servers.cache.url, decode_responses=True) as client:
        yield client
    servers.cache.clear()


def produce(stream: redis.Redis, number: int) -> None:
    for _ in range(number):
        stream.xadd("dev-analytics", {"event": "{}"})


def read(stream: redis.Redis, number: int) -> list[str]:
    """Read as a consumer of the group; the ids, which are still to be acknowledged."""
    ((_name, entries),) = stream.xreadgroup(GROUP, "consumer", {"dev-analytics": ">"}, count=number)
    return [entry for entry, _fields in entries]


def test_a_stream_from_its_first_event_to_the_last(stream: redis.Redis) -> None:
    bus = RedisBus("analytics", GROUP)
    assert bus.sample() == {"total_events": 0, "lag": 0}
    produce(stream, 5)
    # As edx-event-bus-redis does when it starts: what was there before is not for it.
    stream.xgroup_create("dev-analytics", GROUP, id="0")
    assert bus.sample() == {"total_events": 5, "lag": 5}
    stream.xgroup_setid("dev-analytics", GROUP, "$")
    assert bus.sample() == {"total_events": 5, "lag": 0}
    produce(stream, 4)
    # Redis itself does not know the lag in this state.
    assert stream.xinfo_groups("dev-analytics")[0]["lag"] is None
    assert bus.sample() == {"total_events": 9, "lag": 4}
    first, second, third = read(stream, 3)
    assert bus.sample()["lag"] == 4
    stream.xack("dev-analytics", GROUP, first, second)
    assert bus.sample()["lag"] == 2
    stream.xack("dev-analytics", GROUP, third, *read(stream, 1))
    assert bus.sample() == {"total_events": 9, "lag": 0}


def test_a_stream_of_another_group(stream: redis.Redis) -> None:
    produce(stream, 1)
    with pytest.raises(BackendError, match=r"^There is no consumer group of dev-analytics '.*'; there is: none$"):
        RedisBus("analytics", GROUP).sample()
    stream.xgroup_create("dev-analytics", "other")
    with pytest.raises(BackendError, match=r"; there is: other$"):
        RedisBus("analytics", GROUP).sample()


def test_a_key_that_is_no_stream(stream: redis.Redis) -> None:
    stream.set("dev-analytics", "text")
    with pytest.raises(BackendError, match=r"^Redis did not answer \(ResponseError\): WRONGTYPE"):
        RedisBus("analytics", GROUP).sample()


# Kafka


@pytest.fixture
def producer(settings: Any) -> Producer:
    """A producer with a cluster of three brokers inside, which others can talk to as well."""
    producer = Producer({"bootstrap.servers": "replaced", "test.mock.num.brokers": 3, "log_level": 0})
    brokers = producer.list_topics(timeout=PATIENCE_SECS).brokers.values()
    settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    settings.EVENT_BUS_TOPIC_PREFIX = "dev"
    return producer


def publish(producer: Producer, *numbers: int) -> None:
    """So many events into each partition."""
    for partition, number in enumerate(numbers):
        for _ in range(number):
            producer.produce("dev-analytics", b"{}", partition=partition)
    assert producer.flush(PATIENCE_SECS) == 0


@pytest.fixture
def consumer(producer: Producer, settings: Any) -> Iterator[Consumer]:
    """One of the group."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS,
            "group.id": GROUP,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    yield consumer
    consumer.close()


def consume(consumer: Consumer, number: int) -> list[int]:
    """Consume so many events and commit each, as edx-event-bus-kafka does; the partitions they came from."""
    found = []
    for _ in range(number):
        message = consumer.poll(PATIENCE_SECS)
        assert message is not None, "no event comes"
        assert message.error() is None, message.error()
        consumer.commit(message=message, asynchronous=False)
        found.append(message.partition())
    return found


def test_a_topic_from_its_first_event_to_the_last(producer: Producer, consumer: Consumer) -> None:
    bus = KafkaBus("analytics", GROUP)
    numbers = [3, 0, 2, 1]
    publish(producer, *numbers)
    # Nothing is committed yet.
    assert bus.sample() == {
        "topic": "dev-analytics",
        "partitions": [{"partition": partition, "lag": lag} for partition, lag in enumerate(numbers)],
        "lag": 6,
    }
    consumer.subscribe(["dev-analytics"])
    for partition in consume(consumer, 4):
        numbers[partition] -= 1
    found = bus.sample()
    assert [partition["lag"] for partition in found["partitions"]] == numbers
    assert found["lag"] == 2
    consume(consumer, 2)
    assert bus.sample()["lag"] == 0
    # To ask is not to take part: the consumer still gets what comes.
    publish(producer, 1)
    assert consume(consumer, 1) == [0]


def test_a_topic_that_is_not_there(producer: Producer) -> None:
    with pytest.raises(BackendError, match=r"^Kafka cannot show the topic dev-other: .*[Uu]nknown topic"):
        KafkaBus("other", GROUP).sample()


def test_kafka_that_is_not_there(settings: Any) -> None:
    settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    with pytest.raises(BackendError, match=r"^Kafka did not answer: .*transport failure"):
        KafkaBus("analytics", GROUP).sample()


# The command


class MonitorProcess(Process):
    """monitor_load_test_tracking on the site's Celery, ready when it waits for a load test."""

    def __init__(self, folder: Path):
        # A shell that runs the suite in the background has it ignore SIGINT, and so would the command.
        command = ["env", "--default-signal=INT", sys.executable, "manage.py", "cms", "monitor_load_test_tracking"]
        options = ["--backend", "celery", "--sleep_time", "1"]
        super().__init__("monitor", folder, command + options, {"PYTHONUNBUFFERED": "1"})

    def is_ready(self) -> bool:
        return "waiting for a load test to start" in self.output()

    def samples(self) -> int:
        return self.output().count("lms_queue_length")

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(PATIENCE_SECS)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.tail()) from None


@pytest.fixture
def monitor(site: Site, broker: Servers, xapi_events: ClickHouse) -> Iterator[MonitorProcess]:
    """The command, with no load test in the last minute."""
    xapi_events.command(f"TRUNCATE TABLE {xapi_events.qualified('load_test_runs')}")
    process = MonitorProcess(site.servers.folder)
    yield process
    process.kill()


def start_run(run_id: str) -> ClickHouse:
    client = get_client(Connection.from_settings())
    runs.start(client, run_id, tags=[], course_id="course-v1:Org+Course+run", num_users=1, username_prefix="lt_")
    return client


def test_the_queue_of_a_load_test_is_watched_until_it_is_empty(monitor: MonitorProcess, site: Site) -> None:
    monitor.start()
    send("lms", 3)
    client = start_run("watched")
    until(lambda: monitor.samples() >= 2, PATIENCE_SECS, "two samples", monitor.tail)
    runs.end(client, "watched", 3)
    seen = monitor.samples()
    until(lambda: monitor.samples() >= seen + 2, PATIENCE_SECS, "it goes on", monitor.tail)
    site.broker.clear()
    assert monitor.wait() == 0, monitor.tail()
    run = runs.load(client, "watched")
    assert run is not None
    lengths = [sample.stats["celery"]["lms_queue_length"] for sample in run.stats]
    assert lengths[-2:] == [0, 0]
    assert 3 in lengths
    assert all(list(sample.stats) == ["clickhouse", "celery"] for sample in run.stats)
    # The first is of the moment before the start.
    assert run.stats[0].at == run.started_at
    assert monitor.output().endswith(f"{len(run.stats)} samples stored\n")


def test_ctrl_c_ends_it_with_what_it_has(monitor: MonitorProcess) -> None:
    monitor.start()
    client = start_run("interrupted")
    until(lambda: monitor.samples() >= 2, PATIENCE_SECS, "two samples", monitor.tail)
    assert monitor.process is not None
    os.kill(monitor.process.pid, signal.SIGINT)
    assert monitor.wait() == 0, monitor.tail()
    run = runs.load(client, "interrupted")
    assert run is not None
    assert monitor.output().endswith(f"stopped; {len(run.stats)} samples stored\n")
    assert "Traceback" not in monitor.output()


def test_ctrl_c_while_it_waits(monitor: MonitorProcess) -> None:
    monitor.start()
    assert monitor.process is not None
    os.kill(monitor.process.pid, signal.SIGINT)
    assert monitor.wait() == 0, monitor.tail()
    assert "Traceback" not in monitor.output()
