"""The label and the format of each column that boards show: one for a name, in whatever view it stands."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise

from platform_plugin_aspects.dashboards.boards.own_catalog import gettext_lazy as _

#: Formats of numbers, in the language of d3-format (https://d3js.org/d3-format).
WHOLE, SHARE, MEAN = ",d", ".0%", ",.1f"


@dataclass(frozen=True)
class Label:
    """A column's label, and the format of its numbers; texts and moments have none."""

    text: str | Promise
    format: str = ""


LABELS = {
    "active": Label(_("Active learners"), WHOLE),
    "active_7_days": Label(_("Active learners, 7 days"), WHOLE),
    "active_7_days_before": Label(_("Active learners, 7 days before"), WHOLE),
    "active_share": Label(_("Active, of those enrolled"), SHARE),
    "answer": Label(_("Answer")),
    "answering": Label(_("Learners answering problems"), WHOLE),
    "asked_answer": Label(_("Asked for the answer"), WHOLE),
    "asked_hint": Label(_("Asked for a hint"), WHOLE),
    "at_risk": Label(_("At risk"), WHOLE),
    "attempts": Label(_("Attempts"), WHOLE),
    "attempts_mean": Label(_("Attempts per learner"), MEAN),
    "attempts_most": Label(_("Most attempts"), WHOLE),
    "block_id": Label(_("Block")),
    "completed_share": Label(_("Completed"), SHARE),
    "completing": Label(_("Learners completing content"), WHOLE),
    "course_key": Label(_("Course")),
    "course_name": Label(_("Course name")),
    "course_order": Label(_("Place in the course"), WHOLE),
    "course_run": Label(_("Run")),
    "day": Label(_("Day")),
    "days_active": Label(_("Days active"), WHOLE),
    "discrimination": Label(_("Discrimination"), ".2f"),
    "email": Label(_("Email")),
    "enrolled": Label(_("Enrolled"), WHOLE),
    "enrolled_at": Label(_("Enrolled on")),
    "enrollment": Label(_("Enrollment")),
    "first_try_share": Label(_("Right at first"), SHARE),
    "first_visit": Label(_("First visit")),
    "flags": Label(_("Remarks")),
    "full_score": Label(_("Learners with all points"), WHOLE),
    "grade": Label(_("Grade"), SHARE),
    "graded": Label(_("Graded")),
    "is_course": Label(_("Grade of the course")),
    "is_over": Label(_("Week is over")),
    "last_act": Label(_("Last activity")),
    "last_visit": Label(_("Last visit")),
    "learners": Label(_("Learners"), WHOLE),
    "learners_completed": Label(_("Completed"), WHOLE),
    "learners_posting": Label(_("Learners writing"), WHOLE),
    "learners_reached": Label(_("Reached"), WHOLE),
    "learners_to_end": Label(_("Watched to the end"), WHOLE),
    "left": Label(_("Left"), WHOLE),
    "left_7_days": Label(_("Left, 7 days"), WHOLE),
    "length": Label(_("Length in seconds"), WHOLE),
    "mean_score": Label(_("Average score"), SHARE),
    "median_grade": Label(_("Median grade"), SHARE),
    "median_progress": Label(_("Median progress"), SHARE),
    "median_score": Label(_("Median score"), SHARE),
    "minute": Label(_("Minute"), WHOLE),
    "mode": Label(_("Track")),
    "name": Label(_("Name")),
    "new": Label(_("New"), WHOLE),
    "new_7_days": Label(_("New, 7 days"), WHOLE),
    "passed": Label(_("Passed"), WHOLE),
    "place": Label(_("Place")),
    "posts": Label(_("Posts"), WHOLE),
    "problem_name": Label(_("Problem")),
    "problems": Label(_("Problems"), WHOLE),
    "problems_right": Label(_("Problems right"), WHOLE),
    "progress": Label(_("Progress"), SHARE),
    "question": Label(_("Question"), WHOLE),
    "reason": Label(_("Reason")),
    "reasons": Label(_("Reasons")),
    "rewatched_share": Label(_("Rewatched"), SHARE),
    "rewatches": Label(_("Rewatches"), WHOLE),
    "right_first": Label(_("Right at first"), WHOLE),
    "right_first_share": Label(_("Right at first"), SHARE),
    "right_last": Label(_("Right in the end"), WHOLE),
    "run": Label(_("Run")),
    "runs_back": Label(_("Runs back"), WHOLE),
    "second": Label(_("Second"), WHOLE),
    "seconds_played": Label(_("Seconds played"), WHOLE),
    "seconds_watched": Label(_("Seconds watched"), WHOLE),
    "section": Label(_("Section"), WHOLE),
    "section_name": Label(_("Section")),
    "share": Label(_("Share"), SHARE),
    "starts_on": Label(_("Starts on")),
    "subsection": Label(_("Subsection"), WHOLE),
    "subsection_name": Label(_("Subsection")),
    "subsection_place": Label(_("Subsection")),
    "tenth": Label(_("Grade")),
    "to_end_share": Label(_("Videos watched to the end"), SHARE),
    "unit": Label(_("Unit"), WHOLE),
    "unit_name": Label(_("Unit")),
    "username": Label(_("Username")),
    "video_name": Label(_("Video")),
    "video_place": Label(_("Video")),
    "videos": Label(_("Videos"), WHOLE),
    "views": Label(_("Views"), WHOLE),
    "watched_share": Label(_("Watched"), SHARE),
    "week": Label(_("Week since the start"), WHOLE),
    "with_forum": Label(_("In the forum"), WHOLE),
    "with_pages": Label(_("On pages"), WHOLE),
    "with_problems": Label(_("With problems"), WHOLE),
    "with_videos": Label(_("With videos"), WHOLE),
}
