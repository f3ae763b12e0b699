"""The style sheet of a board in Superset."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.parts import Board


def style(board: Board) -> str:
    """The style sheet, with the sentences of empty charts in the active language."""
    return ""
