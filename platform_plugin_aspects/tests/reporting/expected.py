"""The rows that the views for boards must show of a class, by the scripts of the learners alone: no SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platform_plugin_aspects.tests.reporting.expected_content import Content
from platform_plugin_aspects.tests.reporting.expected_days import Days
from platform_plugin_aspects.tests.reporting.expected_learners import Learners

#: The views for boards, with the columns that tell the rows of a course apart.
VIEWS: dict[str, Sequence[str]] = {
    "course_names": (),
    "course_structure": ("usage_key",),
    "video_watch": ("usage_key",),
    "video_seconds": ("usage_key", "second"),
    "video_minutes": ("usage_key", "minute"),
    "problem_performance": ("usage_key",),
    "subsection_problems": ("usage_key",),
    "problem_answers": ("usage_key", "question", "answer"),
    "graded_subsections": ("usage_key",),
    "grade_distribution": ("usage_key", "tenth"),
    "course_outline": ("usage_key",),
    "learner_status": ("actor_id",),
    "at_risk_reasons": ("reason",),
    "learner_names": ("actor_id",),
    "learner_status_with_names": ("actor_id",),
    "learner_path": ("actor_id", "usage_key"),
    "course_summary": (),
    "course_summary_before": (),
    "enrollment_by_day": ("day",),
    "enrollment_by_track": ("mode",),
    "enrollment_by_track_and_day": ("mode", "day"),
    "engagement_by_day": ("day",),
    "forum_activity": ("day",),
    "run_comparison": ("runs_back", "week"),
}


class Expected(Content, Learners, Days):
    """The rows of each view for boards, with all of its columns."""

    def rows(self, view: str) -> list[dict[str, Any]]:
        """The rows of a view, sorted by its key."""
        here = {"org": self.course.org, "course_key": str(self.course)}
        made = [{**here, **row} for row in getattr(self, view)()]
        return sorted(made, key=lambda row: [row[column] for column in VIEWS[view]])
