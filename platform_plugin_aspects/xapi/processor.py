"""The door to edx-event-routing-backends (ERB): its processor, with the look-ups of a batch in place of its own.

ERB is imported when it is used. While a batch is transformed, the functions by which ERB's transformers look up
learners and courses are replaced by ones that serve the thread with the batch, and call ERB's own in all others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings

from platform_plugin_aspects.xapi.courses import Courses
from platform_plugin_aspects.xapi.learners import Learners

PACKAGE = "event_routing_backends"
TRANSFORMERS = f"{PACKAGE}.processors.xapi"
#: The modules of ERB that hold the functions to replace under their own names.
HOLDERS = (
    f"{TRANSFORMERS}.transformer",
    f"{TRANSFORMERS}.event_transformers.enrollment_events",
    f"{TRANSFORMERS}.event_transformers.grading_events",
)
#: ERB's loggers that would print the statements, or learners' names with a traceback.
LOGGERS = ("xapi_tracking", f"{PACKAGE}.helpers", f"{PACKAGE}.processors.mixins.base_transformer_processor")


class NotUsable(Exception):
    """Statements cannot be made in this service; the text says why, and what to do."""


@dataclass(frozen=True)
class Lookups:
    """The learners and the courses of a batch."""

    learners: Learners
    courses: Courses


def why_not_usable() -> str:
    """Why no statement can be made in this service, and what to do; empty when they can be made."""
    if find_spec(PACKAGE) is None:
        return "the package edx-event-routing-backends is not installed: install platform-plugin-aspects[xapi]"
    if not apps.is_installed(PACKAGE):
        return f"{PACKAGE} is not in INSTALLED_APPS: install edx-event-routing-backends where the platform runs"
    if not getattr(settings, "XAPI_EVENTS_ENABLED", False):
        return "XAPI_EVENTS_ENABLED is off: set it to True"
    if import_module(f"{PACKAGE}.helpers").ExternalId is None:
        return "edx-event-routing-backends does not find edx-platform's external ids: install a release for it"
    return ""


@cache
def helpers() -> Any:
    """ERB's module of functions that look things up."""
    return import_module(f"{PACKAGE}.helpers")


@cache
def processor() -> Any:
    """ERB's XApiProcessor."""
    return import_module(f"{TRANSFORMERS}.transformer_processor").XApiProcessor()


def learner_of(event: Mapping[str, Any]) -> Any:
    """The user id or username that ERB will look up for an event; None when there is none, or no transformer."""
    try:
        return processor().registry.get_transformer(event).extract_username_or_userid()
    except Exception:
        # It is transformed later, and then the error is told.
        return None


class _Replaced:
    """The functions that are replaced while at least one thread transforms a batch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._originals: list[tuple[Any, str, Any]] = []

    def begin(self) -> None:
        """A thread begins a batch."""
        with self._lock:
            self._threads += 1
            if self._threads == 1:
                self._replace()

    def end(self) -> None:
        """A thread has ended its batch: ERB is as it was when it was the last."""
        with self._lock:
            self._threads -= 1
            if self._threads == 0:
                for module, name, original in self._originals:
                    setattr(module, name, original)
                self._originals = []

    def _replace(self) -> None:
        own = helpers()
        for module in map(import_module, HOLDERS):
            for name, replacement in _REPLACEMENTS.items():
                original: Any = getattr(own, name)
                # Left alone where an operator's plugin has put another one.
                is_own = vars(module).get(name) is original
                if is_own:
                    self._originals.append((module, name, original))
                    setattr(module, name, replacement(original))


def _external_id(original: Callable[..., str]) -> Callable[..., str]:
    @wraps(original)
    def look_up(username_or_id: Any, external_type: str) -> str:
        lookups = _current()
        if lookups is None or external_type != "XAPI":
            return original(username_or_id, external_type)
        return lookups.learners.external_id(username_or_id)

    return look_up


def _email(original: Callable[..., str]) -> Callable[..., str]:
    @wraps(original)
    def look_up(username_or_id: Any) -> str:
        lookups = _current()
        return original(username_or_id) if lookups is None else lookups.learners.email(username_or_id)

    return look_up


def _course(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def look_up(course_id: Any) -> Any:
        lookups = _current()
        return original(course_id) if lookups is None else lookups.courses.get(course_id)

    return look_up


_REPLACEMENTS: Mapping[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "get_anonymous_user_id": _external_id,
    "get_user_email": _email,
    "get_course_from_id": _course,
}
_replaced = _Replaced()
_of_thread = threading.local()


def _current() -> Lookups | None:
    lookups: Lookups | None = getattr(_of_thread, "lookups", None)
    return lookups


@contextmanager
def serving(lookups: Lookups) -> Iterator[None]:
    """In this thread, ERB's transformers look up learners and courses in ``lookups``."""
    _replaced.begin()
    _of_thread.lookups = lookups
    try:
        yield
    finally:
        _of_thread.lookups = None
        _replaced.end()


@contextmanager
def silent() -> Iterator[None]:
    """In this thread, ERB logs nothing: statements and errors are dealt with here."""
    _filter_loggers()
    _of_thread.is_silent = True
    try:
        yield
    finally:
        _of_thread.is_silent = False


@cache
def _filter_loggers() -> None:
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_is_of_others)


def _is_of_others(_record: logging.LogRecord) -> bool:
    return not getattr(_of_thread, "is_silent", False)
