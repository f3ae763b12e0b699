"""The base of all backends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, ClassVar, Self

from django.conf import settings

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


@dataclass(frozen=True)
class EventBus(Backend):
    """An event bus with a topic that a consumer group reads."""

    topic: str
    consumer_group: str

    @property
    def full_topic(self) -> str:
        """The topic with the prefix that both event buses give it."""
        prefix = getattr(settings, "EVENT_BUS_TOPIC_PREFIX", None)
        return f"{prefix}-{self.topic}" if prefix else self.topic


def optional(module: str, extra: str) -> Any:
    """A module that is installed only where it is used, with one of the package's extras."""
    try:
        return import_module(module)
    except ImportError:
        raise BackendError(f'{module} is not installed: pip install "platform-plugin-aspects[{extra}]"') from None


def required(name: str) -> Any:
    """The value of a setting of the event bus."""
    value = getattr(settings, name, None)
    if not value:
        raise BackendError(f"{name} is not set: this service does not use that event bus")
    return value


def unknown(what: str, name: str, known: Iterable[str]) -> BackendError:
    """The error for an unknown name, which lists the known ones."""
    return BackendError(f"There is no {what} {name!r}; there is: {', '.join(sorted(known)) or 'none'}")
