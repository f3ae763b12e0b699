"""The folder of a show: for one show at a time, and empty at its start."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

#: Names the folder in the environment of each process of a show.
VARIABLE = "SHOW_FOLDER"


class FolderInUse(Exception):
    """Another show uses the folder; the message says so."""


def take(folder: Path) -> None:
    """Make the folder, empty, and lock it until this process ends. Raises FolderInUse.

    Processes that a killed show left behind are ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise FolderInUse(f"Another show runs in {folder}: end it with Ctrl-C first") from None
    for file in folder.glob("run/*.pid"):
        _end(file.read_text(), folder)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    os.environ[VARIABLE] = str(folder)


def _end(pid: str, folder: Path) -> None:
    """End a process, and those it has started, if it is of a show in this folder: its number may be another's now."""
    with suppress(OSError, ValueError):
        environment = Path(f"/proc/{int(pid)}/environ").read_bytes().split(b"\0")
        if f"{VARIABLE}={folder}".encode() in environment:
            os.killpg(int(pid), signal.SIGKILL)
