"""Keys of the content of course runs: of courses and of their blocks."""

from __future__ import annotations

from typing import Any

from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import AsideUsageKey, CourseKey, UsageKey


def content_key(text: str) -> CourseKey | UsageKey | None:
    """The course or usage key of a course run's content, without branch and version; None for anything else.

    Libraries have keys of the same kinds, and so have asides; old-style usage keys (``i4x://``) do not say which run is
    meant.
    """
    for kind in (CourseKey, UsageKey):
        try:
            key: Any = kind.from_string(text)
        except InvalidKeyError:
            continue
        course_key = course_of_key(key)
        is_of_run = course_key.is_course and course_key.run and not isinstance(key, AsideUsageKey)
        return key.for_branch(None) if is_of_run else None
    return None


def course_of_key(key: CourseKey | UsageKey) -> Any:
    """The key of the course, or library, that a course or usage key is of."""
    return key.context_key if isinstance(key, UsageKey) else key


def course_of(object_id: str) -> CourseKey | None:
    """The course of a piece of content, given its course or usage key as text; None for anything else."""
    key = content_key(object_id)
    return None if key is None else course_of_key(key)


def block_key_prefix(course_key: CourseKey) -> str | None:
    """The beginning of the usage keys of a course's blocks, as text; None for old-style keys, which do not say."""
    text = str(course_key)
    for course, block in (("course-v1:", "block-v1:"), ("ccx-v1:", "ccx-block-v1:")):
        if text.startswith(course):
            return text.replace(course, block, 1) + "+"
    return None
