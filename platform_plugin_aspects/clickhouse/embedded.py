"""The folder of the embedded engine, which one process at a time can open."""

from __future__ import annotations

import fcntl
import re
from pathlib import Path

from platform_plugin_aspects.clickhouse.errors import Misconfigured

#: The engine writes its process there, and locks the file while it has the folder open.
STATUS = "status"
UNKNOWN = 0


def holder(path: str | Path) -> int | None:
    """The process that has this folder open; UNKNOWN when it does not say its number, None when none has.

    ``path`` may carry options of the engine: ``/folder?name=value``.
    """
    file = Path(str(path).partition("?")[0]) / STATUS
    try:
        with file.open(errors="replace") as status:
            try:
                fcntl.flock(status, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found = re.search(r"^PID: (\d{1,18})$", status.read(1000), re.MULTILINE)
                return int(found[1]) if found else UNKNOWN
    except OSError:
        pass
    return None


class EngineInUse(Misconfigured):
    """Another process has the folder of the embedded engine open. ``problem`` and ``remedy``: the text's two parts."""

    def __init__(self, path: str | Path, pid: int):
        folder = str(path).partition("?")[0]
        process = f"process {pid}" if pid else "another process"
        show = f" (`ps -fp {pid}` shows it)" if pid else ""
        self.problem = f"The embedded ClickHouse engine in {folder} is in use by {process}"
        self.remedy = (
            f"wait until it ends or stop it{show}, because one process at a time can open the folder; "
            "a site of several processes needs a ClickHouse server"
        )
        super().__init__(f"{self.problem}: {self.remedy}")
