"""The event buses of edx-event-bus-redis and edx-event-bus-kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings

from .base import TIMEOUT_SECS, Backend, BackendError, unknown

#: How many entries of a stream are behind an id. Redis does not always know: of a group whose position was set, which
#: edx-event-bus-redis does when it starts, XINFO GROUPS says no lag until the group has read everything.
COUNT_BEHIND = "return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')"


@dataclass(frozen=True)
class EventBus(Backend):
    """An event bus with a topic that a consumer group reads."""

    topic: str
    consumer_group: str

    @property
    def full_topic(self) -> str:
        """The topic with the prefix that both event buses give it."""
        prefix = getattr(settings, "EVENT_BUS_TOPIC_PREFIX", None)
        return f"{prefix}-{self.topic}" if prefix else self.topic


class RedisBus(EventBus):
    """A stream."""

    name = "redis_bus"

    def sample(self) -> dict[str, Any]:
        """{total_events, lag}. Lag includes events that a consumer has read but not acknowledged."""
        redis = optional("redis", "redis")
        options = {"socket_timeout": TIMEOUT_SECS, "socket_connect_timeout": TIMEOUT_SECS, "decode_responses": True}
        try:
            with redis.Redis.from_url(required("EVENT_BUS_REDIS_CONNECTION_URL"), **options) as client:
                stream = self.full_topic
                # A stream that nobody has written or read yet does not exist.
                total = client.xlen(stream)
                return {"total_events": total, "lag": self._lag(client, stream) if total else 0}
        except redis.RedisError as error:
            raise BackendError(f"Redis did not answer ({type(error).__name__}): {error}") from None
        except ValueError:
            # Its message may hold a part of the password.
            raise BackendError("EVENT_BUS_REDIS_CONNECTION_URL is not a redis:// or rediss:// URL") from None

    def _lag(self, client: Any, stream: str) -> int:
        groups: dict[str, Mapping[str, Any]] = {group["name"]: group for group in client.xinfo_groups(stream)}
        if self.consumer_group not in groups:
            raise unknown(f"consumer group of {stream}", self.consumer_group, groups)
        group = groups[self.consumer_group]
        return int(client.eval(COUNT_BEHIND, 1, stream, group["last-delivered-id"])) + int(group["pending"])


class KafkaBus(EventBus):
    """A topic with its partitions."""

    name = "kafka_bus"

    def sample(self) -> dict[str, Any]:
        """{topic, partitions: [{partition, lag}], lag}."""
        kafka = optional("confluent_kafka", "kafka")
        topic = self.full_topic
        try:
            # It asks where the group is, and does not join it.
            consumer = kafka.Consumer(self.configuration())
            try:
                partitions = [
                    {"partition": position.partition, "lag": _lag(consumer, position)}
                    for position in _positions(kafka, consumer, topic)
                ]
            finally:
                consumer.close()
        except kafka.KafkaException as error:
            raise BackendError(f"Kafka did not answer: {error.args[0].str()}") from None
        return {"topic": topic, "partitions": partitions, "lag": sum(found["lag"] for found in partitions)}

    def configuration(self) -> dict[str, Any]:
        """The configuration of librdkafka, from the settings of edx-event-bus-kafka."""
        found = {
            "bootstrap.servers": required("EVENT_BUS_KAFKA_BOOTSTRAP_SERVERS"),
            "group.id": self.consumer_group,
            "enable.auto.commit": False,
            # Emergencies only: a failed connection raises an exception.
            "log_level": 0,
        }
        key, secret = (getattr(settings, f"EVENT_BUS_KAFKA_API_{part}", None) for part in ("KEY", "SECRET"))
        if key and secret:
            found |= {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN"}
            found |= {"sasl.username": key, "sasl.password": secret}
        return found


def _positions(kafka: Any, consumer: Any, topic: str) -> list[Any]:
    """The group's position in each partition of the topic."""
    found = consumer.list_topics(topic, timeout=TIMEOUT_SECS).topics[topic]
    if found.error is not None:
        raise BackendError(f"Kafka cannot show the topic {topic}: {found.error.str()}")
    partitions = [kafka.TopicPartition(topic, number) for number in sorted(found.partitions)]
    return list(consumer.committed(partitions, timeout=TIMEOUT_SECS))


def _lag(consumer: Any, position: Any) -> int:
    """The number of events behind the group's position; all events if it has no position yet."""
    first, end = consumer.get_watermark_offsets(position, timeout=TIMEOUT_SECS)
    # No position is a negative offset; that of events deleted since is before the first.
    return int(end - max(position.offset, first))


def optional(module: str, extra: str) -> Any:
    """A module that is installed only where it is used, with one of the package's extras."""
    try:
        return import_module(module)
    except ImportError:
        raise BackendError(f'{module} is not installed: pip install "platform-plugin-aspects[{extra}]"') from None


def required(name: str) -> Any:
    """The value of a setting of the event bus."""
    value = getattr(settings, name, None)
    if not value:
        raise BackendError(f"{name} is not set: this service does not use that event bus")
    return value
