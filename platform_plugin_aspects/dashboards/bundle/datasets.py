"""A view of the reports as Superset's dataset: its columns with their types. It has no SQL and no metrics.

One dataset serves the boards of all languages, see ADR 0017.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import override

from platform_plugin_aspects.dashboards.boards.labels import LABELS
from platform_plugin_aspects.dashboards.bundle.identity import uuid_of
from platform_plugin_aspects.reporting.relation import Column, Relation

#: Superset's version of the form of its files.
VERSION = "1.0.0"
#: Seconds for which Superset may keep what ClickHouse answered, if it has a cache.
CACHE_SECS = 60
#: The column by which charts show days.
DAY = "day"
TEXT, WHOLE, FRACTION, TRUTH, DATE, MOMENT = "String", "Int64", "Float64", "Bool", "Date", "DateTime64(6)"
#: The type of each column other than texts, as Superset needs to know it: numbers have no size.
TYPES = {
    **dict.fromkeys(
        (
            *("active", "active_7_days", "active_7_days_before", "answering", "asked_answer", "asked_hint", "at_risk"),
            *("attempts", "attempts_most", "completing", "course_order", "days_active", "enrolled", "full_score"),
            *(
                "learners",
                "learners_completed",
                "learners_posting",
                "learners_reached",
                "learners_to_end",
                "left",
                "minute",
            ),
            *("left_7_days", "new", "new_7_days", "passed", "posts", "problems", "problems_right", "question"),
            *("rewatches", "right_first", "right_last", "runs_back", "second", "seconds_played", "seconds_watched"),
            *("section", "subsection", "unit", "user_id", "videos", "views", "week", "with_forum", "with_pages"),
            *("with_problems", "with_videos"),
        ),
        WHOLE,
    ),
    **dict.fromkeys(
        (
            *(
                "active_share",
                "attempts_mean",
                "completed_share",
                "discrimination",
                "first_try_share",
                "grade",
                "length",
                "mean_score",
            ),
            *("median_grade", "median_progress", "median_score", "progress", "rewatched_share", "right_first_share"),
            *("share", "to_end_share", "watched_share"),
        ),
        FRACTION,
    ),
    **dict.fromkeys(("completable", "graded", "has_completed", "is_course", "is_over"), TRUTH),
    **dict.fromkeys((DAY, "starts_on"), DATE),
    **dict.fromkeys(
        ("as_of", "ends_at", "enrolled_at", "first_visit", "last_act", "last_visit", "published_at", "starts_at"),
        MOMENT,
    ),
}
#: Numbers of a course, but whether they hold of a learner.
_OF_LEARNERS = {"at_risk": TRUTH, "passed": TRUTH}


def type_of(relation: Relation, column: str) -> str:
    """The type of a column, as Superset needs to know it: one of TEXT, WHOLE, FRACTION, TRUTH, DATE, MOMENT."""
    if "actor_id" in {found.name for found in relation.columns}:
        return _OF_LEARNERS.get(column) or TYPES.get(column, TEXT)
    return TYPES.get(column, TEXT)


def has_days(relation: Relation) -> bool:
    """Whether a range of days concerns the view."""
    return any(column.name == DAY for column in relation.columns)


def dataset(relation: Relation, database: str, schema: str) -> dict[str, Any]:
    """The content of a dataset's file. ``database``: the UUID of Superset's connection."""
    # As the header of the view: not of a language of the boards.
    with override("en"):
        columns = [_column(relation, column) for column in relation.columns]
    return {
        "table_name": relation.name,
        "main_dttm_col": DAY if has_days(relation) else None,
        "description": f"One row: {relation.head['One row']} Population: {relation.head['Population']}",
        "cache_timeout": CACHE_SECS,
        "schema": schema,
        "sql": None,
        "filter_select_enabled": True,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "columns": columns,
        "metrics": [],
        "uuid": uuid_of("dataset", relation.name),
        "version": VERSION,
        "database_uuid": database,
    }


def _column(relation: Relation, column: Column) -> dict[str, Any]:
    label = LABELS.get(column.name)
    return {
        "column_name": column.name,
        "verbose_name": str(label.text) if label else None,
        "is_dttm": type_of(relation, column.name) in (DATE, MOMENT),
        "is_active": True,
        "type": type_of(relation, column.name),
        "groupby": True,
        "filterable": True,
        "expression": None,
        "description": column.definition,
    }
