"""Course overviews as data, for other apps."""

from collections.abc import Iterable
from typing import Any

from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.content.course_overviews.serializers import CourseOverviewBaseSerializer


def get_course_overviews(course_ids: Iterable[CourseKey]) -> list[dict[str, Any]]:
    """Return the data of those of the courses that have a row; the others are left out, and none is made."""
    overviews = CourseOverview.objects.filter(id__in=course_ids)
    return CourseOverviewBaseSerializer(overviews, many=True).data
