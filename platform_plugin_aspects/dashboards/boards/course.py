"""The board of a course: how many learners there are, what they do, and where the course loses them."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.course_content import GRADES, OUTLINE, PROBLEMS, VIDEOS
from platform_plugin_aspects.dashboards.boards.house import bars, days, lines, number, over_days
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Board, Condition, Kind, Tab
from platform_plugin_aspects.dashboards.boards.texts import NO_GRADE, NO_VISIT, NOBODY, NOT_PUBLISHED

NUMBERS = (
    number(
        "course-active",
        _("How many are active?"),
        "course_summary",
        "active_7_days",
        _("Learners who did something in the course today or on the 6 days before, UTC."),
        NOT_PUBLISHED,
    ),
    number(
        "course-enrolled",
        _("How many are enrolled?"),
        "course_summary",
        "enrolled",
        _("Learners who are enrolled now, as the platform has it."),
        NOT_PUBLISHED,
    ),
    number(
        "course-progress",
        _("What is the median progress?"),
        "course_summary",
        "median_progress",
        _("The share of the course that the learner in the middle has completed. Those who left do not count."),
        NOBODY,
    ),
    number(
        "course-grade",
        _("What is the median grade?"),
        "course_summary",
        "median_grade",
        _("The grade of the learner in the middle, of those who have one and have not left."),
        NO_GRADE,
    ),
    number(
        "course-at-risk",
        _("How many are at risk?"),
        "course_summary",
        "at_risk",
        _("Enrolled learners who do not pass yet and have been away, are behind the others, or have a low grade."),
        NOT_PUBLISHED,
    ),
    number(
        "course-last-act",
        _("When was the last visit?"),
        "course_summary",
        "last_act",
        _("Moment at which a learner last did something in the course, UTC. Charts of activity end there."),
        NO_VISIT,
    ),
)
GROWTH = (
    lines(
        "course-enrollment-by-track-and-day",
        _("How does enrollment grow?"),
        "enrollment_by_track_and_day",
        "day",
        ("enrolled",),
        _("Learners who are enrolled now, by their track and by the day on which they enrolled."),
        NOBODY,
        kind=Kind.AREAS,
        split="mode",
    ),
    bars(
        "course-new-and-left",
        _("Who comes and who leaves?"),
        "enrollment_by_day",
        "day",
        ("new", "left"),
        _("Learners who enrolled on a day, and those who left on it, as statements say. Other days are left out."),
        NOBODY,
    ),
)
ENGAGEMENT = (
    over_days(
        "course-engagement-by-day",
        _("What do learners do?"),
        "engagement_by_day",
        ("learners", "with_videos", "with_problems", "with_forum"),
        _("Learners who did something on a day, UTC, by kind of activity. Days without a visit are left out."),
        NO_VISIT,
        # Room for the names of its lines.
        width=7,
    ),
    lines(
        "course-runs",
        _("Is this run as busy as the last?"),
        "run_comparison",
        "week",
        ("active_share",),
        _("The share of enrolled learners who did something, by week since the start. Weeks that are over count."),
        _("The first week of the course is not over yet, or no learner has visited it."),
        split="run",
        where=(Condition("is_over", "==", 1),),
    ),
)

COURSE = Board(
    "course",
    _("Course"),
    _("How many learners there are, what they do, and where the course loses them."),
    (
        Tab("overview", _("Overview"), (NUMBERS, GROWTH, ENGAGEMENT)),
        OUTLINE,
        PROBLEMS,
        VIDEOS,
        GRADES,
    ),
    (days("course", _("Days")),),
)
