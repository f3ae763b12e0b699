"""The memory of this process, as Linux tells it."""

from __future__ import annotations

from pathlib import Path

SELF = Path("/proc/self")


def now_mb() -> float:
    """MB that the process has now."""
    return _mb("VmRSS")


def peak_mb() -> float:
    """The most MB that it has had since its start, or since ``reset_peak``."""
    return _mb("VmHWM")


def reset_peak() -> None:
    """Let the peak begin with the present memory."""
    (SELF / "clear_refs").write_text("5")


def _mb(line: str) -> float:
    status = dict(each.split(":", 1) for each in (SELF / "status").read_text().splitlines())
    return int(status[line].split()[0]) / 1000
