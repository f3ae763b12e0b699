"""Short ways to make what the platform holds. Each says which signals it sends.

Django's ``post_save`` is sent by every function that saves a model, as on the platform; the functions named
``make_many_...`` use bulk_create, which sends nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ccx_keys.locator import CCXLocator
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.contrib.auth.models import User
from edx_django_utils.cache import RequestCache
from lms.djangoapps.ccx.models import CustomCourseForEdX
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.content_tagging import api as content_tagging
from openedx.core.djangoapps.external_user_ids.models import ExternalId, ExternalIdType
from xmodule.modulestore import course_index
from xmodule.modulestore.blocks import COURSE_DEFAULTS
from xmodule.modulestore.django import modulestore

try:
    from openedx_tagging.models.base import ObjectTag, Tag, Taxonomy
except ImportError:  # before 2026
    from openedx_tagging.core.tagging.models import ObjectTag, Tag, Taxonomy

_numbers = itertools.count(1)

LEAF_TYPES = ("html", "problem", "video", "discussion")


def make_user(username: str | None = None, *, profile: bool | dict[str, Any] = True, **columns: Any) -> User:
    """Make a user and, unless ``profile`` is False, a profile with the columns in ``profile``.

    Sends post_save of User and UserProfile.
    """
    username = username or f"person_{next(_numbers)}"
    user = User.objects.create(username=username, **{"email": f"{username}@example.invalid", **columns})
    if profile is not False:
        make_profile(user, **(profile if isinstance(profile, dict) else {}))
    return user


def make_many_users(number: int, **profile_columns: Any) -> list[User]:
    """Make users with profiles by bulk_create: sends nothing."""
    names = [f"person_{next(_numbers)}" for _ in range(number)]
    User.objects.bulk_create([User(username=name, email=f"{name}@example.invalid") for name in names], batch_size=500)
    users = []
    for start in range(0, number, 500):
        users += User.objects.filter(username__in=names[start : start + 500])
    users.sort(key=lambda user: user.id)
    UserProfile.objects.bulk_create(
        [UserProfile(user=user, **{"name": f"Name of {user.username}", **profile_columns}) for user in users],
        batch_size=500,
    )
    return users


def make_profile(user: User, **columns: Any) -> UserProfile:
    """Make the profile of a user who has none. Sends post_save of UserProfile."""
    return UserProfile.objects.create(user=user, **{"name": f"Name of {user.username}", **columns})


def make_course_key(run: str | None = None) -> CourseKey:
    """Return a course key that no other call of this process returns."""
    return CourseKey.from_string(f"course-v1:Org+Course+{run or f'run_{next(_numbers)}'}")


def make_course(
    course_key: CourseKey | str | None = None,
    *,
    chapters: int = 1,
    sequentials: int = 1,
    verticals: int = 1,
    leaves: int = 1,
    detached: bool = True,
    publish: bool = True,
    loudly: bool = False,
    **fields: Any,
) -> CourseKey:
    """Make a course in the modulestore and return its key.

    It has so many chapters, each with so many sequentials, and so on down to the leaves (html, problem,
    video and discussion in turn); every other sequential and what is in it is graded. ``detached`` adds an
    about block, a static tab and a course_info. ``fields`` are settings of the course (display_name, start,
    ...).

    ``publish`` without ``loudly`` publishes and makes the CourseOverview row, and sends no signal but
    post_save of CourseOverview; ``loudly`` sends COURSE_PUBLISHED as the CMS does; without ``publish``
    there is only a draft.
    """
    key = CourseKey.from_string(course_key) if isinstance(course_key, str) else course_key or make_course_key()
    counts = {"chapter": chapters, "sequential": sequentials, "vertical": verticals, "leaf": leaves}
    tree = {"type": "course", "id": "course", "fields": {"display_name": f"Course {key.run}", **fields}}
    tree["children"] = _make_blocks(list(counts), counts, itertools.count(1), graded=False)
    store = modulestore()
    store.create_course(key, tree, detached=detached_blocks() if detached else ())
    if publish:
        publish_course(key, loudly=loudly)
    return key


def _make_blocks(levels: list[str], counts: dict[str, int], numbers: Any, graded: bool) -> list[dict[str, Any]]:
    level, *below = levels
    blocks = []
    for index in range(counts[level]):
        type_ = level if below else LEAF_TYPES[index % len(LEAF_TYPES)]
        number = next(numbers)
        if level == "sequential":
            graded = bool(index % 2)
        block = {
            "type": type_,
            "id": f"{type_}_{number}",
            "fields": {"display_name": f"{type_} number {number}", "graded": graded},
        }
        if below:
            block["children"] = _make_blocks(below, counts, numbers, graded)
        blocks.append(block)
    return blocks


def detached_blocks() -> list[dict[str, Any]]:
    """Return an about block, a static tab and a course_info, for ``create_course``."""
    return [
        {"type": "about", "id": "overview"},
        {"type": "static_tab", "id": "syllabus", "fields": {"display_name": "Syllabus"}},
        {"type": "course_info", "id": "updates"},
    ]


def publish_course(course_key: CourseKey, *, loudly: bool = True) -> None:
    """Publish the draft: with COURSE_PUBLISHED if loudly, else by reading the CourseOverview row again."""
    modulestore().publish(course_key, emit_signals=loudly)
    if not loudly:
        CourseOverview.load_from_module_store(course_key.for_branch("published-branch"))


@contextmanager
def elsewhere() -> Iterator[None]:
    """The block runs as if in another process: this one still remembers what its request has read."""
    remembered = RequestCache(course_index.CACHE).data
    before = dict(remembered)
    yield
    remembered.clear()
    remembered.update(before)


def make_overview(course_key: CourseKey | str | None = None, **columns: Any) -> CourseOverview:
    """Make a CourseOverview row whose course the modulestore has not. Sends post_save of CourseOverview."""
    key = CourseKey.from_string(course_key) if isinstance(course_key, str) else course_key or make_course_key()
    defaults = {name: value for name, value in COURSE_DEFAULTS.items() if name in CourseOverview.COURSE_FIELDS}
    return CourseOverview.objects.create(
        **{"id": key, "version": CourseOverview.VERSION, "org": key.org, **defaults, **columns}
    )


def make_enrollment(
    user: User | None = None,
    course_key: CourseKey | None = None,
    *,
    mode: str = "audit",
    is_active: bool = True,
    created: datetime | None = None,
) -> CourseEnrollment:
    """Make an enrollment row (the course need not exist). Sends its post_save and no enrollment event.

    For what the platform sends, use CourseEnrollment.enroll.
    """
    enrollment = CourseEnrollment.objects.create(
        user=user or make_user(), course_id=course_key or make_course_key(), mode=mode, is_active=is_active
    )
    if created is not None:
        CourseEnrollment.objects.filter(pk=enrollment.pk).update(created=created)
        enrollment.created = created
    return enrollment


def make_external_id(user: User | None = None, type_name: str = "xapi", **columns: Any) -> ExternalId:
    """Make an external id of a user. Sends post_save of ExternalId."""
    return ExternalId.objects.create(
        user=user or make_user(), external_id_type=make_external_id_type(type_name), **columns
    )


def make_external_id_type(name: str = "xapi") -> ExternalIdType:
    """Return the type, made if need be: transactional tests empty the table that a migration had filled."""
    return ExternalIdType.objects.get_or_create(name=name, defaults={"description": name})[0]


def make_taxonomy(name: str | None = None, *, free_text: bool = False, **columns: Any) -> Taxonomy:
    """Make a taxonomy. Sends post_save of Taxonomy."""
    name = name or f"Taxonomy {next(_numbers)}"
    export_id = f"taxonomy-{next(_numbers)}"
    return Taxonomy.objects.create(
        **{"name": name, "export_id": export_id, "allow_free_text": free_text, "description": "", **columns}
    )


def make_tag(
    taxonomy: Taxonomy | None = None, value: str | None = None, *, parent: Tag | None = None, **columns: Any
) -> Tag:
    """Make a tag, of the parent's taxonomy if there is a parent. Sends post_save of Tag."""
    if taxonomy is None:
        taxonomy = parent.taxonomy if parent else make_taxonomy()
    return Tag.objects.create(
        **{"taxonomy": taxonomy, "value": value or f"tag {next(_numbers)}", "parent": parent, **columns}
    )


