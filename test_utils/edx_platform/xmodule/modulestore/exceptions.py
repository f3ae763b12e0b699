"""Errors of modulestores."""


class ItemNotFoundError(Exception):
    """There is no such block or course."""


class DuplicateItemError(Exception):
    """There is such a block or course already."""


class DuplicateCourseError(Exception):
    """There is such a course already."""

    def __init__(self, course_id: object, existing_entry: object) -> None:
        super().__init__(f"Cannot create course {course_id}, which duplicates {existing_entry}")
        self.course_id = course_id
        self.existing_entry = existing_entry
