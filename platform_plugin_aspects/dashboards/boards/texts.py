"""Sentences that several charts say: definitions, and why there is nothing to see."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _

NOT_PUBLISHED = _("The course has not been published yet.")
NOBODY = _("Nobody has enrolled yet.")
NO_VISIT = _("No learner has visited the course yet.")
NO_ANSWER = _("Nobody has answered a problem here yet.")
NO_PLAY = _("Nobody has played a video here yet.")
NO_GRADE = _("Nobody has a grade yet.")
NO_GRADED = _("The course has no graded subsection yet.")
NO_WRONG_ANSWER = _("No wrong answer was given by enough learners to be shown.")

EVERYBODY = _("Everybody counts, whether still enrolled or not.")
UNITS = _(
    "Reached: learners who went to the unit or did something in it. Completed: learners who completed all that can be"
    " completed there. Everybody counts, whether still enrolled or not."
)
PROBLEMS = _(
    "Right at first: learners whose first answer was right in all parts. Remarks name unusual numbers."
    " Everybody who answered counts, whether still enrolled or not."
)
WRONG_ANSWERS = _(
    "First answers that were wrong, and how many learners gave them. Answers of few learners are hidden on sites whose"
    " boards show no names."
)
VIDEOS = _(
    "Watched: the share of the video that its learners saw, on average. Rewatched: the share of the played seconds that"
    " were repetitions. Everybody who played the video counts."
)
SECONDS = _(
    "Views: how often a second was played. Rewatches: how often it was played again by a learner who had played it."
)
SUBSECTIONS = _("Newest scores of everybody with a grade in the subsection, whether still enrolled or not.")
TENTHS = _("Learners who have a grade and have not left, by their newest grade. Few learners may be hidden.")
