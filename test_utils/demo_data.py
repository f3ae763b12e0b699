"""The demo course and its learners, from the files in ``test_utils/data`` into the stand-in platform.

Rows are written with bulk_create and the course is published without a signal, as if a site's database had
been restored: the plugin hears nothing of it, and a backfill finds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

from ccx_keys.locator import CCXLocator
from common.djangoapps.student.models import CourseEnrollment, UserProfile
from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx.core.djangoapps.external_user_ids.models import ExternalId
from xmodule.modulestore.django import modulestore
from xmodule.modulestore.store_utilities import DETACHED_XBLOCK_TYPES

from test_utils.factories import (
    ObjectTag,
    Tag,
    Taxonomy,
    make_ccx,
    make_external_id_type,
    make_overview,
    make_user,
    publish_course,
)

DATA = Path(__file__).parent / "data"
BATCH = 500

# Its structure is gone from the modulestore: only the overview is left.
VANISHED_COURSE = CourseKey.from_string("course-v1:Hesperus+AST099+2019_T3")
COACH = "coach_of_the_demo"

COURSE_DATETIMES = ("start", "end", "enrollment_start", "enrollment_end", "announcement")
FLAGS = (
    "graded",
    "self_paced",
    "enable_proctored_exams",
    "invitation_only",
    "entrance_exam_enabled",
)
# Attributes of course.xml that are not fields of a block.
NO_FIELDS = ("url_name", "org", "course", "edited_on", "grade_cutoffs")


@dataclass(frozen=True)
class Demo:
    """The platform's content after load_demo: keys, and numbers of rows."""

    course_key: CourseKey
    ccx_key: CCXLocator | None
    vanished_course_key: CourseKey
    blocks: int
    learners: int
    enrollments: int
    external_ids: int
    taxonomies: int
    tags: int
    object_tags: int


def load_demo(course_only: bool = False) -> Demo:
    """Load the demo into the platform, unless it is there; with ``course_only`` the course and nothing else.

    The modulestore may have forgotten the course (it does when it is in memory only): it is loaded again
    then.
    """
    course_key = load_course()
    ccx_key = None
    if not course_only:
        with transaction.atomic():
            if not CourseOverview.objects.filter(id=VANISHED_COURSE).exists():
                make_overview(VANISHED_COURSE, display_name="The Night Sky (2019, structure lost)")
            ccx_key = load_ccx(course_key)
            load_learners(course_key)
            load_taxonomies()
            load_object_tags(course_key)
    return Demo(
        course_key=course_key,
        ccx_key=ccx_key,
        vanished_course_key=VANISHED_COURSE,
        blocks=len(modulestore().get_items(course_key.for_branch("published-branch"))),
        learners=UserProfile.objects.count(),
        enrollments=CourseEnrollment.objects.count(),
        external_ids=ExternalId.objects.count(),
        taxonomies=Taxonomy.objects.count(),
        tags=Tag.objects.count(),
        object_tags=ObjectTag.objects.count(),
    )


def load_course() -> CourseKey:
    """Put the course into the modulestore, publish it without a signal, and make its overview."""
    root = ElementTree.parse(DATA / "course.xml").getroot()
    course_key = CourseKey.from_string("course-v1:{org}+{course}+{url_name}".format(**root.attrib))
    published = course_key.for_branch("published-branch")
    store = modulestore()
    if not store.has_course(published):
        detached = [_block(child) for child in root if child.tag in DETACHED_XBLOCK_TYPES]
        store.create_course(course_key, _block(root), detached)
        publish_course(course_key, loudly=False)
    elif not CourseOverview.objects.filter(id=course_key).exists():
        CourseOverview.load_from_module_store(published)
    return course_key


def _block(element: ElementTree.Element) -> dict[str, Any]:
    """The element as ``create_course`` takes it. ``<missing/>`` stands for a child that fails to load."""
    edited_on = element.get("edited_on")
    block = {
        "type": element.tag,
        "id": element.get("url_name"),
        "fields": dict(_fields(element)),
        "edited_on": datetime.fromisoformat(edited_on) if edited_on else None,
    }
    if element.tag in ("course", "chapter", "sequential", "vertical"):
        block["children"] = [
            None if child.tag == "missing" else _block(child)
            for child in element
            if child.tag not in DETACHED_XBLOCK_TYPES
        ]
    return block


def _fields(element: ElementTree.Element) -> Iterator[tuple[str, Any]]:
    for name, value in element.attrib.items():
        if name in FLAGS:
            yield name, value == "true"
        elif name in COURSE_DATETIMES:
            yield name, datetime.fromisoformat(value)
        elif name not in NO_FIELDS:
            yield name, value
    if "grade_cutoffs" in element.attrib:
        yield "grading_policy", {"GRADE_CUTOFFS": json.loads(element.attrib["grade_cutoffs"])}


