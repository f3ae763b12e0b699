"""Django's cache for values that may be missing: no function raises or waits when the cache is down.

Caches that are down often raise nothing. The platform's default cache (PyMemcacheCache with ``ignore_exc``) and
django-redis with ``DJANGO_REDIS_IGNORE_EXCEPTIONS`` answer False or None to ``add`` and None to ``get``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.core.cache import cache

log = logging.getLogger(__name__)
T = TypeVar("T")


def add(key: str, secs: float) -> bool:
    """Set a flag for ``secs``; returns False if it was set already.

    Returns True while the cache is down, because doing something twice is better than never. The action that the flag
    protects may thus happen more than once.
    """
    # A refusal means that the flag was set only if it can be read.
    return _answer(lambda: bool(cache.add(key, True, secs)) or cache.get(key) is None, True)


def delete(key: str) -> None:
    """Remove a flag or a value."""
    _answer(lambda: cache.delete(key), None)


def get(key: str) -> Any:
    """The value that was remembered under the key; None when there is nothing, or no cache."""
    return get_many([key]).get(key)


def get_many(keys: Iterable[str]) -> dict[str, Any]:
    """The values that were remembered under the keys, as far as there are some."""
    return _answer(lambda: cache.get_many(keys) or {}, {})


def set_many(values: Mapping[str, Any], secs: float) -> None:
    """Keep values by key, for ``secs``, if there is a cache."""
    _answer(lambda: cache.set_many(dict(values), secs), None)


def _answer(ask: Callable[[], T], otherwise: T) -> T:
    try:
        return ask()
    except Exception as error:
        log.warning("The cache does not answer (%s: %s); work goes on without it", type(error).__name__, error)
        return otherwise
