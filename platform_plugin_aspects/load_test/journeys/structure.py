"""The part of a published course that journeys go through: its units, with their videos and problems."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from opaque_keys.edx.keys import CourseKey, UsageKey

from platform_plugin_aspects import edx_platform

#: Units that learners visit, at most, from the beginning of a course. A course may have thousands.
MOST_UNITS = 60
#: Videos, and as many problems and other blocks, of a unit that learners look at.
MOST_VIDEOS, MOST_OTHERS = 4, 6
#: Shortest and longest video, in seconds, where the author set no end; and the most questions of a problem.
SHORTEST, LONGEST = 60, 600
MOST_PARTS = 3


@dataclass(frozen=True)
class Video:
    """A video, of so many seconds."""

    key: UsageKey
    duration: int


@dataclass(frozen=True)
class Problem:
    """A problem with so many questions, of one point each."""

    key: UsageKey
    name: str
    parts: int


@dataclass(frozen=True)
class Unit:
    """A unit: the number ``tab``, from 1, of ``tabs`` in a subsection. ``texts`` are its other blocks."""

    section: str
    subsection: UsageKey
    tab: int
    tabs: int
    videos: Sequence[Video]
    problems: Sequence[Problem]
    texts: Sequence[UsageKey]


@dataclass(frozen=True)
class Structure:
    """A course as journeys see it."""

    course: CourseKey
    units: Sequence[Unit]

    @property
    def videos(self) -> Sequence[Video]:
        """The videos, in order."""
        return [video for unit in self.units for video in unit.videos]

    @property
    def problems(self) -> Sequence[Problem]:
        """The problems, in order."""
        return [problem for unit in self.units for problem in unit.problems]

    @property
    def points(self) -> int:
        """The points of all problems."""
        return sum(problem.parts for problem in self.problems)


def read(course_key: CourseKey) -> Structure:
    """The course as published now; without units when it is gone or empty. Raises PLATFORM_FAULTS."""
    units: list[Unit] = []
    with edx_platform.published_course(course_key) as (course, _detached):
        for section in _children(course):
            for subsection in _children(section):
                found = [unit for unit in _children(subsection) if unit.scope_ids.block_type == "vertical"]
                for tab, unit in enumerate(found, 1):
                    if len(units) == MOST_UNITS:
                        return Structure(course_key, units)
                    units.append(_unit(section, subsection, unit, tab, len(found)))
    return Structure(course_key, units)


def _unit(section: Any, subsection: Any, unit: Any, tab: int, tabs: int) -> Unit:
    videos: list[Video] = []
    problems: list[Problem] = []
    texts: list[UsageKey] = []
    for block in _leaves(unit):
        key = _key(block)
        if block.scope_ids.block_type == "video":
            videos.append(Video(key, _duration(block, key)))
        elif block.scope_ids.block_type == "problem":
            problems.append(Problem(key, block.display_name_with_default, 1 + _number(key, MOST_PARTS)))
        else:
            texts.append(key)
    return Unit(
        section.display_name_with_default,
        _key(subsection),
        tab,
        tabs,
        videos[:MOST_VIDEOS],
        problems[:MOST_OTHERS],
        texts[:MOST_OTHERS],
    )


def _children(block: Any) -> list[Any]:
    children = [] if block is None else block.get_children()
    return [child for child in children if child is not None and child.scope_ids.block_type != "error"]


def _leaves(unit: Any) -> Iterator[Any]:
    """The blocks in a unit that hold no others, each once: a faulty import can make a block its own descendant."""
    seen: set[Any] = set()
    stack = _children(unit)[::-1]
    while stack:
        block = stack.pop()
        if _key(block) in seen:
            continue
        seen.add(_key(block))
        children = _children(block) if getattr(block, "has_children", False) else []
        if children:
            stack += children[::-1]
        else:
            yield block


def _key(block: Any) -> Any:
    """The usage key, without branch and version."""
    return block.location.for_branch(None)


def _duration(block: Any, key: UsageKey) -> int:
    """Seconds: as the author cut the video, or else a number that is the same each time."""
    end = getattr(block, "end_time", None)
    seconds = int(end.total_seconds()) if end else 0
    return seconds or SHORTEST + _number(key, LONGEST - SHORTEST + 1)


def _number(key: UsageKey, below: int) -> int:
    """A number from 0 that depends on the key only."""
    return int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:4]) % below
