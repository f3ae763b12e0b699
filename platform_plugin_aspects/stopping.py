"""Ctrl-C, SIGTERM and SIGHUP (the terminal is closed) stop a command after its current piece of work."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from platform_plugin_aspects import databases

#: The exit code that shells give to a command that Ctrl-C ended.
INTERRUPTED = 130
#: The longest time that a pause lasts after the command was told to stop, in seconds.
LIGHT_SLEEP_SECS = 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable:
    """As a context, lets the first of SIGNALS set ``stopping``, and the second end the process.

    ``current``: the piece of work that is still finished, for the message.
    """

    stopping = False

    def __init__(self, current: str = "the current work") -> None:
        self.current = current
        self.former_handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # Ignored signals stay ignored, because a shell runs commands in the background that way.
            heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self.former_handlers = {number: signal.signal(number, self._stop) for number in heard}
        return self

    def __exit__(self, *_exception: Any) -> None:
        for number, handler in self.former_handlers.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopping = True
        # The second signal ends the process, as it does any other.
        signal.signal(number, signal.SIG_DFL)
        # There may be nobody left to read it.
        with suppress(OSError):
            # Not by print, which may be at work at this very moment.
            os.write(2, f"\nStopping after {self.current}; once more stops at once.\n".encode())

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass, until the command is to stop."""
        while seconds > 0 and not self.stopping:
            time.sleep(min(seconds, LIGHT_SLEEP_SECS))
            seconds -= LIGHT_SLEEP_SECS
        databases.check_before_use()

    def wants_to_stop(self) -> bool:
        """Whether to end after the current piece of work."""
        return self.stopping
