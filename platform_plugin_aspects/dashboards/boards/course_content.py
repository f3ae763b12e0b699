"""The tabs of a course's board about its content: where learners stop, and what teaches badly."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards import texts
from platform_plugin_aspects.dashboards.boards.house import bars, heat, in_course_order, table, worst_first
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Condition, Order, Tab

DROP_OFF = bars(
    "course-drop-off",
    _("Where do learners stop?"),
    "course_outline",
    "place",
    ("learners_reached", "learners_completed"),
    texts.UNITS,
    texts.NOT_PUBLISHED,
)
STRIP = heat(
    "course-outline-heat",
    _("Which units do they reach?"),
    "course_outline",
    "unit",
    "subsection_place",
    "learners_reached",
    _("A row is a subsection, and a cell one of its units. The darker the cell, the more learners reached the unit."),
    texts.NOT_PUBLISHED,
)
UNITS = table(
    "course-outline",
    _("How did each unit go?"),
    "course_outline",
    (
        *("place", "section_name", "subsection_name", "unit_name", "learners_reached", "learners_completed"),
        *("right_first_share", "to_end_share"),
    ),
    texts.UNITS,
    texts.NOT_PUBLISHED,
    shaded=("learners_reached", "learners_completed"),
    order=in_course_order(),
)
OUTLINE = Tab("outline", _("Outline"), ((DROP_OFF,), (STRIP,), (UNITS,)))

HARD = table(
    "course-problems",
    _("Which problems teach badly?"),
    "problem_performance",
    (
        *("flags", "problem_name", "subsection_name", "unit_name", "learners", "first_try_share", "right_last"),
        *("attempts_mean", "asked_hint", "asked_answer", "discrimination"),
    ),
    texts.PROBLEMS,
    texts.NO_ANSWER,
    shaded=("first_try_share",),
    where=(Condition("learners", ">", 0),),
    order=worst_first(),
)
WRONG = table(
    "course-wrong-answers",
    _("Which wrong answers are frequent?"),
    "problem_answers",
    ("problem_name", "question", "answer", "learners", "share"),
    texts.WRONG_ANSWERS,
    texts.NO_WRONG_ANSWER,
    order=(Order("learners", descending=True),),
)
PROBLEMS = Tab("problems", _("Problems"), ((HARD,), (WRONG,)))

WATCHED = table(
    "course-videos",
    _("Which videos are watched?"),
    "video_watch",
    (
        *("video_name", "subsection_name", "unit_name", "length", "learners", "learners_to_end"),
        *("watched_share", "rewatched_share"),
    ),
    texts.VIDEOS,
    _("The course has no video yet."),
    shaded=("watched_share", "rewatched_share"),
    order=in_course_order(),
)
MINUTES = heat(
    "course-video-minutes",
    _("Which minutes are watched again?"),
    "video_minutes",
    "minute",
    "video_place",
    "rewatches",
    _("How often the most rewatched second of a minute was played by learners who had played it before."),
    texts.NO_PLAY,
    limit=10_000,
)
VIDEOS = Tab("videos", _("Videos"), ((MINUTES,), (WATCHED,)))

SPREAD = bars(
    "course-grades",
    _("How are the grades spread?"),
    "grade_distribution",
    "tenth",
    ("learners",),
    texts.TENTHS,
    texts.NO_GRADE,
    where=(Condition("is_course", "==", 1),),
)
GRADED = table(
    "course-graded-subsections",
    _("How did graded subsections go?"),
    "graded_subsections",
    ("section_name", "subsection_name", "learners", "mean_score", "median_score", "full_score"),
    texts.SUBSECTIONS,
    texts.NO_GRADED,
    shaded=("mean_score",),
    order=in_course_order(),
)
GRADES = Tab("grades", _("Grades"), ((SPREAD,), (GRADED,)))
