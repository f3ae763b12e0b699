"""Celery's queues, on any broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.conf import settings
from kombu.exceptions import ChannelError, OperationalError

from .base import TIMEOUT_SECS, Backend, BackendError

#: A broker that accepts connections and then is silent must fail, too. Only Redis needs these; others ignore them.
OPTIONS = {"socket_connect_timeout": TIMEOUT_SECS, "socket_timeout": TIMEOUT_SECS}


@dataclass(frozen=True)
class Celery(Backend):
    """Celery's default queues.

    A queue that is None is the service's default: as configured in that service, by edx-platform's rule in the other.
    """

    name = "celery"
    lms_queue: str | None
    cms_queue: str | None

    def sample(self) -> dict[str, Any]:
        """{lms_queue_length, cms_queue_length, lag}: tasks that wait, in each queue and in both."""
        queues = {"lms": self.lms_queue or default_queue("lms"), "cms": self.cms_queue or default_queue("cms")}
        with current_app.connection_for_read(connect_timeout=TIMEOUT_SECS, transport_options=OPTIONS) as connection:
            try:
                # Without max_retries, kombu would retry for ever.
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=TIMEOUT_SECS)
                lengths = {f"{service}_queue_length": _length(connection, queue) for service, queue in queues.items()}
            except (OperationalError, *connection.connection_errors, *connection.channel_errors) as error:
                raise BackendError(f"Celery's broker did not answer ({type(error).__name__}): {error}") from None
        return {**lengths, "lag": sum(lengths.values())}


def default_queue(service: str) -> str:
    """The default queue of a service, "lms" or "cms"."""
    if getattr(settings, "SERVICE_VARIANT", None) == service:
        return str(current_app.conf.task_default_queue)
    return f"edx.{service}.core.default"


def _length(connection: Any, queue: str) -> int:
    """The number of messages that no worker has taken; with Redis, in the lists of all priorities."""
    with connection.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except ChannelError as error:
            # In Redis an empty queue does not exist; in RabbitMQ a queue does not exist before its first worker.
            if str(error.reply_code) != "404":
                raise
            return 0
