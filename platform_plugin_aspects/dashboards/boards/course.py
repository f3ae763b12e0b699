"""The board of a course: how many learners, what they do, and where the course loses them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_plugin_aspects.dashboards.boards.house import bars, days, in_course_order, number, over_days, table
from platform_plugin_aspects.dashboards.boards.parts import Board, Tab

NOBODY = _("Nobody has enrolled yet.")
NO_VISIT = _("No learner has visited the course yet.")
NOT_PUBLISHED = _("The course has no published unit yet.")

OVERVIEW = Tab(
    "overview",
    _("Overview"),
    (
        (
            number(
                "course-active",
                _("Who was active this week?"),
                "course_summary",
                "active_7_days",
                _("Learners who did something in the course today or on the 6 days before, UTC."),
                NO_VISIT,
            ),
            number(
                "course-enrolled",
                _("Who is enrolled?"),
                "course_summary",
                "enrolled",
                _("Learners who are enrolled now, as the platform has it."),
                NOBODY,
            ),
        ),
        (
            over_days(
                "course-enrollment-by-day",
                _("How does enrollment grow?"),
                "enrollment_by_day",
                ("enrolled",),
                _("Learners who had enrolled by the end of the day, less those who had left by then."),
                NOBODY,
                width=8,
            ),
            bars(
                "course-enrollment-by-track",
                _("Which tracks do they choose?"),
                "enrollment_by_track",
                "mode",
                ("enrolled",),
                _("Learners who are enrolled now, by enrollment track, as the platform has it."),
                NOBODY,
            ),
        ),
    ),
)
OUTLINE = Tab(
    "outline",
    _("Outline"),
    (
        (
            table(
                "course-outline",
                _("Where do learners stop?"),
                "course_outline",
                ("section_name", "subsection_name", "unit_name", "learners_reached", "learners_completed"),
                _("Units of the course as it was last published, and everybody with a visit, also if they left since."),
                NOT_PUBLISHED,
                shaded=("learners_reached", "learners_completed"),
                order=in_course_order(),
            ),
        ),
    ),
)

COURSE = Board(
    "course",
    _("Course"),
    _("How many learners there are, what they do, and where the course loses them."),
    (OVERVIEW, OUTLINE),
    (days("course", _("Days")),),
)
