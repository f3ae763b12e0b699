"""A tracking event before it has a moment and a learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opaque_keys.edx.keys import CourseKey


@dataclass(frozen=True)
class Act:
    """A tracking event without its moment and its learner.

    ``source``: "browser" posts it from a page, "phone" by Segment, "server" emits it in a request, "task" in a Celery
    task. ``path``: of the request. ``context`` is what the platform adds to that of requests.
    """

    name: str
    data: Any
    course: CourseKey
    source: str
    path: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
