"""Caches whose server is gone. Most say nothing, as the platform's own; some raise.

The answers were read from django 5.2's PyMemcacheCache with ``ignore_exc`` and from django-redis 6 with
``DJANGO_REDIS_IGNORE_EXCEPTIONS``, both before a closed port. ``OPTIONS={"refusal": ...}`` chooses between them.
Django's own RedisCache raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache.backends.base import BaseCache

#: The answer of ``add`` and ``delete``, by the kind of cache.
REFUSALS = {"memcached": False, "redis": None}


class SilentCache(BaseCache):
    """Keeps nothing and says so by its answers only."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.refusal = params.get("OPTIONS", {}).get("refusal", False)

    def add(self, key: Any, value: Any, timeout: Any = None, version: Any = None) -> Any:
        return self.refusal

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return default

    def set(self, key: Any, value: Any, timeout: Any = None, version: Any = None) -> None:
        pass

    def delete(self, key: Any, version: Any = None) -> Any:
        return self.refusal

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        return {}

    def set_many(self, data: Mapping[Any, Any], timeout: Any = None, version: Any = None) -> Any:
        return list(data) if self.refusal is False else None

    def clear(self) -> None:
        pass


class GoneCache(BaseCache):
    """Raises at whatever it is asked."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def _gone(self, *_args: Any, **_kwargs: Any) -> Any:
        raise ConnectionError("the cache is gone")

    add = get = set = delete = get_many = set_many = _gone

    def clear(self) -> None:
        pass


#: By kind, what CACHES is with such a cache.
CACHES = {
    "raising": {"default": {"BACKEND": f"{__name__}.GoneCache"}},
    **{
        kind: {"default": {"BACKEND": f"{__name__}.SilentCache", "OPTIONS": {"refusal": refusal}}}
        for kind, refusal in REFUSALS.items()
    },
}
