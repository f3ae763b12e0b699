"""The files of a zip that comes from outside, with bounds on everything that it could make large."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import yaml

from platform_plugin_aspects.dashboards.own_boards.problems import UnusableBoard

#: Bytes of the zip. An export of Superset with fifty charts has less than a tenth.
MAX_BYTES = 4_000_000
MAX_FILES = 1_000
#: Bytes of one file, and of all, when they are unpacked.
MAX_FILE_BYTES, MAX_UNPACKED_BYTES = 2_000_000, 16_000_000
#: How deep values may stand in each other, and how many of them a file may hold.
MAX_DEPTH, MAX_VALUES = 60, 200_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_READING = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def read_archive(data: bytes) -> dict[str, dict[str, Any]]:
    """{path without the root folder: content} of the YAML files of an export. Raises UnusableBoard.

    Contents are trees of dicts with texts as keys, lists, texts, numbers, truth values and None.
    """
    if len(data) > MAX_BYTES:
        raise UnusableBoard([f"The file is larger than {MAX_BYTES:,} bytes. Superset's exports are smaller."])
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = dict(_texts(archive))
    except UnusableBoard:
        raise
    except _READING as error:
        raise UnusableBoard([f"The file is not a zip that can be read ({error}). Export the dashboard anew."]) from None
    return {path: content for path, text in texts.items() if isinstance(content := read_yaml(path, text), dict)}


def _texts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    if len(files) > MAX_FILES:
        raise UnusableBoard([f"The zip has {len(files):,} files. At most {MAX_FILES:,} are read."])
    seen: set[str] = set()
    left = MAX_UNPACKED_BYTES
    for info in files:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in info.filename:
            raise UnusableBoard([f"The zip has a file with the path {info.filename!r}, which leads out of it."])
        inner = str(PurePosixPath(*path.parts[1:]))
        if path.suffix not in (".yaml", ".yml") or inner == ".":
            continue
        if inner in seen:
            raise UnusableBoard([f"The zip has two files with the path {inner!r}."])
        seen.add(inner)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnusableBoard([f"{inner} is compressed in a way that Superset does not use."])
        bound = min(MAX_FILE_BYTES, left)
        # The size in the zip's directory is only a claim.
        with archive.open(info) as file:
            content = file.read(bound + 1)
        if len(content) > bound:
            raise UnusableBoard([f"{inner} is too large: unpacked, a file may have {MAX_FILE_BYTES:,} bytes."])
        left -= len(content)
        yield inner, content.decode()


def read_yaml(path: str, text: str) -> Any:
    """The value of a YAML file as a tree of plain values. Raises UnusableBoard.

    Aliases are refused, because a few of them make a file endless.
    """
    try:
        # Before anything is built, and without recursion: how deep, and how much?
        depth = 0
        for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise UnusableBoard([f"{path} has YAML aliases, which Superset's exports do not have."])
            if depth > MAX_DEPTH or number > MAX_VALUES:
                raise UnusableBoard([f"{path} holds more, or stands deeper in itself, than a dashboard does."])
        return _plain(path, yaml.load(text, Loader=_LOADER))  # a safe loader
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnusableBoard([f"{path} is not YAML that Superset writes ({reason})."]) from None


def _plain(path: str, value: Any) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str | int) for key in value):
            raise UnusableBoard([f"{path} has a key that is not a text."])
        return {str(key): _plain(path, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(path, inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise UnusableBoard([f"{path} has a value of a kind that Superset's exports do not have."])
