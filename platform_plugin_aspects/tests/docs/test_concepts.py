"""The map of the code names every room, and paths that exist; the figures told are those that were measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from aspects_house import PACKAGE, house, layers, picture, place, summary

CONCEPTS = PACKAGE.parent / "docs" / "concepts"
CODE_MAP = CONCEPTS / "code_map.rst"
ROOMS = [room for layer in layers() for room in layer.rooms]


def test_the_map_has_every_room_of_the_package_once() -> None:
    ignored = {"tests", "migrations", "static", "templates", "locale", "__pycache__", "__init__", "py"}
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix in ("", ".py")} - ignored
    assert sorted(ROOMS) == sorted(found)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_its_purpose_in_a_line(room: str) -> None:
    # Django imports management, which has no code of its own.
    text = "" if room == "management" else summary(place(room))
    assert room == "management" or 20 < len(text) <= 120
    name = f"{room}/" if place(room).is_dir() else f"{room}.py"
    assert f"* ``{name}``" + (f": {text}" if text else "") + "\n" in f"{house()}\n"


def test_the_picture_has_a_box_for_every_room_in_the_order_of_the_contract() -> None:
    svg = ElementTree.fromstring("\n".join(picture(layers())))
    names = [node.text for node in svg.iter() if node.get("class") == "name"]
    assert names == ROOMS
    heights = [float(node.get("y", 0)) for node in svg.iter() if node.get("class") == "name"]
    assert heights == sorted(heights)


@pytest.mark.parametrize("path", re.findall(r"``([\w/]+(?:\.py|/))``", CODE_MAP.read_text(encoding="utf-8")))
def test_paths_of_the_map_exist(path: str) -> None:
    assert (PACKAGE / path).exists() or (PACKAGE.parent / path).exists()


@pytest.mark.parametrize(("path", "name"), [("clickhouse/driver.py", "encode"), ("delivery/outbox.py", "deliver")])
def test_what_the_map_says_of_a_file_is_there(path: str, name: str) -> None:
    assert f"\ndef {name}(" in (PACKAGE / path).read_text(encoding="utf-8")


def test_the_glossary_has_about_25_words() -> None:
    terms = re.findall(r"^   (\w.*)$", (CONCEPTS / "glossary.rst").read_text(encoding="utf-8"), re.MULTILINE)
    assert 20 <= len(terms) <= 30
    assert len(set(terms)) == len(terms)
