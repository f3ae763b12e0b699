"""The board of learners one by one: find a learner, and follow the path. It shows names."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.house import in_course_order, table
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Board, Choice, Order, Tab
from platform_plugin_aspects.dashboards.boards.texts import NO_VISIT

FIND = table(
    "learners-status",
    _("How is each learner doing?"),
    "learner_status_with_names",
    (
        *("username", "name", "email", "enrollment", "mode", "last_visit", "days_active"),
        *("progress", "grade", "problems_right", "videos", "posts"),
    ),
    _(
        "Progress: the share of the course that the learner completed. Everybody with a statement about an enrollment"
        " or a visit is listed. Names are empty for those whom the platform no longer knows."
    ),
    _("Nobody has enrolled or visited the course yet."),
    shaded=("progress", "grade"),
    order=(Order("username"),),
    limit=10_000,
    height=60,
)
PATH = table(
    "learners-path",
    _("What path did a learner take?"),
    "learner_path",
    (
        *("username", "place", "subsection_name", "unit_name", "first_visit", "last_visit", "completed_share"),
        *("problems", "right_first", "videos"),
    ),
    _(
        "Units that the learner reached, in the order of the course. Choose a learner by a click on the username."
        " Problems and videos are those that the learner answered and played."
    ),
    NO_VISIT,
    shaded=("completed_share",),
    order=(Order("username"), *in_course_order()),
    height=70,
)

LEARNERS = Board(
    "learners",
    _("Learners"),
    _("Find a learner, and see the path through the course."),
    (Tab("learners", _("Learners"), ((FIND,), (PATH,))),),
    (Choice("NATIVE_FILTER-aspects-learners-username", _("Learner"), "learner_names", "username"),),
)
