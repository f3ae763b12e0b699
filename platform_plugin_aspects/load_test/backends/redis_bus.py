"""The event bus of edx-event-bus-redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import TIMEOUT_SECS, BackendError, EventBus, optional, required, unknown

#: How many entries of a stream are behind an id. Redis does not always know: of a group whose position was set, which
#: edx-event-bus-redis does when it starts, XINFO GROUPS says no lag until the group has read everything.
COUNT_BEHIND = "return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+')"


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
