"""The blocks of a course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.text import whole
from platform_plugin_aspects.errors import PLATFORM_FAULTS
from platform_plugin_aspects.sinks.batch import Batch, Selection
from platform_plugin_aspects.sinks.column import Column
from platform_plugin_aspects.sinks.formats import json_text
from platform_plugin_aspects.sinks.model_sink import ModelBaseSink

#: Block types that are counted, outermost first, and the name of the count.
COUNTED = {"chapter": "section", "sequential": "subsection", "vertical": "unit"}

#: The type of the block that stands for one whose class cannot be built.
ERROR_TYPE = "error"

#: Values of the columns of a block, in order.
Row = tuple[Any, ...]


class XBlockSink(ModelBaseSink):
    """A row: a published block of a course, as of the course's dump. Written by CourseOverviewSink only.

    Trigger: the course is written. No personal data. Blocks that are gone keep their rows of earlier dumps.
    """

    name = "course_blocks"
    model = "course_overviews"
    columns = (
        Column("org", "String"),
        Column("course_key", "String"),
        Column("location", "String"),
        Column("display_name", "String"),
        Column("xblock_data_json", "String"),
        Column("order", "Int32"),
        Column("edited_on", "String"),
    )
    order_by = ("org", "course_key", "location", "edited_on", "order")
    primary_key = ("org", "course_key", "location", "edited_on")
    has_objects = False

    def read(self, selection: Selection) -> Batch:
        """The blocks of the selected courses."""
        found = [self.rows_of(course_key, {})[0] for course_key in selection.keys or ()]
        return self.batch(chain.from_iterable(found))

    def batch(self, rows: Iterable[Row]) -> Batch:
        """The blocks of ``rows_of`` as a batch; the keys are usage keys as text."""
        columns = dict(zip(self.paths(), zip(*rows, strict=True), strict=False))
        return Batch(columns.get("location", ()), columns)

    def rows_of(self, course_key: CourseKey, tags: Mapping[str, Sequence[int]]) -> tuple[list[Row], list[str]]:
        """The blocks of one course, in tree order with the detached ones after, and the problems of reading them.

        ``tags``: ids of tags by usage key.
        """
        walk = _Walk(course_key, tags)
        with edx_platform.published_course(course_key) as (course, detached):
            if course is None:
                return [], ["it is gone from the modulestore"]
            walk.add_tree(course)
            walk.add_detached(detached)
        return walk.rows, walk.problems


class _Walk:
    """Rows made of one course's blocks, with their running numbers."""

    def __init__(self, course_key: CourseKey, tags: Mapping[str, Sequence[int]]):
        self.course_key = course_key
        self.tags = tags
        self.numbers = dict.fromkeys(COUNTED.values(), 0)
        self.places: set[tuple[str, str]] = set()
        self.rows: list[Row] = []
        self.problems: list[str] = []

    def add_tree(self, root: Any) -> None:
        """Add the blocks from ``root`` down, each before its children."""
        stack = [root]
        while stack:
            block = stack.pop()
            if not self._is_usable(block):
                continue
            self._count(block.scope_ids.block_type)
            self._add(block, self.numbers)
            try:
                children = self._children(block)
            except PLATFORM_FAULTS:
                raise
            except Exception as error:
                # A block is third-party code; its failure must not cost the rest of the course.
                self.problems.append(f"the children of {_location(block)} failed to load: {_reason(error)}")
                continue
            stack.extend(reversed(children))

    def add_detached(self, blocks: Iterable[Any]) -> None:
        """Add blocks that are in no tree."""
        for block in blocks:
            if self._is_usable(block):
                self._add(block, dict.fromkeys(self.numbers, 0), detached=True)

    def _is_usable(self, block: Any) -> bool:
        """Whether the block gets a row; a problem is noted if not.

        A block can have two parents, and a faulty import can make a block its own descendant.
        """
        if _is_error(block):
            self.problems.append(f"{_location(block)} could not be built")
            return False
        place = _place(block.location)
        if place in self.places:
            self.problems.append(f"{_location(block)} is in the course more than once: only its first place is written")
            return False
        self.places.add(place)
        return True

    def _children(self, block: Any) -> list[Any]:
        """The children that loaded; a problem is noted for each of the others, which the platform leaves out."""
        found = block.get_children()
        loaded = [child for child in found if child is not None and not _is_error(child)]
        places = {_place(child.location) for child in loaded}
        failed = [key for key in getattr(block, "children", None) or () if _place(key) not in places]
        self.problems += [f"{key.for_branch(None)} failed to load" for key in failed]
        unnamed = len(found) - len(loaded) - len(failed)
        self.problems += [f"a child of {_location(block)} failed to load"] * unnamed
        return loaded

    def _count(self, block_type: str) -> None:
        if block_type in COUNTED:
            counted = list(COUNTED.values())
            level = counted.index(COUNTED[block_type])
            self.numbers[counted[level]] += 1
            self.numbers.update(dict.fromkeys(counted[level + 1 :], 0))

    def _add(self, block: Any, numbers: Mapping[str, int], *, detached: bool = False) -> None:
        """Add the block's row; when it cannot be read, a problem instead."""
        try:
            row = self._row(block, numbers, detached)
        except PLATFORM_FAULTS:
            raise
        except Exception as error:
            self.problems.append(f"{_location(block)} could not be read: {_reason(error)}")
            return
        self.rows.append(row)

    def _row(self, block: Any, numbers: Mapping[str, int], detached: bool) -> Row:
        location = str(_location(block))
        edited_on = getattr(block, "edited_on", None)
        if edited_on is None:
            self.problems.append(f"{location} has no edited_on")
        data = {
            "course": self.course_key.course,
            "run": self.course_key.run,
            "block_type": block.scope_ids.block_type,
            "detached": int(detached),
            "graded": int(bool(getattr(block, "graded", False))),
            "completion_mode": getattr(block, "completion_mode", None) or "",
            **numbers,
            "tags": self.tags.get(location, []),
        }
        if block.scope_ids.block_type == "video":
            data |= {f"video_{name}": _seconds(getattr(block, name, None)) for name in ("start_time", "end_time")}
        return (
            self.course_key.org,
            str(self.course_key),
            location,
            block.display_name_with_default,
            json_text(data),
            len(self.rows) + 1,
            edited_on,
        )


def _place(key: Any) -> tuple[str, str]:
    """The identity of a block within its course, whatever the branch, the version and the custom course."""
    return key.block_type, key.block_id


def _location(block: Any) -> Any:
    """The block's usage key, without branch and version."""
    return block.location.for_branch(None)


def _is_error(block: Any) -> bool:
    """Whether the platform put the block in the place of one whose class it could not build."""
    return bool(block.scope_ids.block_type == ERROR_TYPE)


def _seconds(duration: timedelta | None) -> float:
    return duration.total_seconds() if duration else 0.0


def _reason(error: Exception) -> str:
    # Logs and terminals cannot show halves of surrogate pairs.
    return whole(f"{type(error).__name__}: {error}")
