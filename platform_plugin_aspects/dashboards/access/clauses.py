"""Row-level clauses of a guest token: they alone keep a course team to the rows of its own course.

Superset does not check them. It puts each in parentheses, joins them by AND, and gives a guest any column of any row
that they leave. So each is whole in itself, and never text that somebody typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.access.author_filters import parse_filters
from platform_plugin_aspects.dashboards.access.literals import column, literal
from platform_plugin_aspects.dashboards.access.operator_filters import operator_filters

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def clauses_for(user: User, course_key: CourseKey, filters: Sequence[str] = ()) -> list[str]:
    """The clauses for ``user`` on ``course_key``: its organization and key, the operator's, then the author's.

    Raises ImproperlyConfigured for SUPERSET_EXTRA_FILTERS_FORMAT and RefusedFilter for one of ``filters``.
    """
    return [
        f"{column('org')} = {literal(course_key.org or '')}",
        f"{column('course_key')} = {literal(str(course_key))}",
        *operator_filters(user, course_key),
        *parse_filters(filters),
    ]
