"""Loading one log: chunks are read in order, transformed here or by other processes, and inserted in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Protocol

from django.db import connections

from platform_plugin_aspects import databases
from platform_plugin_aspects.delivery.backfill.watcher import Watcher, retry_while_unavailable
from platform_plugin_aspects.delivery.replay.chunks import Choice, Counts, Loaded, transform_chunk
from platform_plugin_aspects.delivery.replay.files import Chunk, Log
from platform_plugin_aspects.delivery.replay.positions import save_position
from platform_plugin_aspects.sinks.statement_sink import StatementSink

#: Chunks per process that are read ahead.
AHEAD = 2


class WorkerLost(Exception):
    """A process that transforms has ended by itself."""


class Transforming(Protocol):
    """Transforms chunks, in order."""

    def __call__(self, chunks: Iterable[Chunk], choice: Choice) -> Iterator[tuple[Chunk, Loaded]]:
        """The chunks with their results. Raises as ``transform_chunk`` does, and WorkerLost."""


class LoadWatcher(Watcher):
    """Hears how far a load is."""

    def loaded(self, log: Log, counts: Counts) -> None:
        """Note that everything which ``counts`` counts is in ClickHouse."""


def load(
    log: Log,
    choice: Choice,
    sink: StatementSink,
    watcher: LoadWatcher,
    transforming: Transforming,
    total: Counts,
    max_rate: float | None = None,
) -> None:
    """Load a log from its current position on, until its end or until the watcher wants to stop.

    ``total`` counts what is loaded. ``max_rate``: events per second. ClickHouse being unavailable is waited for, once
    it has answered. ``log.damage`` says why the rest of a damaged log was not read. Raises Failure, WorkerLost,
    xapi.transform.NotUsable and PLATFORM_FAULTS; whatever was loaded before is kept, and so is the position after it.
    """
    started = watcher.now()
    answered = False
    for chunk, loaded in transforming(log.chunks(watcher.wants_to_stop), choice):
        if not choice.dry_run:
            insert = partial(sink.insert, loaded.statements)
            # The first insert fails at once: an address may be wrong.
            retry_while_unavailable(insert, watcher) if answered else insert()
            answered = answered or bool(loaded.statements)
            databases.check_before_use()
            save_position(log, choice, chunk.end)
        total.add(loaded.counts)
        watcher.loaded(log, total)
        if max_rate:
            watcher.wait(max(0.0, started + sum(total.events.values()) / max_rate - watcher.now()))
        if watcher.wants_to_stop():
            break


def in_this_process(chunks: Iterable[Chunk], choice: Choice) -> Iterator[tuple[Chunk, Loaded]]:
    """See Transforming."""
    for chunk in chunks:
        yield chunk, transform_chunk(chunk, choice)


@contextmanager
def processes(number: int) -> Iterator[Transforming]:
    """So many processes that transform. They end with the context."""
    # They must not share sockets with this process. Ending a connection in a child would end it here, too.
    connections.close_all()
    with ProcessPoolExecutor(number, get_context("fork"), initializer=_begin) as pool:

        def transforming(chunks: Iterable[Chunk], choice: Choice) -> Iterator[tuple[Chunk, Loaded]]:
            waiting: deque[tuple[Chunk, Future[Loaded]]] = deque()
            try:
                for chunk in chunks:
                    waiting.append((chunk, pool.submit(transform_chunk, chunk, choice)))
                    if len(waiting) >= number * AHEAD:
                        yield _result(waiting)
                while waiting:
                    yield _result(waiting)
            finally:
                for _, future in waiting:
                    future.cancel()

        yield transforming


def _result(waiting: deque[tuple[Chunk, Future[Loaded]]]) -> tuple[Chunk, Loaded]:
    chunk, future = waiting.popleft()
    try:
        return chunk, future.result()
    except BrokenProcessPool:
        raise WorkerLost("a process that transforms has ended: look for it in the system's log, memory first") from None


def _begin() -> None:
    """At the start of a process: the terminal's signals are for the one that loads."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
