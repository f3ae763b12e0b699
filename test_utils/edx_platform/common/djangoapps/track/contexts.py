"""The course, as the context of tracking events."""

import logging
import re
from typing import Any

from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

log = logging.getLogger(__name__)

#: As openedx.core.lib.request_utils has it.
COURSE_REGEX = re.compile(r"^(.*?/courses/)(?!v[0-9]+/[^/]+)(?P<course_id>[^/+]+(/|\+)[^/+]+(/|\+)[^/?]+)")


def course_context_from_url(url: str | None, course_id_string: str | None = None) -> dict[str, Any]:
    """Return the course context of the key, or else of the course that the URL names."""
    if not course_id_string:
        match = COURSE_REGEX.match(url or "")
        course_id_string = match.group("course_id") if match else None
    course_id = None
    if course_id_string:
        try:
            course_id = CourseKey.from_string(course_id_string)
        except InvalidKeyError:
            log.warning('unable to parse course_id "%s"', course_id_string[:256])
    return course_context_from_course_id(course_id)


def course_context_from_course_id(course_id: CourseKey | None) -> dict[str, Any]:
    """Return course_id, org_id and enterprise_uuid, which are empty without a course."""
    if course_id is None:
        return {"course_id": "", "org_id": "", "enterprise_uuid": ""}
    return {"course_id": str(course_id), "org_id": course_id.org, "enterprise_uuid": ""}
