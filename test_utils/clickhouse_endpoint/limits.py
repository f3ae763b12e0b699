"""Settings profiles and quotas of users, which the embedded engine does not have.

A profile's settings hold for each of its user's statements. With ``readonly`` among them, the user may not change any.
A quota counts statements and the seconds they took, in intervals of fixed length.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from .engine import Session
from .errors import ClickHouseError


@dataclass
class Profile:
    """Settings of one user."""

    user: str
    settings: Mapping[str, str]


@dataclass
class Quota:
    """The most that one user may use in an interval: `most` by the names `queries` and `execution_time`."""

    user: str
    seconds: int
    most: Mapping[str, float]
    started: float = 0.0
    queries: int = 0
    execution_time: float = 0.0


class Limits:
    """The profiles and quotas of an endpoint, by name."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.quotas: dict[str, Quota] = {}
        self._lock = threading.Lock()

    def settings_of(self, user: str) -> dict[str, str]:
        """The settings of a user's profiles; `readonly`, which forbids to change the others, is the last."""
        found: dict[str, str] = {}
        for profile in self.profiles.values():
            if profile.user == user:
                found |= profile.settings
        return dict(sorted(found.items(), key=lambda setting: setting[0] == "readonly"))

    def apply(self, session: Session, user: str, asked: Mapping[str, str]) -> None:
        """Apply them to a session, for which a request has `asked` for settings. Raises ClickHouseError 164."""
        own = self.settings_of(user)
        if own.get("readonly", "0") == "1":
            for name in asked:
                raise ClickHouseError(164, f"Cannot modify '{name}' setting in readonly mode", "READONLY")
        session.set(own)

    def begin(self, user: str) -> None:
        """Count a statement. Raises ClickHouseError 201 where a quota is used up."""
        now = time.time()
        with self._lock:
            for quota in (quota for quota in self.quotas.values() if quota.user == user):
                if now - quota.started >= quota.seconds:
                    quota.started, quota.queries, quota.execution_time = now, 0, 0.0
                quota.queries += 1
                for name, most in quota.most.items():
                    used = getattr(quota, name)
                    if used > most:
                        text = f"Quota for user `{user}` for {quota.seconds}s has been exceeded: {name} = {used}/{most}"
                        raise ClickHouseError(201, text, "QUOTA_EXCEEDED")

    def end(self, user: str, seconds: float) -> None:
        """Count the time that a statement took."""
        with self._lock:
            for quota in self.quotas.values():
                if quota.user == user:
                    quota.execution_time += seconds
