"""The board of a course's forum: how much is written and read."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.house import bars, days, over_days, table
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Board, Order, Tab

NOTHING = _("Nobody has read or written in the forum yet.")
ON_DAYS = _("Everybody counts, whether still enrolled or not. Days without an activity in the forum are left out.")

POSTS = bars(
    "forum-posts",
    _("How much is written and read?"),
    "forum_activity",
    "day",
    ("posts", "views"),
    _("Posts: threads, responses and comments written on a day, UTC. Views: threads read."),
    NOTHING,
)
LEARNERS = over_days(
    "forum-learners",
    _("How many take part?"),
    "forum_activity",
    ("learners", "learners_posting"),
    _("Learners who read, wrote or voted in the forum on a day, UTC, and those of them who wrote."),
    NOTHING,
)
DAYS = table(
    "forum-days",
    _("Which days were busy?"),
    "forum_activity",
    ("day", "posts", "learners_posting", "views", "learners"),
    ON_DAYS,
    NOTHING,
    shaded=("posts", "views"),
    order=(Order("day", descending=True),),
)

FORUM = Board(
    "forum",
    _("Forum"),
    _("How much is written and read in the forum."),
    (Tab("forum", _("Forum"), ((POSTS, LEARNERS), (DAYS,))),),
    (days("forum", _("Days")),),
)
