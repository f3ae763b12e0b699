"""The site's modulestore and its signals."""

import logging
from typing import Any

from django.dispatch import Signal

log = logging.getLogger(__name__)

# Sent in the CMS with sender=<store class> and course_key.
COURSE_PUBLISHED = Signal()
COURSE_DELETED = Signal()


class SignalHandler:
    """Sends the store's signals; receivers' errors are logged and go no further."""

    course_published = COURSE_PUBLISHED
    course_deleted = COURSE_DELETED

    def __init__(self, modulestore_class: type) -> None:
        self.modulestore_class = modulestore_class

    def send(self, signal_name: str, **kwargs: Any) -> None:
        """Send the signal of that name to all receivers."""
        signal: Signal = getattr(self, signal_name)
        for receiver, response in signal.send_robust(sender=self.modulestore_class, **kwargs):
            log.info("Sent %s to %s with %s; the response was %s", signal_name, receiver, kwargs, response)


_store: Any = None


def modulestore() -> Any:
    """Return the process's modulestore."""
    global _store
    if _store is None:
        from xmodule.modulestore.inmemory import InMemoryModuleStore

        _store = InMemoryModuleStore(SignalHandler(InMemoryModuleStore))
    return _store


def clear_existing_modulestores() -> None:
    """Forget the process's modulestore; the next call of ``modulestore`` makes a new one."""
    global _store
    _store = None