def load_ccx(course_key: CourseKey) -> CCXLocator | None:
    """Make one CCX of the course; None on a site without custom courses."""
    if not apps.is_installed("lms.djangoapps.ccx"):
        return None
    model = apps.get_model("ccx", "CustomCourseForEdX")
    ccx = model.objects.filter(course_id=course_key).first()
    if ccx is not None:
        return ccx.locator
    coach = User.objects.filter(username=COACH).first() or make_user(COACH)
    return make_ccx(course_key, "The Night Sky, evening class", coach)


def load_learners(course_key: CourseKey) -> None:
    """Make the learners who are not there, with profiles, enrollments and external ids."""
    known = set(User.objects.values_list("username", flat=True))
    learners = {row["username"]: row for row in read_learners() if row["username"] not in known}
    User.objects.bulk_create(
        [User(username=name, email=row["email"], is_active=row["is_active"]) for name, row in learners.items()], BATCH
    )
    users = {user.username: user for user in User.objects.all() if user.username in learners}
    rows = [(users[name], row) for name, row in learners.items()]

    UserProfile.objects.bulk_create(
        [UserProfile(user=user, **_with_datetimes(row["profile"], "profile_image_uploaded_at")) for user, row in rows],
        BATCH,
    )
    types = {name: make_external_id_type(name) for _, row in rows for name in row["external_ids"]}
    ExternalId.objects.bulk_create(
        [
            ExternalId(user=user, external_id_type=types[name], external_user_id=UUID(value))
            for user, row in rows
            for name, value in row["external_ids"].items()
        ],
        BATCH,
    )
    CourseEnrollment.objects.bulk_create(
        [
            CourseEnrollment(
                user=user, course_id=course_key, mode=enrollment["mode"], is_active=enrollment["is_active"]
            )
            for user, row in rows
            if (enrollment := row["enrollment"])
        ],
        BATCH,
    )
    # The model sets ``created`` when it makes a row, so that takes a second go.
    enrollments = list(CourseEnrollment.objects.filter(user__in=users.values()).select_related("user"))
    for each in enrollments:
        each.created = _with_datetimes(learners[each.user.username]["enrollment"], "created")["created"]
    CourseEnrollment.objects.bulk_update(enrollments, ["created"], BATCH)


def read_learners() -> Iterator[dict[str, Any]]:
    """Yield the file's learners: username, email, is_active, profile, enrollment and external_ids."""
    with (DATA / "learners.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _with_datetimes(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: datetime.fromisoformat(value) if name in names and value else value for name, value in row.items()}


def load_taxonomies() -> None:
    """Make the taxonomies that are not there, with their trees of tags."""
    taxonomies = json.loads((DATA / "taxonomies.json").read_text(encoding="utf-8"))["taxonomies"]
    known = set(Taxonomy.objects.values_list("export_id", flat=True))
    for row in taxonomies:
        if row["export_id"] in known:
            continue
        tree = row.pop("tags")
        Taxonomy.objects.bulk_create([Taxonomy(**row)])
        taxonomy = Taxonomy.objects.get(export_id=row["export_id"])
        _load_tags(taxonomy, [(None, tag) for tag in tree])


def _load_tags(taxonomy: Taxonomy, level: list[tuple[Tag | None, dict[str, Any]]]) -> None:
    """Make one level of the tree, then the one below it."""
    if not level:
        return
    Tag.objects.bulk_create(
        [
            Tag(taxonomy=taxonomy, parent=parent, value=row["value"], external_id=row.get("external_id"))
            for parent, row in level
        ]
    )
    tags = _tags_by_value(taxonomy)
    _load_tags(taxonomy, [(tags[row["value"]], child) for _, row in level for child in row.get("children", ())])


def load_object_tags(course_key: CourseKey) -> None:
    """Put the tags on the course and its blocks, unless there are tags on the course."""
    if ObjectTag.objects.filter(object_id=str(course_key)).exists():
        return
    taxonomies = {taxonomy.export_id: taxonomy for taxonomy in Taxonomy.objects.all()}
    tags = {export_id: _tags_by_value(taxonomy) for export_id, taxonomy in taxonomies.items()}
    made = []
    for line in (DATA / "object_tags.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        type_, id_ = row["object"]
        object_id = str(course_key if type_ == "course" else course_key.make_usage_key(type_, id_))
        made += [
            ObjectTag(
                object_id=object_id,
                taxonomy=taxonomies[export_id],
                tag=tags[export_id].get(value),
                _value=value,
                _export_id=export_id,
            )
            for export_id, values in row["tags"].items()
            for value in values
        ]
    ObjectTag.objects.bulk_create(made, BATCH)


def _tags_by_value(taxonomy: Taxonomy) -> dict[str, Tag]:
    tags: Iterable[Tag] = Tag.objects.filter(taxonomy=taxonomy)
    return {tag.value: tag for tag in tags}