def make_tag_branch(*values: str, taxonomy: Taxonomy | None = None) -> list[Tag]:
    """Make tags one below the other, the root first. Sends post_save of each Tag."""
    tags: list[Tag] = []
    for value in values:
        tags.append(make_tag(taxonomy, value, parent=tags[-1] if tags else None))
        taxonomy = tags[0].taxonomy
    return tags


def make_object_tag(
    object_id: Any, tag: Tag | None = None, *, taxonomy: Taxonomy | None = None, value: str = ""
) -> ObjectTag:
    """Put one tag, or free text of a taxonomy, on an object. Sends its post_save and no Open edX event."""
    taxonomy = tag.taxonomy if tag else taxonomy
    return ObjectTag.objects.create(
        object_id=str(object_id),
        taxonomy=taxonomy,
        tag=tag,
        _value=tag.value if tag else value,
        _export_id=taxonomy.export_id if taxonomy else "",
    )


def tag_object(object_id: Any, taxonomy: Taxonomy, *values: str) -> None:
    """Make the values the object's only tags of the taxonomy, as an author does.

    Sends post_save and post_delete of ObjectTag, CONTENT_OBJECT_ASSOCIATIONS_CHANGED and
    CONTENT_OBJECT_TAGS_CHANGED.
    """
    content_tagging.tag_object(str(object_id), taxonomy, list(values))


def make_ccx(course_key: CourseKey, display_name: str | None = None, coach: User | None = None) -> CCXLocator:
    """Make a CCX of a published course and its CourseOverview row; return its key. Sends their post_save."""
    ccx = CustomCourseForEdX.objects.create(
        course_id=course_key, display_name=display_name or f"CCX {next(_numbers)}", coach=coach or make_user()
    )
    overview = CourseOverview.load_from_module_store(ccx.locator.for_branch("published-branch"))
    CourseOverview.objects.filter(pk=overview.pk).update(display_name=ccx.display_name)
    return ccx.locator


def utc(*parts: int) -> datetime:
    """Return a moment in UTC: year, month, day, hour, minute, second, microsecond."""
    return datetime(*parts, tzinfo=UTC)
