"""All boards of the package."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards import in_context
from platform_plugin_aspects.dashboards.boards.at_risk import AT_RISK
from platform_plugin_aspects.dashboards.boards.course import COURSE
from platform_plugin_aspects.dashboards.boards.forum import FORUM
from platform_plugin_aspects.dashboards.boards.learners import LEARNERS
from platform_plugin_aspects.dashboards.boards.parts import Board

ALL = (COURSE, AT_RISK, LEARNERS, FORUM, *in_context.BOARDS)


def boards(*, personal: bool) -> tuple[Board, ...]:
    """The boards of a site, in the order of the Reports tab. ``personal``: with those that show who learners are."""
    return tuple(board for board in ALL if personal or not board.is_personal)
