"""The map of the code names every room, and paths that exist; the figures told are those that were measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from aspects_house import PACKAGE, house, layers, picture, place, summary

ROOT = PACKAGE.parent
CONCEPTS = ROOT / "docs" / "concepts"
CODE_MAP = CONCEPTS / "code_map.rst"
ROOMS = [room for layer in layers() for room in layer.rooms]


def test_the_map_has_every_room_of_the_package_once() -> None:
    ignored = {"tests", "migrations", "static", "templates", "locale", "__pycache__", "__init__", "py"}
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix in ("", ".py")} - ignored
    assert sorted(ROOMS) == sorted(found)


@pytest.fixture(scope="module")
def rooms_in_the_docs() -> str:
    return f"{house()}\n"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_its_purpose_in_a_line(room: str, rooms_in_the_docs: str) -> None:
    # Django imports management, which has no code of its own.
    text = "" if room == "management" else summary(place(room))
    assert room == "management" or 20 < len(text) <= 120
    name = f"{room}/" if place(room).is_dir() else f"{room}.py"
    assert f"* ``{name}``" + (f": {text}" if text else "") + "\n" in rooms_in_the_docs


def test_the_picture_has_a_box_for_every_room_in_the_order_of_the_contract() -> None:
    svg = ElementTree.fromstring("\n".join(picture(layers())))
    names = [node.text for node in svg.iter() if node.get("class") == "name"]
    assert names == ROOMS
    heights = [float(node.get("y", 0)) for node in svg.iter() if node.get("class") == "name"]
    assert heights == sorted(heights)


def mentions(page: Path, pattern: str) -> list[Any]:
    return sorted(set(re.findall(pattern, page.read_text(encoding="utf-8"))))


PATHS = r"``((?:[\w]+/)+(?:\w+\.py)?)``"


@pytest.mark.parametrize("path", [*mentions(CODE_MAP, PATHS), *mentions(ROOT / "CONTRIBUTING.rst", PATHS)])
def test_paths_of_the_map_and_of_contributing_exist(path: str) -> None:
    assert any((folder / path).exists() for folder in (PACKAGE, PACKAGE / "tests", ROOT))


@pytest.mark.parametrize(("path", "name"), mentions(CODE_MAP, r"``([\w/]+\.py)``: ``(\w+)``"))
def test_functions_of_the_map_are_in_their_files(path: str, name: str) -> None:
    assert f"\ndef {name}(" in (PACKAGE / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", mentions(ROOT / "test_utils" / "README.rst", r"``([\w/]+(?:/|\.py|\.sh))``"))
def test_paths_of_the_map_of_test_utils_exist(path: str) -> None:
    assert any(
        (folder / path).exists()
        for folder in (ROOT, ROOT / "test_utils", ROOT / "test_utils/checks", ROOT / "test_utils/clickhouse_endpoint")
    )


def test_the_glossary_has_about_30_words() -> None:
    terms = re.findall(r"^   (\w.*)$", (CONCEPTS / "glossary.rst").read_text(encoding="utf-8"), re.MULTILINE)
    assert 25 <= len(terms) <= 35
    assert len(set(terms)) == len(terms)


def test_the_readme_tells_the_figures_that_were_measured() -> None:
    measured = (CONCEPTS / "backfill-benchmark.inc").read_text(encoding="utf-8")
    rows = re.split(r"\n   \* - ", measured)
    (row,) = (row for row in rows if row.startswith("MariaDB\n     - user_profile\n     - 1,000,000\n"))
    figures = [cell.strip() for cell in row.split("\n     -")]
    peak, seconds, ratio = figures[7], round(float(figures[10])), figures[11]
    readme = " ".join((ROOT / "README.rst").read_text(encoding="utf-8").split())
    assert f"a million profiles takes {seconds} s and {peak} MB, `{ratio} times as long as only inserting" in readme


def test_the_costs_of_learning_events_are_those_that_were_measured() -> None:
    measured = (CONCEPTS / "events-benchmark.inc").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in row.split("\n     -")] for row in re.split(r"\n   \* - ", measured)[1:]]
    by_way = {row[1]: row for row in rows}
    request, today = by_way["ours, by a bare INSERT"], by_way["ours, by today's publish"]
    chain, batched = by_way["ours"], by_way["ours, by today batched"]
    page = " ".join((CONCEPTS / "performance.rst").read_text(encoding="utf-8").split())
    assert (
        f"costs its request {request[8]} microseconds of processor time, {request[9]} times a bare INSERT and "
        f"{today[9]} times publishing to Celery. From the act to the row it costs {chain[8]} microseconds, "
        f"{batched[9]} times today's chain in batches."
    ) in page


def test_the_figures_of_reports_are_those_that_were_measured() -> None:
    measured = (CONCEPTS / "reporting-benchmark.inc").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in row.split("\n     -")] for row in re.split(r"\n   \* - ", measured)[1:]]
    views = [row for row in rows if len(row) == 7 and row[0] != "view"]
    slowest = max(views, key=lambda row: int(row[3]))
    peak = max(int(row[6].split()[0]) for row in views)
    (batches,) = (row for row in rows if row[0] == "10,000")
    page = " ".join((CONCEPTS / "performance.rst").read_text(encoding="utf-8").split())
    assert (
        f"The slowest view, ``{slowest[0]}``, takes {slowest[3]} ms, and no view more than {peak} MB. "
        f"Batches of 10,000 reach {batches[2]} statements a second with reports."
    ) in page


def test_the_badges_are_true() -> None:
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    assert re.findall(r":alt: (Python .*|Django .*|Licence .*)", readme) == [
        "Python 3.11 and later",
        "Django 4.2 to 5.2",
        "Licence Apache-2.0",
    ]
    assert 'python_requires=">=3.11"' in setup
    assert re.findall(r"Framework :: Django :: (\S+)\"", setup) == ["4.2", "5.2"]
    assert 'license_expression="Apache-2.0"' in setup
