"""The terminal, for programs that `make` runs until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def terminal_of_our_own() -> Iterator[None]:
    """Take Ctrl-C from make, which would report an error, until the end."""
    if not sys.stdin.isatty() or os.getpgrp() == os.getpid():
        yield
        return
    former = os.getpgrp()
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)
    os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(sys.stdin.fileno(), former)
