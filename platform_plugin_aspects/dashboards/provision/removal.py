"""Objects of former versions that no board has any more: deleted, where they are still the plugin's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from platform_plugin_aspects.dashboards.provision.change import CHART, DASHBOARD, DATASET, NAMES, Change, Run, listed
from platform_plugin_aspects.dashboards.provision.content import is_owner


def removal(run: Run) -> Iterator[Change]:
    """First dashboards, then charts, then datasets without charts. Objects that others own have become theirs."""
    for kind in (DASHBOARD, CHART, DATASET):
        wished = run.wished(kind)
        found = {
            int(row["id"]): str(row[NAMES[kind]])
            for uuid, row in run.present[kind].items()
            if uuid in run.former(kind) - set(wished) and is_owner(run, row)
        }
        if kind == DATASET:
            found = {number: name for number, name in found.items() if not _foreign_charts(run, number)}
        if found:
            plural = "s" if len(found) > 1 else ""
            yield Change(
                f"delete {len(found)} {kind}{plural} that no board has any more: {listed(list(found.values()))}",
                partial(_delete, run, kind, found),
            )


def _delete(run: Run, kind: str, ids: Iterable[int]) -> None:
    run.service.delete(kind, ids)
    run.forget("present")


def _foreign_charts(run: Run, dataset: int) -> bool:
    """Whether charts use the dataset that are not a former version's own."""
    related = run.reader.get(f"dataset/{dataset}/related_objects") or {}
    own = {int(row["id"]) for row in run.present[CHART].values()}
    return any(int(chart["id"]) not in own for chart in related.get("charts", {}).get("result", ()))
