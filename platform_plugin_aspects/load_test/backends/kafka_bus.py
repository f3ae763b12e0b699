"""The event bus of edx-event-bus-kafka."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from .base import TIMEOUT_SECS, BackendError, EventBus, optional, required


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
