"""The courses of the show: names of sections, subsections and units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

#: {section: {subsection: units}}
Outline = Mapping[str, Mapping[str, Sequence[str]]]

ASTRONOMY: Outline = {
    "Looking up": {
        "Your eyes are an instrument": ["Dark adaptation", "Averted vision"],
        "Finding your way": ["The Big Dipper", "Star hopping"],
    },
    "The sky turns": {
        "Day and night": ["Sunrise is not at six", "Sidereal time"],
        "The seasons": ["Tilt", "Solstices and equinoxes"],
    },
    "The Moon": {
        "Phases": ["Why there is no dark side", "Earthshine"],
        "Eclipses": ["Umbra and penumbra", "Saros"],
    },
    "Light": {
        "Colour and temperature": ["Black bodies", "Spectral classes"],
        "Distance": ["Parallax", "Standard candles"],
    },
}
BREAD: Outline = {
    "Flour and water": {
        "Flour": ["Gluten", "Whole grain"],
        "Sourdough": ["A starter from nothing", "Feeding"],
    },
    "Heat": {
        "The oven": ["Steam", "Crust and crumb"],
        "Keeping": ["Staling", "Freezing"],
    },
}
#: The blocks of the units, in turn, besides a text.
LEAVES = (("video", "problem"), ("problem",), ("video", "problem"), ("video", "problem", "problem"))
TITLES = {"video": "Video: {}", "problem": "Check yourself: {}"}


def tree(name: str, outline: Outline, **fields: Any) -> dict[str, Any]:
    """A course as ``modulestore().create_course`` takes it. Every other subsection is graded, from the second one.

    ``fields``: settings of the course.
    """
    numbers = count(1)
    sections = [
        _block("chapter", section, number, False, _subsections(subsections, number, numbers))
        for number, (section, subsections) in enumerate(outline.items(), 1)
    ]
    return {"type": "course", "id": "course", "fields": {"display_name": name, **fields}, "children": sections}


def _subsections(
    subsections: Mapping[str, Sequence[str]], section: int, numbers: Iterator[int]
) -> list[dict[str, Any]]:
    made = []
    for number, (subsection, units) in enumerate(subsections.items(), 1):
        graded = number % 2 == 0
        children = [_unit(unit, next(numbers), graded) for unit in units]
        made.append(_block("sequential", subsection, section * 10 + number, graded, children))
    return made


def _unit(name: str, number: int, graded: bool) -> dict[str, Any]:
    leaves = [_block("html", f"{name}: reading", number, graded)]
    for at, kind in enumerate(LEAVES[number % len(LEAVES)]):
        more = f" {at}" if at > 1 else ""
        leaves.append(_block(kind, TITLES[kind].format(name) + more, number * 10 + at, graded))
    return _block("vertical", name, number, graded, leaves)


def _block(kind: str, name: str, number: int, graded: bool, children: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    fields = {"display_name": name, "graded": graded}
    return {"type": kind, "id": f"{kind}_{number}", "fields": fields, "children": list(children)}
