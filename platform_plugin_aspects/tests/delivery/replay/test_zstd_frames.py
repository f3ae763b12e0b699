"""The ends of Zstandard's frames: a log that is cut off anywhere else is damaged."""

from __future__ import annotations

import io
import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.delivery.replay.files import Log
from platform_plugin_aspects.delivery.replay.zstd_frames import Frames

LINES = b"".join(b"%d\n" % number for number in range(300))
#: Blocks of three kinds: compressed, repeated, and stored as they are.
MANY_BLOCKS = LINES + b"a" * 300_000 + random.Random(1).randbytes(300_000)
SKIPPED = b"\x5a\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"skipped"


def frame(text: bytes, size: bool = True, checksum: bool = False) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=size, write_checksum=checksum).compress(text)


def ends(stored: bytes, portion: int = 7) -> bool:
    frames = Frames()
    for first in range(0, len(stored), portion):
        frames.feed(stored[first : first + portion])
    return frames.whole


@pytest.mark.parametrize("portion", [1, 7, 1_000_000])
@pytest.mark.parametrize("checksum", [True, False])
@pytest.mark.parametrize("size", [True, False])
@pytest.mark.parametrize("text", [b"", b"a", LINES, MANY_BLOCKS])
def test_a_whole_frame_is_whole(text: bytes, size: bool, checksum: bool, portion: int) -> None:
    assert ends(frame(text, size, checksum), portion)


@given(st.booleans(), st.booleans(), st.data())
def test_a_frame_that_is_cut_off_anywhere_is_not_whole(size: bool, checksum: bool, data: st.DataObject) -> None:
    first, second = frame(LINES, size, checksum), frame(b"more\n", size, checksum)
    parts = first + SKIPPED + second
    length = data.draw(st.integers(0, len(parts)))
    ended = (0, len(first), len(first + SKIPPED), len(parts))
    assert ends(parts[:length]) == (length in ended)


@pytest.mark.parametrize("left", [1, 4, 5, 10, 1_000])
def test_a_log_that_is_cut_off_within_a_frame_is_damaged(left: int) -> None:
    stored = frame(MANY_BLOCKS)
    log = Log("a log", io.BufferedReader(io.BytesIO(stored[:-left])), None)  # type: ignore[arg-type]
    found = [line for chunk in log.chunks() for line in chunk.lines]
    assert log.damage is not None
    assert str(log.damage).startswith("a log is damaged after line ")
    assert str(log.damage).endswith("(its compressed data ends too early)")
    assert found[:300] == LINES.splitlines(keepends=True)


def test_a_log_of_which_only_the_beginning_of_a_frame_is_there_is_damaged() -> None:
    log = Log("a log", io.BufferedReader(io.BytesIO(frame(LINES)[:20])), None)  # type: ignore[arg-type]
    assert list(log.chunks()) == []
    assert str(log.damage) == "a log is damaged after line 0 (its compressed data ends too early)"
