"""Guest tokens of pages: with the clauses of the course, and from the cache for the first half of their lifetime."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.dashboards.access.clauses import clauses_for
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured, SupersetTimeout
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token

#: How often to look whether another request of the same person has got the token that both need.
LOOK_SECS = 0.02


def guest_token(user: Any, course_key: CourseKey, dashboard_uuids: Sequence[str], filters: Sequence[str] = ()) -> str:
    """A token with which ``user`` sees the embedded dashboards, with rows of the course that pass the ``filters``.

    It comes from Django's cache for the first half of its life, so at least the other half lies before it; never that
    of another user. One request at a time asks for it, in whatever process it runs; while the cache is down, each does.

    Raises SupersetError, and RefusedFilter for filters that their author must correct.
    """
    try:
        clauses = clauses_for(user, course_key)
    except ImproperlyConfigured as error:
        raise SupersetMisconfigured(str(error)) from None
    config = SupersetConfig.from_settings()
    uuids = sorted(set(dashboard_uuids))
    # Everything that decides the token: a change of any of it makes another. Parsing the filters takes the longest, so
    # their text stands in the key, and they become clauses for a new token only.
    key = _key(user.pk, user.username, uuids, clauses, list(filters), astuple(config))
    deadline = time.monotonic() + config.timeout_secs
    asking = f"{key}.asking"
    while (token := optional_cache.get(key)) is None:
        # Expires, should this process die.
        if optional_cache.add(asking, config.timeout_secs):
            try:
                # Another request may have got it, and removed its mark, since we looked.
                token = optional_cache.get(key)
                return str(token or _new_token(key, user.username, uuids, clauses_for(user, course_key, filters)))
            finally:
                optional_cache.delete(asking)
        if time.monotonic() > deadline:
            raise SupersetTimeout(f"Another request has been waiting for this token for {config.timeout_secs} s")
        time.sleep(LOOK_SECS)
    return str(token)


def _new_token(key: str, username: str, uuids: Sequence[str], clauses: Sequence[str]) -> str:
    fresh = get_guest_token(username, uuids, clauses)
    optional_cache.set_many({key: fresh.token}, (fresh.expires_at - time.time()) / 2)
    return fresh.token


def _key(*decides: Any) -> str:
    # In a function of its own: the secrets would be among the variables that error reporters show of guest_token().
    return f"platform_plugin_aspects.guest_token.{hashlib.sha256(json.dumps(decides).encode()).hexdigest()}"
