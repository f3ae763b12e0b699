"""The boards that Studio shows beside a course and a graded subsection, and the list of all that Studio shows."""

from __future__ import annotations

from dataclasses import replace

from platform_plugin_aspects.dashboards.boards import course_content, texts
from platform_plugin_aspects.dashboards.boards.house import (
    bars,
    for_studio,
    in_course_order,
    numbers,
    table,
    worst_first,
)
from platform_plugin_aspects.dashboards.boards.in_context_blocks import PROBLEM, SEEN, VIDEO
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _

#: As the board of the course has it.
DROP_OFF = replace(course_content.DROP_OFF, name="in-context-course-drop-off")
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
    {
        "learners": (_("How many have a score?"), _("Learners with a score here, whether still enrolled or not.")),
        "median_score": (_("What is the median score?"), _("The newest score of the learner in the middle.")),
    },
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

BOARDS = (COURSE, SEQUENTIAL, PROBLEM, VIDEO)
