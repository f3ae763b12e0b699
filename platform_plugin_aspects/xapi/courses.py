"""The courses of a batch of events: their names by one query, where ERB reads whole courses, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform

#: The longest course key of the platform.
KEY_LENGTH = 255


class UnknownCourse(ValueError):
    """An event is of a course that the platform does not have, or not any more."""

    def __init__(self) -> None:
        super().__init__("the platform does not have its course")


class Courses:
    """Courses as ERB's transformers want them, by their keys as text; the names are those of now.

    ``read``: ERB's own function, which reads all of a course. Raises PLATFORM_FAULTS.
    """

    def __init__(self, read: Callable[[str], Any], given: Iterable[Any]):
        self._read = read
        self._names: dict[str, str | None] = {}
        self._looked_for: set[str] = set()
        self._look_up({key for key in given if isinstance(key, str)})

    def get(self, course_id: Any) -> Mapping[str, Any]:
        """The course; UnknownCourse when the platform does not have it."""
        if course_id not in self._looked_for:
            self._look_up({course_id})
        if course_id not in self._names:
            raise UnknownCourse
        return _Course(course_id, self._names[course_id], self._read)

    def _look_up(self, course_ids: set[str]) -> None:
        self._looked_for |= course_ids
        keys: dict[CourseKey, str] = {}
        for course_id in course_ids:
            # The database gets no text that it may refuse.
            if len(course_id) <= KEY_LENGTH and all(c < "\ud800" for c in course_id):
                try:
                    keys[CourseKey.from_string(course_id)] = course_id
                except InvalidKeyError:
                    continue
        model = edx_platform.get_model("course_overviews")
        if keys and model is not None:
            rows = edx_platform.primary(model).filter(id__in=list(keys)).values_list("id", "display_name")
            self._names.update({keys[key]: name for key, name in rows if key in keys})


class _Course(Mapping[str, Any]):
    """A course; what is not its name is read when a transformer asks for it."""

    def __init__(self, course_id: str, name: str | None, read: Callable[[str], Any]):
        self._course_id = course_id
        self._name = name
        self._read = read

    def __getitem__(self, key: str) -> Any:
        return self._name if key == "display_name" else self._read(self._course_id)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read(self._course_id))

    def __len__(self) -> int:
        return len(self._read(self._course_id))
