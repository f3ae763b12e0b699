"""The guest token of a person's page: with the clauses of its course, and the same one again while it is good."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.superset import rls
from platform_plugin_aspects.superset.client import get_guest_token
from platform_plugin_aspects.superset.config import SupersetConfig
from platform_plugin_aspects.superset.errors import SupersetError, SupersetMisconfigured, SupersetTimeout

#: How often to look whether another request of the same person has got the token that both need.
LOOK_SECS = 0.02

logger = logging.getLogger(__name__)


def guest_token(user: Any, course_key: CourseKey, dashboard_uuids: Sequence[str], filters: Sequence[str] = ()) -> str:
    """A token with which ``user`` sees the embedded dashboards, with rows of the course that pass the ``filters``.

    It comes from Django's cache for the first half of its life, so at least the other half lies before it; never that
    of another user.

    Raises SupersetError, which is then in the log, and rls.RefusedFilter for filters that their author must correct.
    """
    try:
        return _cached(user, sorted(set(dashboard_uuids)), _clauses(user, course_key, filters))
    except SupersetError as error:
        logger.error("No guest token for the dashboards of %s (%s): %s", course_key, error.code, error)
        raise


def _clauses(user: Any, course_key: CourseKey, filters: Sequence[str]) -> list[str]:
    try:
        return rls.clauses(user, course_key, filters)
    except ImproperlyConfigured as error:
        raise SupersetMisconfigured(str(error)) from None


def _cached(user: Any, dashboard_uuids: list[str], clauses: list[str]) -> str:
    """The cached token, or a new one; one request at a time asks for it, in whatever process it runs."""
    config = SupersetConfig.from_settings()
    # Everything that decides the token: a change of any of it makes another.
    decides = json.dumps([user.pk, user.username, dashboard_uuids, clauses, astuple(config)])
    key = f"platform_plugin_aspects.guest_token.{hashlib.sha256(decides.encode()).hexdigest()}"
    deadline = time.monotonic() + config.timeout_secs
    while (token := cache.get(key)) is None:
        # Expires, should this process die.
        if cache.add(f"{key}.asking", True, config.timeout_secs):
            try:
                fresh = get_guest_token(user.username, dashboard_uuids, clauses)
                cache.set(key, fresh.token, (fresh.expires_at - time.time()) / 2)
                return fresh.token
            finally:
                cache.delete(f"{key}.asking")
        if time.monotonic() > deadline:
            raise SupersetTimeout(f"Another request has been waiting for this token for {config.timeout_secs} s")
        time.sleep(LOOK_SECS)
    return str(token)
