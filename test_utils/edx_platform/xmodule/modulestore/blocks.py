"""Blocks as a store keeps them, and as it hands them out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha1
from typing import Any

from bson import ObjectId
from opaque_keys.edx.keys import CourseKey, UsageKey
from xblock.fields import ScopeIds

log = logging.getLogger(__name__)

Ref = tuple[str, str]  # (block type, block id): a block's place in its course, whatever the branch

ROOT: Ref = ("course", "course")
# The field of a block whose class cannot be built.
FAILS_TO_BUILD = "fails_to_build"

# How blocks of a type count towards completion; all other types are "completable".
COMPLETION_MODES = {
    **dict.fromkeys(("course", "chapter", "sequential", "vertical", "library_content", "split_test"), "aggregator"),
    **dict.fromkeys(("about", "course_info", "static_tab", "discussion"), "excluded"),
}

COURSE_DEFAULTS: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "start",
            "end",
            "advertised_start",
            "announcement",
            "enrollment_start",
            "enrollment_end",
            "max_student_enrollments_allowed",
            "effort",
            "language",
        )
    ),
    **dict.fromkeys(("invitation_only", "self_paced", "enable_proctored_exams", "entrance_exam_enabled"), False),
    "grading_policy": {"GRADE_CUTOFFS": {"Pass": 0.5}},
}


@dataclass(frozen=True)
class BlockData:
    """A block as it is kept: never changed, only replaced.

    ``edited_on`` None means that blocks handed out have no such attribute at all. A child that is in no
    structure is a child that fails to load.
    """

    block_type: str
    block_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    children: tuple[Ref, ...] = ()
    edited_on: datetime | None = None

    @property
    def ref(self) -> Ref:
        """The block's place in its course."""
        return (self.block_type, self.block_id)


@dataclass
class Structure:
    """All blocks of one version of one branch of a course."""

    branch: str
    blocks: dict[Ref, BlockData]
    version: str = field(default_factory=lambda: str(ObjectId()))

    def descendants(self, ref: Ref) -> Iterator[Ref]:
        """Yield the block and everything below it, each once."""
        seen: set[Ref] = set()
        left = [ref]
        while left:
            each = left.pop()
            if each in self.blocks and each not in seen:
                seen.add(each)
                yield each
                left.extend(reversed(self.blocks[each].children))


class Block:
    """A block read from a store. Its keys carry branch and version, as a split store's do."""

    def __init__(self, structure: Structure, course_key: CourseKey, data: BlockData) -> None:
        self._structure = structure
        self._course_key = course_key
        self._data = data
        location = course_key.make_usage_key(data.block_type, data.block_id)
        self.scope_ids = ScopeIds(None, data.block_type, location, location)
        if data.edited_on is not None:
            self.edited_on = data.edited_on

    def __repr__(self) -> str:
        return f"<{self.category} {self.location}>"

    @property
    def location(self) -> UsageKey:
        """The usage key, with branch and version."""
        return self.scope_ids.usage_id

    @property
    def usage_key(self) -> UsageKey:
        """The same as ``location``."""
        return self.location

    @property
    def category(self) -> str:
        """The block type."""
        return self._data.block_type

    @property
    def display_name(self) -> str | None:
        """The name that the author gave, if any."""
        return self._data.fields.get("display_name")

    @property
    def display_name_with_default(self) -> str:
        """The author's name, or one made of the block id."""
        name = self.display_name
        return self._data.block_id.replace("_", " ") if name is None else name

    @property
    def graded(self) -> bool:
        """Whether the block counts for the grade."""
        return self._data.fields.get("graded", False)

    @property
    def completion_mode(self) -> str:
        """How the block counts towards completion: "completable", "aggregator" or "excluded"."""
        return self._data.fields.get("completion_mode") or COMPLETION_MODES.get(self.category, "completable")

    @property
    def has_children(self) -> bool:
        """Whether blocks of this type hold others."""
        return bool(self._data.children) or self.category in ("course", "chapter", "sequential", "vertical")

    @property
    def children(self) -> list[UsageKey]:
        """The children's usage keys."""
        return [self._course_key.make_usage_key(*ref) for ref in self._data.children]

    def get_children(self) -> list[Block]:
        """Return the children in the author's order, without those that fail to load."""
        found = map(self._child, self._data.children)
        return [child for child in found if child is not None]

    def _child(self, ref: Ref) -> Block | None:
        data = self._structure.blocks.get(ref)
        if data is None:
            log.warning("Unable to load the child %s@%s of %s", *ref, self.location)
            return None
        return read_block(self._structure, self._course_key, data)


class VideoBlock(Block):
    """A video, from ``start_time`` to ``end_time``."""

    @property
    def start_time(self) -> timedelta:
        """The position at which it begins to play."""
        return self._data.fields.get("start_time", timedelta())

    @property
    def end_time(self) -> timedelta:
        """The position at which it stops; zero means the end."""
        return self._data.fields.get("end_time", timedelta())


class ErrorBlock(Block):
    """Replaces a block whose class cannot be built: of another type, with an id made from its content."""

    def __init__(self, structure: Structure, course_key: CourseKey, data: BlockData) -> None:
        name = sha1(f"{data.block_type} {data.block_id}".encode(), usedforsecurity=False).hexdigest()
        fields = {"display_name": f"Error: {data.block_id}"}
        super().__init__(structure, course_key, BlockData("error", name, fields, edited_on=data.edited_on))


class CourseBlock(Block):
    """The root of a course: a block with the course's settings."""

    @property
    def id(self) -> CourseKey:
        """The course key, without branch and version."""
        return self._course_key.for_branch(None)

    @property
    def org(self) -> str:
        """The organisation."""
        return self._course_key.org

    @property
    def lowest_passing_grade(self) -> float:
        """The lowest cutoff above zero; ValueError when the grading policy is malformed."""
        try:
            return min(cutoff for cutoff in self.grading_policy["GRADE_CUTOFFS"].values() if cutoff > 0)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"grading policy without usable GRADE_CUTOFFS: {error!r}") from error

    def __getattr__(self, name: str) -> Any:
        if name in COURSE_DEFAULTS:
            return self._data.fields.get(name, COURSE_DEFAULTS[name])
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")


def read_block(structure: Structure, course_key: CourseKey, data: BlockData) -> Block:
    """The block as its class makes it, or as an ErrorBlock."""
    if data.fields.get(FAILS_TO_BUILD):
        return ErrorBlock(structure, course_key, data)
    if data.ref == ROOT:
        return CourseBlock(structure, course_key, data)
    return (VideoBlock if data.block_type == "video" else Block)(structure, course_key, data)
