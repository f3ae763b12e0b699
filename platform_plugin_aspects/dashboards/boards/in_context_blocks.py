"""The boards that Studio shows beside a problem and a video."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards import texts
from platform_plugin_aspects.dashboards.boards.house import for_studio, lines, numbers, table
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Condition, Order

#: Rows of problems and videos that a learner has met.
SEEN = (Condition("learners", ">", 0),)

RESULTS = numbers(
    "in-context-problem",
    "problem_performance",
    {
        "learners": (_("How many answered?"), _("Learners who answered, whether still enrolled or not.")),
        "first_try_share": (
            _("How many were right at first?"),
            _("Share of them whose first answer was right in all parts."),
        ),
    },
    texts.NO_ANSWER,
    where=SEEN,
)
REMARKS = table(
    "in-context-problem-remarks",
    _("Does it teach badly?"),
    "problem_performance",
    ("flags", "right_last", "attempts_mean", "asked_hint", "asked_answer", "discrimination"),
    texts.PROBLEMS,
    texts.NO_ANSWER,
    where=SEEN,
    height=25,
)
WRONG = table(
    "in-context-problem-answers",
    _("Which wrong answers are frequent?"),
    "problem_answers",
    ("question", "answer", "learners", "share"),
    texts.WRONG_ANSWERS,
    texts.NO_WRONG_ANSWER,
    order=(Order("learners", descending=True),),
    height=40,
)
PROBLEM = for_studio(
    "problem", _("Problem"), (RESULTS, (REMARKS,), (WRONG,)), "29CPcbirK", "TJwItQhUI", "problem_performance"
)

PLAYED = numbers(
    "in-context-video",
    "video_watch",
    {
        "learners": (_("How many played it?"), _("Learners who played some of it, whether still enrolled or not.")),
        "watched_share": (_("How much do they watch?"), _("Share of the video that they saw, on average.")),
    },
    texts.NO_PLAY,
    where=SEEN,
)
SECONDS = lines(
    "in-context-video-seconds",
    _("What is watched again?"),
    "video_seconds",
    "second",
    ("views", "rewatches"),
    texts.SECONDS,
    texts.NO_PLAY,
    limit=10_000,
)
VIDEO = for_studio("video", _("Video"), (PLAYED, (SECONDS,)), "uaxvZkSAg", "Fse4rzDW0", "video_watch")
