"""The blocks of a course with their names and places, as the platform has published them: no sink, no SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import edx_platform

#: The levels that are numbered, from the top.
LEVELS = {"chapter": "section", "sequential": "subsection", "vertical": "unit"}
NOWHERE = {
    **dict.fromkeys(LEVELS.values(), 0),
    **dict.fromkeys(("section_name", "subsection_name", "unit_name", "subsection_key", "unit_key"), ""),
}


def structure_of(course: CourseKey) -> list[dict[str, Any]]:
    """The rows of course_structure, in the order of the course; blocks beside the tree come last."""
    with edx_platform.published_course(course) as (root, detached):
        found = [*_tree(root, NOWHERE, 1), *((block, NOWHERE) for block in detached)]
        widths = [max(len(str(place[level])) for _, place in found) for level in LEVELS.values()]
        return [_row(block, place, number, widths) for number, (block, place) in enumerate(found, 1)]


def _tree(block: Any, place: dict[str, Any], number: int) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A block, which is its parent's child of this number from 1, and those in it, each with its place."""
    kind = block.location.block_type
    if level := LEVELS.get(kind):
        place = {**place, level: number, f"{level}_name": block.display_name}
        if level != "section":
            place[f"{level}_key"] = str(block.location.for_branch(None))
    yield block, place
    for number, child in enumerate(block.get_children(), 1):
        yield from _tree(child, place, number)


def _row(block: Any, place: dict[str, Any], number: int, widths: list[int]) -> dict[str, Any]:
    key = block.location.for_branch(None)
    levels = zip((place[level] for level in LEVELS.values()), widths, strict=True)
    return {
        "usage_key": str(key),
        "block_id": key.block_id,
        "block_type": key.block_type,
        "block_name": block.display_name_with_default,
        "course_order": number,
        **place,
        "place": ".".join(f"{number:0{width}}" for number, width in levels if number),
        "graded": block.graded,
        "completable": key.block_type in ("html", "problem", "video"),
    }
