"""Acts in a course: enrollment, navigation, completion, grades."""

from __future__ import annotations

from opaque_keys.edx.keys import CourseKey, UsageKey

from platform_plugin_aspects.load_test.acts.act import Act


def enrolled(course: CourseKey, user_id: int, mode: str) -> Act:
    """A learner enrolls, or comes back."""
    return _enrollment("activated", course, user_id, mode)


def mode_changed(course: CourseKey, user_id: int, mode: str) -> Act:
    """An enrollment gets another mode, as by an upgrade."""
    return _enrollment("mode_changed", course, user_id, mode)


def left(course: CourseKey, user_id: int, mode: str) -> Act:
    """A learner leaves the course."""
    return _enrollment("deactivated", course, user_id, mode)


def _enrollment(what: str, course: CourseKey, user_id: int, mode: str) -> Act:
    data = {"user_id": user_id, "course_id": str(course), "mode": mode}
    return Act(f"edx.course.enrollment.{what}", data, course, "server", path="/change_enrollment")


def next_unit(sequence: UsageKey, tab: int, tabs: int) -> Act:
    """The button of the next unit; ``tab`` is the number of the current one, from 1."""
    return _sequence("next_selected", sequence, tab, tabs)


def previous_unit(sequence: UsageKey, tab: int, tabs: int) -> Act:
    """The button of the previous unit."""
    return _sequence("previous_selected", sequence, tab, tabs)


def unit_chosen(sequence: UsageKey, tab: int, target: int, tabs: int) -> Act:
    """A unit is chosen in the bar of a sequence."""
    return _sequence("tab_selected", sequence, tab, tabs, target_tab=target)


def _sequence(what: str, sequence: UsageKey, tab: int, tabs: int, **more: int) -> Act:
    data = {"id": str(sequence), "current_tab": tab, "tab_count": tabs, "widget_placement": "top", **more}
    return Act(f"edx.ui.lms.sequence.{what}", data, sequence.course_key, "browser")


def outline_chosen(course: CourseKey, url: str, name: str) -> Act:
    """A section is chosen in the course's outline."""
    return Act("edx.ui.lms.outline.selected", {"target_url": url, "target_name": name}, course, "browser")


def link_clicked(course: CourseKey, page: str, url: str) -> Act:
    """A link is followed."""
    return Act("edx.ui.lms.link_clicked", {"current_url": page, "target_url": url}, course, "browser")


def subsection_graded(subsection: UsageKey, user_id: int, earned: float, possible: float) -> Act:
    """A subsection has another grade, in points."""
    data = {
        "user_id": str(user_id),
        "course_id": str(subsection.course_key),
        "block_id": str(subsection),
        "course_version": "",
        "weighted_total_earned": earned,
        "weighted_total_possible": possible,
        "weighted_graded_earned": earned,
        "weighted_graded_possible": possible,
        "event_transaction_type": "edx.grades.problem.submitted",
    }
    return Act("edx.grades.subsection.grade_calculated", data, subsection.course_key, "task")


def course_graded(course: CourseKey, user_id: int, grade: float, letter: str) -> Act:
    """The course has another grade; ``letter`` is empty for a failing one."""
    data = {
        "user_id": str(user_id),
        "course_id": str(course),
        "course_version": "",
        "percent_grade": grade,
        "letter_grade": letter,
        "event_transaction_type": "edx.grades.problem.submitted",
    }
    return Act("edx.grades.course.grade_calculated", data, course, "task")


def passed_first(course: CourseKey, user_id: int) -> Act:
    """The course is passed for the first time."""
    return _outcome("passed.first_time", course, user_id)


def passed(course: CourseKey, user_id: int) -> Act:
    """The grade has become a passing one."""
    return _outcome("now_passed", course, user_id)


def failed(course: CourseKey, user_id: int) -> Act:
    """The grade is a failing one."""
    return _outcome("now_failed", course, user_id)


def _outcome(what: str, course: CourseKey, user_id: int) -> Act:
    data = {"user_id": str(user_id), "course_id": str(course), "event_transaction_type": "edx.grades.problem.submitted"}
    return Act(f"edx.course.grade.{what}", data, course, "task")


def block_completed(block: UsageKey, user_id: int, completion: float = 1.0) -> Act:
    """A block is completed to a share."""
    course = block.course_key
    data = {
        "user_id": user_id,
        "course_id": str(course),
        "context_key": str(course),
        "block_id": str(block),
        "block_type": block.block_type,
        "completion": completion,
    }
    return Act("edx.completion.block_completion.changed", data, course, "server", f"/courses/{course}/xblock/{block}")
