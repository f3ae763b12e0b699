"""A board with a chart of each kind, and what else the tests of bundles share."""

from __future__ import annotations

from platform_plugin_aspects.dashboards.boards.house import bars, days, heat, in_course_order, number, over_days, table
from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _
from platform_plugin_aspects.dashboards.boards.parts import Board, Chart, Choice, Condition, Kind, Measure, Tab
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection

DATABASE = DatabaseConnection("clickhouse.example.com", 8123, "ch_report", "aspects_reports")
LANGUAGES = ("en", "ar", "es-419", "fr")
TRACKS = Chart(
    "small-tracks",
    Kind.AREAS,
    "Which tracks?",
    "enrollment_by_track",
    about="Learners, by track.",
    empty="Nobody has enrolled yet.",
    measures=(Measure("enrolled"),),
    by="mode",
)
#: One chart of each kind, in two tabs.
SMALL = Board(
    "small",
    "A “small” board: 100 %",
    "For this test.",
    (
        Tab(
            "learners",
            "Learners",
            (
                (
                    number("small-active", "Active?", "course_summary", "active_7_days", "Learners.", "None.", width=4),
                    over_days("small-days", "When?", "enrollment_by_day", ("new", "left"), "Learners.", "None."),
                ),
                (TRACKS, bars("small-bars", "How many?", "enrollment_by_track", "mode", ("enrolled",), "All.", ".")),
            ),
        ),
        Tab(
            "content",
            "المحتوى",
            (
                (heat("small-heat", "Which?", "course_outline", "unit", "section_name", "learners_reached", ".", "."),),
                (
                    table(
                        "small-table",
                        "Where?",
                        "course_outline",
                        ("unit_name", "learners_reached", "right_first_share"),
                        "Units.",
                        "The course is not published.",
                        shaded=("learners_reached",),
                        where=(Condition("learners_reached", ">", 0),),
                        order=in_course_order(),
                    ),
                ),
            ),
        ),
    ),
    (days("small", "Days"), Choice("NATIVE_FILTER-small", "Block", "course_outline", "block_id")),
)
#: The catalogs have its title.
TRANSLATED = Board("translated", _("Course Dashboard"), "", (Tab("t", "T", ((TRACKS,),)),))
