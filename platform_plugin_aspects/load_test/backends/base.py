"""The base of all backends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

#: Seconds to wait for a connection and for each answer: less than the time between two samples.
TIMEOUT_SECS = 5


class BackendError(Exception):
    """The backend's figures cannot be read; the message says why."""


class Backend(ABC):
    """A path of the events to ClickHouse: a dataclass whose fields are options of monitor_load_test_tracking."""

    name: ClassVar[str]

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """The backend that the command's options describe."""
        return cls(**{field.name: options[field.name] for field in fields(cls)})  # type: ignore[arg-type]

    @abstractmethod
    def sample(self) -> dict[str, Any]:
        """The figures of this moment, for load_test_stats. Raises BackendError.

        ``lag`` is one of them: how many events (with Celery, tasks) are still on their way.
        """


def unknown(what: str, name: str, known: Iterable[str]) -> BackendError:
    """The error for an unknown name, which lists the known ones."""
    return BackendError(f"There is no {what} {name!r}; there is: {', '.join(sorted(known)) or 'none'}")
