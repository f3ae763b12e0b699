"""Processes that suites start, each ready when it does its work; and the ClickHouse endpoint as one of them.

Each runs in a session of its own, writes to ``<folder>/logs/<name>.log`` and leaves its number in
``<folder>/run/<name>.pid``, where the script around a suite finds those that are left when it did not come to its end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

REPOSITORY = Path(__file__).resolve().parents[1]
POLL_SECS = 0.02
START_SECS = 60
ADMIN = ("ch_admin", "admin-password")


def until(condition: Callable[[], Any], seconds: float, what: str, otherwise: Callable[[], str] = str) -> Any:
    """Poll until ``condition`` returns something true, and return that; AssertionError after ``seconds``.

    ``what`` is said of the failure, followed by what ``otherwise`` returns.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds} s: {what}. {otherwise()}")
        time.sleep(POLL_SECS)
    return found


def free_port(preferred: int = 0) -> int:
    """Return a port of 127.0.0.1 that nobody listens on: the preferred one, if that is free."""
    with socket.socket() as found:
        if preferred:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                found.bind(("127.0.0.1", preferred))
            except OSError:
                return free_port()
            return preferred
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(url: str) -> bool:
    """Whether a GET of this address succeeds; on a busy machine, servers that start may be slow to answer."""
    try:
        return requests.get(url, timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):
        return False


class Process:
    """A command that runs until it is stopped or killed, and can be started again."""

    def __init__(self, name: str, folder: Path, command: Sequence[Any], environment: Mapping[str, str] | None = None):
        self.name = name
        self.command = [str(part) for part in command]
        self.environment = {**os.environ, **(environment or {})}
        self.log = folder / "logs" / f"{name}.log"
        self.pid_file = folder / "run" / f"{name}.pid"
        for file in (self.log, self.pid_file):
            file.parent.mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        self.log_start = 0

    def launch(self) -> None:
        """Start, without waiting for it to be ready."""
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                self.command,
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid_file.write_text(str(self.process.pid))

    def start(self) -> None:
        """Start and wait until it is ready; AssertionError, with its output, when it ends or does not come up."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Poll ``is_ready``."""
        until(self._ready_or_dead, START_SECS, f"{self.name} is ready", self.tail)

    def _ready_or_dead(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
        return self.is_ready()

    def is_ready(self) -> bool:
        """Whether it does its work."""
        raise NotImplementedError

    def stop(self, seconds: float = 30) -> None:
        """End it as an operator does; by force when it does not obey in time."""
        if self.process is not None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End it and all of its children with SIGKILL."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            self.pid_file.unlink(missing_ok=True)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """While it is there and does nothing: what is sent to it waits."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def output(self) -> str:
        """The process's output since its last start."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        """The end of its output, for messages."""
        return f"{self.name} wrote:\n" + "\n".join(self.output().splitlines()[-40:])


class Endpoint(Process):
    """ClickHouse's HTTP interface over the embedded engine; its data outlives the process."""

    def __init__(self, folder: Path):
        self.port = free_port()
        command = [sys.executable, "-m", "test_utils.clickhouse_endpoint"]
        super().__init__("clickhouse", folder, [*command, "--path", folder / "clickhouse", "--port", self.port])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        return answers(f"{self.url}/ping")

    def fail(self, kind: str, times: int | None = 1, match: str = "INSERT", **options: Any) -> None:
        """As ClickHouseEndpoint.fail."""
        self._control("POST", "/_faults", {"kind": kind, "times": times, "match": match, **options})

    def heal(self) -> None:
        """Take all faults back; requests that are held go on."""
        self._control("DELETE", "/_faults")

    def pending_faults(self) -> int:
        """How many faults no request, or not yet as many as were wanted, have met."""
        return self._control("GET", "/_faults")["pending"]

    def requests(self) -> list[dict[str, Any]]:
        """The requests that were answered since the last ``clear``."""
        return self._control("GET", "/_requests")

    def clear(self) -> None:
        """Forget the requests."""
        self._control("DELETE", "/_requests")

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.url + path, json=body, auth=ADMIN, timeout=30)
        answer.raise_for_status()
        return answer.json()
