"""Published courses in a folder, so that several processes see the same ones."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from xmodule.modulestore.blocks import BlockData, Structure

SUFFIX = ".json"
DATETIME_FIELDS = {"start", "end", "announcement", "enrollment_start", "enrollment_end"}


class PublishedFiles:
    """A mapping of course ids to published structures: a JSON file each, read again when it changed."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._read: dict[str, tuple[tuple[int, int, int], Structure]] = {}

    def get(self, course_id: str) -> Structure | None:
        """Return the course's published structure, or None."""
        path = self._path(course_id)
        try:
            # The stamp is taken first: a file replaced in between is read again next time.
            stamp = self._stamp(path)
            known = self._read.get(course_id)
            if known is None or known[0] != stamp:
                known = (stamp, structure_from_json(json.loads(path.read_text(encoding="utf-8"))))
                self._read[course_id] = known
        except FileNotFoundError:
            self._read.pop(course_id, None)
            return None
        return known[1]

    def __setitem__(self, course_id: str, structure: Structure) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.folder, prefix=".", suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            json.dump(structure_to_json(structure), file)
        os.replace(file.name, self._path(course_id))

    def pop(self, course_id: str, default: None = None) -> None:
        """Forget the course."""
        self._path(course_id).unlink(missing_ok=True)
        self._read.pop(course_id, None)

    def __iter__(self) -> Any:
        files = self.folder.glob(f"*{SUFFIX}") if self.folder.is_dir() else ()
        return iter(sorted(unquote(path.name.removesuffix(SUFFIX)) for path in files))

    def _path(self, course_id: str) -> Path:
        return self.folder / (quote(course_id, safe="") + SUFFIX)

    @staticmethod
    def _stamp(path: Path) -> tuple[int, int, int]:
        found = path.stat()
        return (found.st_mtime_ns, found.st_size, found.st_ino)


def structure_to_json(structure: Structure) -> dict[str, Any]:
    """Return the structure as plain data."""
    return {
        "branch": structure.branch,
        "version": structure.version,
        "blocks": [
            {
                "type": block.block_type,
                "id": block.block_id,
                "fields": {
                    name: value.isoformat() if isinstance(value, datetime) else value
                    for name, value in block.fields.items()
                },
                "children": block.children,
                "edited_on": block.edited_on and block.edited_on.isoformat(),
            }
            for block in structure.blocks.values()
        ],
    }


def structure_from_json(data: dict[str, Any]) -> Structure:
    """Return the structure of such plain data."""
    blocks = [
        BlockData(
            block_type=block["type"],
            block_id=block["id"],
            fields={
                name: datetime.fromisoformat(value) if name in DATETIME_FIELDS and value else value
                for name, value in block["fields"].items()
            },
            children=tuple((type_, id_) for type_, id_ in block["children"]),
            edited_on=block["edited_on"] and datetime.fromisoformat(block["edited_on"]),
        )
        for block in data["blocks"]
    ]
    return Structure(data["branch"], {block.ref: block for block in blocks}, data["version"])
