"""The blocks of a course."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.clickhouse.schema import Column
from platform_plugin_aspects.sinks.base_sink import Batch, ModelBaseSink, Selection

#: Block types that are counted, outermost first, and what the count is called.
COUNTED = {"chapter": "section", "sequential": "subsection", "vertical": "unit"}

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
        """The blocks of one course, in tree order with the detached ones after, and what could not be read.

        ``tags``: ids of tags by usage key.
        """
        walk = _Walk(course_key, tags)
        with edx_platform.published_course(course_key) as (course, detached):
            if course is None:
                return [], ["it is gone from the modulestore"]
            for block in walk.tree(course):
                walk.add(block, detached=False)
            for block in detached:
                walk.add(block, detached=True)
        return walk.rows, walk.problems


class _Walk:
    """Rows made of one course's blocks, with their running numbers."""

    def __init__(self, course_key: CourseKey, tags: Mapping[str, Sequence[int]]):
        self.course_key = course_key
        self.tags = tags
        self.numbers = dict.fromkeys(COUNTED.values(), 0)
        self.rows: list[Row] = []
        self.problems: list[str] = []

    def tree(self, root: Any) -> Iterator[Any]:
        """The blocks from ``root`` down, each before its children, without the ones that fail to load."""
        stack = [root]
        while stack:
            block = stack.pop()
            if block is None:
                self.problems.append("a block failed to load")
                continue
            yield block
            try:
                children = block.get_children()
            except Exception as error:
                # A block is third-party code; its failure must not cost the rest of the course.
                self.problems.append(f"the children of {block.location} failed to load: {_reason(error)}")
                continue
            stack.extend(reversed(children))

    def add(self, block: Any, *, detached: bool) -> None:
        """Add the block's row; when it cannot be read, a problem instead."""
        block_type = block.scope_ids.block_type
        if not detached:
            self._count(block_type)
        try:
            row = self._row(block, block_type, detached)
        except Exception as error:
            self.problems.append(f"{block.location} could not be read: {_reason(error)}")
            return
        self.rows.append(row)

    def _count(self, block_type: str) -> None:
        if block_type in COUNTED:
            counted = list(COUNTED.values())
            level = counted.index(COUNTED[block_type])
            self.numbers[counted[level]] += 1
            self.numbers.update(dict.fromkeys(counted[level + 1 :], 0))

    def _row(self, block: Any, block_type: str, detached: bool) -> Row:
        location = str(block.location.for_branch(None))
        edited_on = getattr(block, "edited_on", None)
        if edited_on is None:
            self.problems.append(f"{location} has no edited_on")
        data = {
            "course": self.course_key.course,
            "run": self.course_key.run,
            "block_type": block_type,
            "detached": int(detached),
            "graded": int(bool(getattr(block, "graded", False))),
            "completion_mode": getattr(block, "completion_mode", "unknown"),
            **(dict.fromkeys(self.numbers, 0) if detached else self.numbers),
            "tags": self.tags.get(location, []),
        }
        return (
            self.course_key.org,
            str(self.course_key),
            location,
            block.display_name_with_default,
            json.dumps(data),
            len(self.rows) + 1,
            edited_on,
        )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
