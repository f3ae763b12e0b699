"""Reading a source batch by batch, and working on one item while the next one is being read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from platform_plugin_aspects import databases
from platform_plugin_aspects.sinks import Batch, Selection

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_in_batches(
    read: Callable[[Selection], Batch], selection: Selection, sizes: Iterable[int]
) -> Iterator[tuple[Batch, bool]]:
    """The selected objects in batches of these sizes, in the order of their keys, each with whether it is the last.

    The last batch may be empty. Without an end of ``sizes``, everything is read.
    """
    for size in sizes:
        databases.check_before_use()
        batch = read(replace(selection, limit=size))
        last = len(batch) < size
        yield batch, last
        if last:
            return
        selection = replace(selection, after=batch.keys[-1])


def ahead(
    items: Iterable[Item | None], work: Callable[[Item], Result]
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Each item with its result, which a thread computes while the caller's thread makes the next item.

    At most one item is under way. None among the items yields the item under way before the next one is made. An item
    under way is also yielded when making the next one fails.
    """
    under_way: list[tuple[Item, Future[Result]]] = []
    with ThreadPoolExecutor(1, "aspects-ahead") as thread:
        try:
            for item in items:
                if under_way:
                    yield under_way.pop()
                if item is not None:
                    under_way.append((item, thread.submit(work, item)))
        finally:
            if under_way:
                yield under_way.pop()
