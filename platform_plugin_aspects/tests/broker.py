"""Celery as the tests use it: look into the broker's queue, work it off without waiting, or run a real worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty
from threading import Semaphore
from typing import Any

from celery import Celery, current_app
from celery.contrib.testing.app import setup_default_app
from celery.contrib.testing.worker import TestWorkController, start_worker
from celery.signals import setup_logging, task_postrun, worker_ready
from celery.worker.request import Request
from django.db import connections

DEAD_BROKER = "redis://127.0.0.1:1/0"


@dataclass(frozen=True)
class Sent:
    """A task as it came out of the queue; ``wait``: seconds until it is due, as of ``taken``."""

    message: Any
    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    eta: datetime | None

    @property
    def wait(self) -> float:
        return 0 if self.eta is None else (self.eta - datetime.now(UTC)).total_seconds()

    def run(self) -> None:
        """Run it as a worker does: acknowledged late, its retries sent to the broker, errors logged."""
        app = current_app._get_current_object()
        Request(self.message, app=app, on_ack=_ack, on_reject=_reject, task=app.tasks[self.task]).execute()


def _ack(logger: Any, errors: Any) -> None:
    """Taken from the queue for good in ``take`` already."""


def _reject(logger: Any, errors: Any, requeue: bool) -> None:
    # So ends a task that has sent its own retry.
    assert not requeue


class Broker:
    """The queue of this service in Celery's memory transport."""

    def take(self) -> list[Sent]:
        """Take what is in the queue, in order."""
        found = []
        with current_app.connection_for_read() as connection:
            queue = connection.SimpleQueue(current_app.conf.task_default_queue)
            while True:
                try:
                    message = queue.get(block=False)
                except Empty:
                    break
                message.ack()
                args, kwargs, _embed = message.payload
                eta = message.headers.get("eta")
                when = datetime.fromisoformat(eta) if eta else None
                found.append(Sent(message, message.headers["task"], tuple(args), dict(kwargs), when))
            queue.close()
        return found

    def asked(self) -> list[str]:
        """Take what is in the queue, which must be deliveries; the names of their sinks."""
        taken = self.take()
        assert {sent.task for sent in taken} <= {"platform_plugin_aspects.tasks.deliver"}
        return [sent.args[0] for sent in taken]

    def work(self, limit: int = 100) -> list[Sent]:
        """Run what is in the queue, and what comes into it, whenever it is due; returns it."""
        done: list[Sent] = []
        while taken := self.take():
            for sent in taken:
                sent.run()
                done.append(sent)
                assert len(done) <= limit, f"{limit} tasks and no end"
        return done


@contextmanager
def celery_app(broker_url: str, **options: Any) -> Iterator[Celery]:
    """The site's Celery with another broker. ``fixups=()``: its workers leave the test's database connection open."""
    app = Celery("proj", set_as_current=False, **options)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    app.conf.broker_url = broker_url
    with setup_default_app(app):
        app.set_current()
        app.set_default()
        yield app


class _Controller(TestWorkController):
    """Says that it is ready, as workers outside of tests do."""

    def on_consumer_ready(self, consumer: Any) -> None:
        worker_ready.send(sender=consumer)
        super().on_consumer_ready(consumer)


@dataclass(frozen=True)
class Worker:
    """A running worker; ``ended`` counts the tasks that have ended and were not waited for yet."""

    controller: TestWorkController
    ended: Semaphore

    def until(self, condition: Callable[[], bool], timeout: float = 60) -> None:
        """Wait for tasks to end until the condition holds; asked after each."""
        while not condition():
            assert self.ended.acquire(timeout=timeout), "no task ends any more"


def _leave_logging_alone(**_kwargs: Any) -> None:
    pass


@contextmanager
def worker() -> Iterator[Worker]:
    """A real worker of this service, in a thread; it ends with the block, once its task has ended."""
    ended = Semaphore(0)

    def after_task(**_kwargs: Any) -> None:
        connections.close_all()
        ended.release()

    app = current_app._get_current_object()
    task_postrun.connect(after_task, weak=False)
    # Celery leaves logging alone where somebody else sets it up.
    setup_logging.connect(_leave_logging_alone, weak=False)
    try:
        with start_worker(
            app, perform_ping_check=False, WorkController=_Controller, loglevel="CRITICAL", shutdown_timeout=60
        ) as controller:
            yield Worker(controller, ended)
    finally:
        task_postrun.disconnect(after_task)
        setup_logging.disconnect(_leave_logging_alone)
