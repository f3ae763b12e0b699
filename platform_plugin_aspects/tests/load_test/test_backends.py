"""Counts of events on their way, from the backends of a load test. Redis and Kafka: in the suite of services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from platform_plugin_aspects.load_test.backends import BACKENDS, BackendError
from platform_plugin_aspects.load_test.backends.celery_queues import Celery
from platform_plugin_aspects.load_test.backends.event_buses import KafkaBus, RedisBus, optional
from platform_plugin_aspects.load_test.backends.vector import Vector
from platform_plugin_aspects.tests.broker import DEAD_BROKER, Broker, celery_app
from test_utils.properties import examples
from test_utils.vector_endpoint import Component, VectorEndpoint, configured_by_tutor


def test_the_names_that_operators_know() -> None:
    assert list(BACKENDS) == ["redis_bus", "kafka_bus", "celery", "vector"]


def test_what_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(BackendError, match=r'no_such_module is not installed: pip install ".*aspects\[kafka\]"'):
        optional("no_such_module", "kafka")


def test_topics_have_the_prefix_of_the_site(settings: Any) -> None:
    for bus in (RedisBus("analytics", "group"), KafkaBus("analytics", "group")):
        settings.EVENT_BUS_TOPIC_PREFIX = None
        assert bus.full_topic == "analytics"
        settings.EVENT_BUS_TOPIC_PREFIX = "prod"
        assert bus.full_topic == "prod-analytics"


# Celery


def send(queue: str, number: int) -> None:
    for _ in range(number):
        current_app.send_task("tracking.event", queue=queue)


def drain(queue: str) -> None:
    with current_app.connection_for_write() as connection:
        connection.SimpleQueue(queue).clear()


@pytest.fixture
def queues(broker: Broker) -> Iterator[None]:
    """The queues of these tests, which are emptied."""
    yield
    for queue in ("edx.lms.core.default", "other"):
        drain(queue)


def test_the_tasks_in_the_default_queues(queues: None) -> None:
    celery = Celery(lms_queue=None, cms_queue=None)
    assert celery.sample() == {"lms_queue_length": 0, "cms_queue_length": 0, "lag": 0}
    send("edx.lms.core.default", 3)
    send("edx.cms.core.default", 2)
    assert celery.sample() == {"lms_queue_length": 3, "cms_queue_length": 2, "lag": 5}


def test_other_queues(queues: None) -> None:
    send("other", 1)
    assert Celery(lms_queue="other", cms_queue=None).sample() == {
        "lms_queue_length": 1,
        "cms_queue_length": 0,
        "lag": 1,
    }
    with celery_app("memory://") as app:
        # The one that this service is configured for.
        app.conf.task_default_queue = "other"
        assert Celery(lms_queue=None, cms_queue=None).sample() == {
            "lms_queue_length": 0,
            "cms_queue_length": 1,
            "lag": 1,
        }


def test_a_broker_that_is_gone() -> None:
    with celery_app(DEAD_BROKER), pytest.raises(BackendError, match=r"^Celery's broker did not answer .*refused"):
        Celery(lms_queue=None, cms_queue=None).sample()


# Event buses


def test_an_event_bus_that_is_not_configured() -> None:
    with pytest.raises(BackendError, match=r"^EVENT_BUS_REDIS_CONNECTION_URL is not set"):
        RedisBus("analytics", "group").sample()
    with pytest.raises(BackendError, match=r"^EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS is not set"):
        KafkaBus("analytics", "group").configuration()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://:pass@127.0.0.1:1/0", r"^Redis did not answer \(ConnectionError\): .*refused"),
        # Not quoted as it should be: what comes before the slash is taken for a port.
        ("redis://:pass/word@127.0.0.1:1/0", r"^EVENT_BUS_REDIS_CONNECTION_URL is not a redis:// or rediss:// URL$"),
        ("pass", r"^EVENT_BUS_REDIS_CONNECTION_URL is not a redis:// or rediss:// URL$"),
    ],
)
def test_redis_that_does_not_answer(url: str, message: str, settings: Any) -> None:
    settings.EVENT_BUS_REDIS_CONNECTION_URL = url
    with pytest.raises(BackendError, match=message) as caught:
        RedisBus("analytics", "group").sample()
    assert "pass" not in str(caught.value)


def test_kafka_is_configured_as_the_event_bus_is(settings: Any) -> None:
    settings.EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS = "kafka1:9092,kafka2:9092"
    plain = KafkaBus("analytics", "group").configuration()
    assert (plain["bootstrap.servers"], plain["group.id"]) == ("kafka1:9092,kafka2:9092", "group")
    # Nothing that a consumer of the group would do.
    assert plain["enable.auto.commit"] is False
    assert not [name for name in plain if name.startswith(("sasl", "security"))]
    settings.EVENT_BUS_KAFKA_API_KEY = "key"
    assert KafkaBus("analytics", "group").configuration() == plain
    settings.EVENT_BUS_KAFKA_API_SECRET = "secret"
    assert KafkaBus("analytics", "group").configuration() == plain | {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "key",
        "sasl.password": "secret",
    }


# Vector


@pytest.fixture
def vector() -> Iterator[VectorEndpoint]:
    """Vector, without components."""
    with VectorEndpoint() as endpoint:
        yield endpoint


def ask(vector: VectorEndpoint, source: list[str] | None = None, sink: list[str] | None = None) -> dict[str, Any]:
    return Vector(vector.graphql_url, source, sink).sample()


def fails(vector: VectorEndpoint, **options: Any) -> str:
    with pytest.raises(BackendError) as caught:
        ask(vector, **options)
    return str(caught.value)


def test_what_came_to_sinks_and_what_they_sent(vector: VectorEndpoint) -> None:
    assert ask(vector) == {"events_received": 0, "events_sent": 0, "lag": 0}
    # The order is Vector's own; and what is beyond the first ten counts too.
    vector.components = {
        **{f"remap{number}": Component("Transform", received=7, sent=7) for number in range(10)},
        "lms": Component("Source", received=100, sent=100),
        "cms": Component("Source", received=20, sent=20),
        "clickhouse": Component("Sink", received=110, sent=90, inputs=("lms", "cms")),
        "new": Component("Sink"),
    }
    assert ask(vector) == {"events_received": 120, "events_sent": 90, "lag": 30}


def test_vector_as_tutor_s_plugin_sets_it_up(vector: VectorEndpoint) -> None:
    vector.components = configured_by_tutor(logged=1_000_000, tracked=5_000, xapi=50)
    assert ask(vector) == {"events_received": 50, "events_sent": 50, "lag": 0}
    vector.components["xapi"].sent = 60
    vector.components["clickhouse_xapi"].sent = 57
    assert ask(vector) == {"events_received": 60, "events_sent": 57, "lag": 3}
    assert ask(vector, sink=["clickhouse_tracking"]) == {"events_received": 5_000, "events_sent": 5_000, "lag": 0}
    assert ask(vector, sink=["s3_archive"]) == {"events_received": 60, "events_sent": 0, "lag": 60}


def test_a_source_with_the_name_of_the_sink_is_not_taken_for_it(vector: VectorEndpoint) -> None:
    vector.components = {
        "clickhouse_xapi": Component("Source", received=9, sent=8),
        "out": Component("Sink", received=8, sent=7, inputs=("clickhouse_xapi",)),
    }
    assert ask(vector) == {"events_received": 8, "events_sent": 7, "lag": 1}


def test_each_sink_is_compared_with_its_own_inputs(vector: VectorEndpoint) -> None:
    """An event that goes to two sinks is on its way until both have it."""
    vector.components = {
        "lms": Component("Source", received=10, sent=10),
        "cms": Component("Source", received=5, sent=5),
        "first": Component("Sink", received=15, sent=15, inputs=("lms", "cms")),
        "second": Component("Sink", received=9, sent=9, inputs=("lms",)),
    }
    assert ask(vector) == {"events_received": 25, "events_sent": 24, "lag": 1}


def test_a_source_named_as_sink_is_refused(vector: VectorEndpoint) -> None:
    vector.components = configured_by_tutor()
    assert fails(vector, sink=["docker_logs"]) == "--vector_sink docker_logs is a source: name sinks"


def test_where_transforms_drop_events(vector: VectorEndpoint) -> None:
    vector.components = {
        "containers": Component("Source", received=1_000_000, sent=1_000_000),
        "only_xapi": Component("Transform", received=1_000_000, sent=50),
        "xapi": Component("Sink", received=48, sent=45),
        "archive": Component("Sink", received=1_000_000, sent=999_999),
    }
    chosen = ask(vector, source=["only_xapi"], sink=["xapi"])
    assert chosen == {"events_received": 50, "events_sent": 45, "lag": 5}
    assert fails(vector, source=["xapi", "nobody"]) == (
        "There is no component of Vector 'nobody'; there is: archive, containers, only_xapi, xapi"
    )


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, "", "There is no GraphQL API at --vector_url: Vector 0.55 and later have none"),
        (503, "", "Vector did not answer (HTTPError): check --vector_url"),
        (200, "<html>", "Vector did not answer (JSONDecodeError): check --vector_url"),
        (200, '{"data": null, "errors": [{"message": "no"}]}', None),
        (200, '{"data": {"components": {"edges": [{"node": {"__typename": "New", "componentId": "a"}}]}}}', None),
    ],
)
def test_vector_that_does_not_answer_as_it_should(
    status: int, body: str, message: str | None, vector: VectorEndpoint
) -> None:
    vector.planned = (status, body)
    assert fails(vector) == (message or "The server at --vector_url does not answer as Vector's GraphQL API does")


def test_vector_that_is_not_there(vector: VectorEndpoint) -> None:
    vector.stop()
    assert fails(vector) == "Vector did not answer (ConnectionError): check --vector_url"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: (
        st.lists(values)
        | st.dictionaries(st.sampled_from(["data", "components", "edges", "node", "__typename", "metrics"]), values)
    ),
    max_leaves=8,
)
NODES = st.fixed_dictionaries({"data": st.fixed_dictionaries({"components": st.fixed_dictionaries({"edges": JSON})})})


@hypothesis_settings(max_examples=examples(50))
@given(answer=JSON | NODES)
def test_no_answer_breaks_the_monitor(answer: Any, vector: VectorEndpoint) -> None:
    vector.planned = (200, json.dumps(answer))
    try:
        found = ask(vector)
    except BackendError:
        return
    assert found["lag"] == found["events_received"] - found["events_sent"]
