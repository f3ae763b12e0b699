"""Django's cache for values that may be missing: no function raises or waits when the cache is down.

Caches that are down often raise nothing. The platform's default cache (PyMemcacheCache with ``ignore_exc``) and
django-redis with ``DJANGO_REDIS_IGNORE_EXCEPTIONS`` answer False or None to ``add`` and None to ``get``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache import cache

log = logging.getLogger(__name__)


def add(key: str, secs: float) -> bool:
    """Set a flag for ``secs``; returns False if it was set already.

    Returns True while the cache is down, because doing something twice is better than never. The action that the flag
    protects may thus happen more than once.
    """
    try:
        # A refusal means that the flag was set only if it can be read.
        return bool(cache.add(key, True, secs)) or cache.get(key) is None
    except Exception as error:
        _warn(error)
        return True


def delete(key: str) -> None:
    """Remove a flag or a value."""
    try:
        cache.delete(key)
    except Exception as error:
        _warn(error)


def get(key: str) -> Any:
    """The value that was remembered under the key; None when there is nothing, or no cache."""
    return get_many([key]).get(key)


def get_many(keys: Iterable[str]) -> dict[str, Any]:
    """The values that were remembered under the keys, as far as there are some."""
    try:
        return cache.get_many(keys) or {}
    except Exception as error:
        _warn(error)
        return {}


def set_many(values: Mapping[str, Any], secs: float) -> None:
    """Keep values by key, for ``secs``, if there is a cache."""
    try:
        cache.set_many(dict(values), secs)
    except Exception as error:
        _warn(error)


def _warn(error: Exception) -> None:
    log.warning("The cache does not answer (%s: %s); work goes on without it", type(error).__name__, error)
