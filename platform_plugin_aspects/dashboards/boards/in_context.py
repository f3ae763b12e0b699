"""The boards that Studio shows beside the content, each with the filters that Studio fills in."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_plugin_aspects.dashboards.boards import texts
from platform_plugin_aspects.dashboards.boards.house import (
    bars,
    for_studio,
    in_course_order,
    lines,
    numbers,
    table,
    worst_first,
)
from platform_plugin_aspects.dashboards.boards.parts import Condition, Order

SEEN = (Condition("learners", ">", 0),)

DROP_OFF = bars(
    "in-context-course-drop-off",
    _("Where do learners stop?"),
    "course_outline",
    "place",
    ("learners_reached", "learners_completed"),
    texts.UNITS,
    texts.NOT_PUBLISHED,
)
ALL_PROBLEMS = table(
    "in-context-course-problems",
    _("Which problems teach badly?"),
    "problem_performance",
    ("problem_name", "learners", "first_try_share", "flags"),
    texts.PROBLEMS,
    texts.NO_ANSWER,
    where=SEEN,
    order=worst_first(),
)
ALL_VIDEOS = table(
    "in-context-course-videos",
    _("Which videos are watched?"),
    "video_watch",
    ("video_name", "learners", "watched_share", "rewatched_share"),
    texts.VIDEOS,
    texts.NO_PLAY,
    where=SEEN,
    order=in_course_order(),
)
COURSE = for_studio("course", _("Course"), ((DROP_OFF,), (ALL_PROBLEMS,), (ALL_VIDEOS,)), "QLQbulmHH")

SCORES = numbers(
    "in-context-sequential",
    "graded_subsections",
    {"learners": _("How many have a grade?"), "median_score": _("How good are they?")},
    texts.SUBSECTIONS,
    texts.NO_GRADE,
)
SPREAD = bars(
    "in-context-sequential-scores",
    _("How are the scores spread?"),
    "grade_distribution",
    "tenth",
    ("learners",),
    texts.TENTHS,
    texts.NO_GRADE,
)
ITS_PROBLEMS = table(
    "in-context-sequential-problems",
    _("Which problems teach badly?"),
    "subsection_problems",
    ("problem_name", "learners", "first_try_share", "attempts_mean", "flags"),
    texts.PROBLEMS,
    texts.NO_ANSWER,
    where=SEEN,
    order=worst_first(),
)
SEQUENTIAL = for_studio(
    "sequential",
    _("Graded subsection"),
    (SCORES, (SPREAD,), (ITS_PROBLEMS,)),
    "oPAuR7ahy",
    "CBWbI7uLq",
    "graded_subsections",
)

RESULTS = numbers(
    "in-context-problem",
    "problem_performance",
    {"learners": _("How many answered?"), "first_try_share": _("How many were right at first?")},
    texts.PROBLEMS,
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
    {"learners": _("How many played it?"), "watched_share": _("How much do they watch?")},
    texts.VIDEOS,
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

BOARDS = (COURSE, SEQUENTIAL, PROBLEM, VIDEO)
