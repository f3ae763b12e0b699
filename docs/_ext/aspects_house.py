"""Writes the map of the code: rooms in the layers of the import contract, with the first lines of their docstrings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "platform_plugin_aspects"

#: The picture's measures.
WIDTH, LINE, GAP, PER_LINE = 800, 40, 14, 5


@dataclass(frozen=True)
class Layer:
    """Rooms beside each other; ``apart`` if they must not import each other either."""

    rooms: tuple[str, ...]
    apart: bool


def layers() -> list[Layer]:
    """The layers of pyproject.toml's contract, from the top down."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = (found for found in contracts if found["id"] == "rooms")
    return [Layer(tuple(re.split(r" [|:] ", layer)), " : " not in layer) for layer in contract["layers"]]


def summary(path: Path) -> str:
    """The first line of a module's or package's docstring."""
    source = path / "__init__.py" if path.is_dir() else path
    text = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def place(room: str) -> Path:
    """The folder or the file of a room."""
    folder = PACKAGE / room
    return folder if folder.is_dir() else folder.with_suffix(".py")


def inside(folder: Path) -> list[Path]:
    """The modules and packages of a package, those with a docstring."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix == ".py" or (path / "__init__.py").exists()]
    return [path for path in found if path.name != "__init__.py" and summary(path)]


def house() -> str:
    """The picture, and below it each room with its modules, as reStructuredText."""
    lines = [".. raw:: html", "", '   <div class="diagram-scroll" tabindex="0">']
    lines += [f"   {line}" for line in picture(layers())]
    lines += ["   </div>", ""]
    for layer in layers():
        for room in sorted(layer.rooms):
            lines += _listed(place(room), 0)
    return "\n".join(lines)


def _listed(path: Path, depth: int) -> Iterator[str]:
    indent = "  " * depth
    name = f"{path.name}/" if path.is_dir() else path.name
    yield from (f"{indent}* ``{name}``: {summary(path)}".rstrip(": "), "")
    if path.is_dir():
        for child in inside(path):
            yield from _listed(child, depth + 1)


def picture(shown: list[Layer]) -> Iterator[str]:
    """An SVG of the layers, each importing only from those below it."""
    rows = [[layer.rooms[at : at + PER_LINE] for at in range(0, len(layer.rooms), PER_LINE)] for layer in shown]
    height = sum(len(row) * LINE + GAP + 10 for row in rows) + 34
    yield f'<svg class="diagram" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
    yield ' aria-labelledby="house-title house-desc">'
    yield '  <title id="house-title">Layers of the package</title>'
    told = "; ".join(", ".join(layer.rooms) for layer in shown)
    yield f'  <desc id="house-desc">From the top down: {escape(told)}. A room imports only from below.</desc>'
    yield '  <text class="label start" x="10" y="18">A room imports only from layers below its own.</text>'
    y = 30
    for layer, lines in zip(shown, rows, strict=True):
        yield f'  <rect class="theirs" x="0.5" y="{y}" width="{WIDTH - 1}" height="{len(lines) * LINE + 10}" rx="6"/>'
        for line in lines:
            wide = (WIDTH - 10) / len(line)
            for at, room in enumerate(line):
                x = 10 + at * wide
                # Rooms with a frame of their own do not import each other.
                kind = "ours" if layer.apart else "theirs"
                yield f'  <rect class="{kind}" x="{x:g}" y="{y + 8}" width="{wide - 10:g}" height="{LINE - 6}" rx="6"/>'
                yield f'  <text class="name" x="{x + wide / 2 - 5:g}" y="{y + 30}">{escape(room)}</text>'
            y += LINE
        y += GAP + 10
    yield "</svg>"
