"""Structures of published courses in a folder, so that several processes see the same ones."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from xmodule.modulestore.blocks import BlockData, Structure

DATETIME_FIELDS = {"start", "end", "announcement", "enrollment_start", "enrollment_end"}
DURATION_FIELDS = {"start_time", "end_time"}


class StructureFiles:
    """A mapping of versions to structures: a JSON file each, never written twice."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._read: dict[str, Structure] = {}

    def get(self, version: str) -> Structure | None:
        """Return the structure, or None."""
        if version not in self._read:
            try:
                text = self._path(version).read_text(encoding="utf-8")
            except FileNotFoundError:
                return None
            self._read[version] = structure_from_json(json.loads(text))
        return self._read[version]

    def __setitem__(self, version: str, structure: Structure) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(version).write_text(json.dumps(structure_to_json(structure)), encoding="utf-8")
        self._read[version] = structure

    def _path(self, version: str) -> Path:
        return self.folder / f"{version}.json"


def structure_to_json(structure: Structure) -> dict[str, Any]:
    """Return the structure as plain data."""
    return {
        "branch": structure.branch,
        "version": structure.version,
        "blocks": [
            {
                "type": block.block_type,
                "id": block.block_id,
                "fields": {name: _plain(value) for name, value in block.fields.items()},
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
            fields={name: _field(name, value) for name, value in block["fields"].items()},
            children=tuple((type_, id_) for type_, id_ in block["children"]),
            edited_on=block["edited_on"] and datetime.fromisoformat(block["edited_on"]),
        )
        for block in data["blocks"]
    ]
    return Structure(data["branch"], {block.ref: block for block in blocks}, data["version"])


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.isoformat() if isinstance(value, datetime) else value


def _field(name: str, value: Any) -> Any:
    if name in DURATION_FIELDS and value is not None:
        return timedelta(seconds=value)
    return datetime.fromisoformat(value) if name in DATETIME_FIELDS and value else value
