"""Looks up the published version of a course, as a split store does it.

The versions are rows of the platform's database: a publish within a transaction takes effect when the transaction
is committed. A request, or a task, looks up a course once and remembers the answer to its end.
"""

from common.djangoapps.split_modulestore_django.models import SplitModulestoreCourseIndex
from edx_django_utils.cache import RequestCache

CACHE = "course_index_cache"


def published_version(course_id: str) -> str | None:
    """The published version of the course, as far as this request knows; None where nothing is published."""
    cache = RequestCache(CACHE)
    known = cache.get_cached_response(course_id)
    if known.is_found:
        return str(known.value) if known.value else None
    found = SplitModulestoreCourseIndex.objects.filter(course_id=course_id).values_list("published_version", flat=True)
    version: str | None = found.first()
    cache.set(course_id, version)
    return version


def set_published_version(course_id: str, version: str) -> None:
    """Make this version the published one. Waits for whoever publishes the course in a transaction."""
    RequestCache(CACHE).clear()
    SplitModulestoreCourseIndex.objects.update_or_create(course_id=course_id, defaults={"published_version": version})


def forget(course_id: str) -> None:
    """Nothing of the course is published any more."""
    RequestCache(CACHE).clear()
    SplitModulestoreCourseIndex.objects.filter(course_id=course_id).delete()


def published_course_ids() -> list[str]:
    """The ids of all courses of which something is published."""
    return [str(key) for key in SplitModulestoreCourseIndex.objects.values_list("course_id", flat=True)]
