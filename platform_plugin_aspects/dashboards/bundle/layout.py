"""The places of the parts of a board: Superset's ``position`` of a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platform_plugin_aspects.dashboards.boards.parts import COLUMNS, Board, Chart, Tab

JSON = dict[str, Any]
ROOT, GRID, HEADER, TABS = "ROOT_ID", "GRID_ID", "HEADER_ID", "TABS-board"


def position(board: Board, uuids: Mapping[str, str], titles: Mapping[str, str]) -> JSON:
    """The position of each part. ``uuids`` and ``titles`` are those of the charts, by their names.

    Charts have numbers from 1, in order; Superset puts its own in their place.
    """
    found: JSON = {
        "DASHBOARD_VERSION_KEY": "v2",
        ROOT: {"type": "ROOT", "id": ROOT, "children": [GRID]},
        GRID: {"type": "GRID", "id": GRID, "children": [], "parents": [ROOT]},
        HEADER: {"type": "HEADER", "id": HEADER, "meta": {"text": str(board.title)}},
    }
    numbers = {chart.name: number for number, chart in enumerate(board.charts, 1)}

    def add_rows(tab: Tab, parent: str, parents: list[str]) -> None:
        for place, row in enumerate(tab.rows):
            row_id = f"ROW-{tab.name}-{place}"
            found[parent]["children"].append(row_id)
            found[row_id] = {
                "type": "ROW",
                "id": row_id,
                "children": [f"CHART-{chart.name}" for chart in row],
                "parents": parents,
                "meta": {"background": "BACKGROUND_TRANSPARENT"},
            }
            for chart, width in zip(row, widths(row), strict=True):
                found[f"CHART-{chart.name}"] = {
                    "type": "CHART",
                    "id": f"CHART-{chart.name}",
                    "children": [],
                    "parents": [*parents, row_id],
                    "meta": {
                        "chartId": numbers[chart.name],
                        "uuid": uuids[chart.name],
                        "sliceName": titles[chart.name],
                        "width": width,
                        "height": chart.height,
                    },
                }

    if len(board.tabs) == 1:
        add_rows(board.tabs[0], GRID, [ROOT, GRID])
        return found
    found[GRID]["children"].append(TABS)
    found[TABS] = {"type": "TABS", "id": TABS, "children": [], "parents": [ROOT, GRID], "meta": {}}
    for tab in board.tabs:
        tab_id = f"TAB-{tab.name}"
        found[TABS]["children"].append(tab_id)
        found[tab_id] = {
            "type": "TAB",
            "id": tab_id,
            "children": [],
            "parents": [ROOT, GRID, TABS],
            "meta": {"text": str(tab.title)},
        }
        add_rows(tab, tab_id, [ROOT, GRID, TABS, tab_id])
    return found


def widths(row: tuple[Chart, ...]) -> list[int]:
    """The widths of a row's charts, which are COLUMNS together."""
    free = [chart for chart in row if not chart.width]
    left = COLUMNS - sum(chart.width for chart in row)
    shares = iter([left // len(free) + (place < left % len(free)) for place in range(len(free))]) if free else iter(())
    return [chart.width or next(shares) for chart in row]
