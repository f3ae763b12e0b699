"""Django's cache as a help that may be missing: nothing here raises or waits when the cache is down.

Caches that are down often say nothing. The platform's default cache (PyMemcacheCache with ``ignore_exc``) and
django-redis with ``DJANGO_REDIS_IGNORE_EXCEPTIONS`` answer False or None to ``add`` and None to ``get``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache import cache

log = logging.getLogger(__name__)


def add(mark: str, secs: float) -> bool:
    """Whether nobody has set this mark within its time; it is then set, for ``secs``.

    Also True while the cache is down: it is better to do something twice than never. So what the mark protects may
    happen more than once.
    """
    try:
        # A refusal means that somebody was first only where their mark can be read.
        return bool(cache.add(mark, True, secs)) or cache.get(mark) is None
    except Exception as error:
        _warn(error)
        return True


def delete(mark: str) -> None:
    """Remove a mark, or a remembered value."""
    try:
        cache.delete(mark)
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
    """Remember values by key, for ``secs``, if there is a cache."""
    try:
        cache.set_many(dict(values), secs)
    except Exception as error:
        _warn(error)


def _warn(error: Exception) -> None:
    log.warning("The cache does not answer (%s: %s); work goes on without it", type(error).__name__, error)
