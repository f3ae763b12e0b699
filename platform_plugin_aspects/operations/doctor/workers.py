"""Celery: whether its broker answers, and a worker that delivers for this service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from celery import current_app
from kombu.exceptions import KombuError

from platform_plugin_aspects.delivery.outbox import TASK
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, service

#: Seconds to wait for the broker, and for the workers, whose number is unknown.
BROKER_SECS = 3
WORKERS_SECS = 2
#: A broker that accepts connections and then is silent must not block the doctor either.
TRANSPORT_OPTIONS = {"socket_connect_timeout": BROKER_SECS, "socket_timeout": BROKER_SECS}


def examine(_examination: Examination | None = None, *, task: str = TASK) -> Iterator[Finding]:
    """Whether Celery's broker answers, and a worker behind it that would run ``task`` for this service."""
    if current_app.conf.task_always_eager:
        yield Mark.NOTE("CELERY_TASK_ALWAYS_EAGER is on: changes are delivered where they are made, without workers")
        return
    try:
        connection = current_app.connection_for_write(connect_timeout=BROKER_SECS, transport_options=TRANSPORT_OPTIONS)
        # ValueError: the address lacks a part that its kind of broker needs.
        failures = (OSError, ValueError, KombuError, *connection.connection_errors, *connection.channel_errors)
    # ImportError: a package that this kind of broker needs is not installed.
    except (ImportError, KeyError, ValueError) as error:
        yield _no_broker("the configured address", error)
        return
    with connection:
        # With the password hidden.
        address = connection.as_uri()
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECS)
            yield Mark.OK(f"Celery's broker answers at {address}")
            yield from _workers(connection, task)
        except failures as error:
            yield _no_broker(address, error)


def _no_broker(address: str, error: Exception) -> Finding:
    return Mark.PROBLEM(
        f"Celery's broker does not answer at {address} ({type(error).__name__})",
        "See that it runs, and correct CELERY_BROKER_URL, or what the platform makes it of",
    )


def _workers(connection: Any, task: str) -> Iterator[Finding]:
    # The queue to which this service sends the task.
    queue = current_app.amqp.router.route({}, task)["queue"].name
    control = current_app.control
    queues = control.inspect(timeout=WORKERS_SECS, connection=connection).active_queues() or {}
    consumers = sorted(host for host, active in queues.items() if queue in {each["name"] for each in active or ()})
    start = f"Start a worker of this service: celery --app={service()}.celery worker --queues={queue}"
    if not queues:
        yield Mark.PROBLEM(f"No Celery worker answers within {WORKERS_SECS} s", start)
        return
    if not consumers:
        yield Mark.PROBLEM(f"None of the {len(queues)} Celery workers takes tasks from {queue}", start)
        return
    asked = control.inspect(destination=consumers, timeout=WORKERS_SECS, connection=connection)
    registered = asked.registered() or {}
    ignorant = [host for host in consumers if task not in (registered.get(host) or ())]
    if ignorant:
        yield Mark.PROBLEM(
            f"Workers that take tasks from {queue} do not know the plugin's: {', '.join(ignorant)}",
            "Install platform-plugin-aspects where they run, as an app of the platform, and restart them",
        )
    else:
        yield Mark.OK(f"Celery workers that take tasks from {queue}: {len(consumers)}")
