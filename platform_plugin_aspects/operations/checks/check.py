"""Declares system checks: a check is a function with an id that yields messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import update_wrapper
from typing import Any, TypeVar

from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured

#: ``manage.py check --tag platform_plugin_aspects`` runs only these checks.
TAG = "platform_plugin_aspects"
#: The promise of each check by its id. The reference is made from it.
CHECKS: dict[str, str] = {}
INVALID = (Misconfigured, SupersetMisconfigured, ImproperlyConfigured)
Value = TypeVar("Value")


def check(id: str, hint: str = "") -> Callable[[Callable[[], Iterable[str | tuple[str, str]]]], Callable[..., Any]]:
    """Register the decorated function as a system check; its docstring is the promise.

    The function yields messages, or (message, hint) where the hints differ. An ``id`` "E..." is an error, which stops
    commands; "W..." is a warning.
    """
    kind = Error if id.startswith("E") else Warning

    def declare(find: Callable[[], Iterable[str | tuple[str, str]]]) -> Callable[..., Any]:
        def run(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
            pairs = ((found, hint) if isinstance(found, str) else found for found in find())
            return [kind(message, hint=advice, id=f"{TAG}.{id}") for message, advice in pairs]

        if id in CHECKS:
            raise ValueError(f"{id} is the id of another check")
        CHECKS[id] = " ".join((find.__doc__ or "").split())
        # Before update_wrapper: Django would refuse the signature of ``find``.
        register(run, TAG)
        return update_wrapper(run, find)

    return declare


def refusals(*readers: Callable[[], object]) -> Iterator[str]:
    """The messages of the readers that find their setting invalid."""
    for read in readers:
        try:
            read()
        except INVALID as error:
            yield str(error)


def valid(read: Callable[[], Value]) -> Value | None:
    """The value that this reads from a setting; None if it is invalid, which another check reports."""
    try:
        return read()
    except INVALID:
        return None
