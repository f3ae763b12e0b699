"""The processor time of processes, as Linux tells it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def processor_secs(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system time, by name, of processes and all that descend from them, those that ended included."""
    spent: dict[int, float] = {}
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the command, in parentheses, may hold spaces.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        spent[pid] = sum(map(int, fields[11:15])) / TICKS
    found = dict.fromkeys(pids, 0.0)
    names = {pid: name for name, pid in pids.items()}
    for pid, secs in spent.items():
        ancestor = pid
        while ancestor not in names and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor in names:
            found[names[ancestor]] += secs
    return found


class Meter:
    """Processor seconds of this process and of the servers, block by block, by name of what was measured."""

    def __init__(self) -> None:
        self.pids = {**json.loads(os.environ["BENCHMARK_PROCESSES"]), "client": os.getpid()}
        self.blocks: dict[str, list[Counter[str]]] = {}

    def measure(self, what: str, run: Callable[[], Any]) -> Any:
        """Run a block, and add what it took; returns what it returned."""
        before = processor_secs(self.pids)
        result = run()
        after = processor_secs(self.pids)
        self.blocks.setdefault(what, []).append(Counter({name: after[name] - before[name] for name in after}))
        return result

    def in_all(self) -> dict[str, Counter[str]]:
        """The seconds of all blocks."""
        return {what: sum(blocks, Counter()) for what, blocks in self.blocks.items()}

    def best(self) -> dict[str, Counter[str]]:
        """The seconds of the best block, because all else that the machine does can only add to them."""
        return {what: min(blocks, key=Counter.total) for what, blocks in self.blocks.items()}
