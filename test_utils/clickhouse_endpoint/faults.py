"""Faults that a test puts between its client and the engine."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from .errors import NAMES, ClickHouseError

CUTS = ("refuse", "reset", "reset_after_execute")
HTTP_STATUSES = ("502", "503", "504")
# kind -> the options it takes
_OPTIONS = {
    **dict.fromkeys((*CUTS, *HTTP_STATUSES), frozenset()),
    **dict.fromkeys(("slow", "clock"), frozenset({"seconds"})),
    "too_many_parts": frozenset({"message"}),
    "exception": frozenset({"code", "name", "message"}),
}


@dataclass
class Fault:
    """One kind of failure and how many more requests meet it (None: all, until healed)."""

    kind: str
    times: int | None = 1
    match: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        allowed = _OPTIONS.get(self.kind)
        if allowed is None:
            raise ValueError(f"There is no fault {self.kind!r}; choose one of {', '.join(_OPTIONS)}.")
        if wrong := set(self.options) - allowed:
            raise ValueError(f"Fault {self.kind!r} has no option {', '.join(sorted(wrong))}.")
        if self.kind == "exception" and not isinstance(self.options.get("code"), int):
            raise ValueError("Fault 'exception' needs the number of a ClickHouse error: code=241.")
        if self.kind == "refuse" and self.match is not None:
            raise ValueError("Fault 'refuse' cannot match a statement: none is read. Use 'reset'.")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times={self.times!r} would never fail; give 1 or more, or None for all requests.")

    def concerns(self, statement: str) -> bool:
        if self.match is None or self.match in statement:
            return True
        try:
            return re.search(self.match, statement, re.IGNORECASE | re.DOTALL) is not None
        except re.error:
            return False  # meant as a substring

    @property
    def http_status(self) -> HTTPStatus | None:
        """The status to answer with, in the manner of a proxy in front of the server."""
        return HTTPStatus(int(self.kind)) if self.kind in HTTP_STATUSES else None

    @property
    def seconds(self) -> float:
        """How long to wait before the statement is executed."""
        return float(self.options.get("seconds", 1)) if self.kind == "slow" else 0.0

    def by_its_clock(self, sql: bytes) -> bytes:
        """The statement, with the time that a server with a wrong clock would say."""
        if self.kind != "clock":
            return sql
        ahead = f" + toIntervalSecond({int(self.options.get('seconds', 60))}))".encode()
        return re.sub(rb"\bnow64\(\d?\)", lambda found: b"(" + found[0] + ahead, sql)

    def error(self) -> ClickHouseError | None:
        """The server's own error to answer with, if it is that kind of fault."""
        if self.kind == "too_many_parts":
            default = "Too many parts (3001). Merges are processing significantly slower than inserts"
            return ClickHouseError(252, self.options.get("message", default))
        if self.kind != "exception":
            return None
        code = self.options["code"]
        name = self.options.get("name") or NAMES.get(code, "UNKNOWN_EXCEPTION")
        return ClickHouseError(code, self.options.get("message", f"Injected {name}"), name)


class Faults:
    """The faults in force. Each request meets the first that concerns it; several threads may ask at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._healed = threading.Event()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._healed.clear()
            self._faults.append(fault)

    def heal(self) -> None:
        """Take all faults back, and let slow requests go on at once."""
        with self._lock:
            self._faults.clear()
            self._healed.set()

    @property
    def pending(self) -> int:
        """How many faults nobody has met to the end."""
        return len(self._faults)

    def take(self, statement: str) -> Fault | None:
        """The fault that a request with this statement meets; it counts."""
        return self._take(lambda fault: fault.kind != "refuse" and fault.concerns(statement))

    def take_refusal(self) -> bool:
        """Whether a connection, or a request on an open one, is refused; it counts."""
        return self._take(lambda fault: fault.kind == "refuse") is not None

    def _take(self, wanted: Any) -> Fault | None:
        with self._lock:
            fault = next(filter(wanted, self._faults), None)
            if fault is not None and fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self._faults.remove(fault)
            return fault

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until heal()."""
        self._healed.wait(seconds)

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> Fault:
        """A fault from its JSON: kind, times, match, options. Raises ValueError, KeyError or TypeError."""
        options = dict(entry)
        return Fault(str(options.pop("kind")), options.pop("times", 1), options.pop("match", None), options)
