"""Reading logs: every line once, whatever the bytes, and from a saved position on."""

from __future__ import annotations

import gzip
import io
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from platform_plugin_aspects.delivery.replay.files import (
    CHUNK_LINES,
    LONGEST_LINE,
    CannotRead,
    Log,
    Position,
    open_log,
)

STORED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "gzip, in two parts": lambda text: gzip.compress(text[:5]) + gzip.compress(text[5:]),
    "zstandard": lambda text: zstandard.ZstdCompressor(write_checksum=True).compress(text),
    "zstandard, in two frames": lambda text: b"".join(map(zstandard.ZstdCompressor().compress, (text[:5], text[5:]))),
}


def lines_of(log: Log) -> list[bytes | None]:
    return [line for chunk in log.chunks() for line in chunk.lines]


def opened(stored: bytes) -> Log:
    """A log from a pipe."""
    return Log("a log", io.BufferedReader(io.BytesIO(stored)), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", STORED)
def test_a_log_is_read_by_lines_however_it_is_stored(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(STORED[kind](b"one\n\ntwo\xff\r\nhalf"))

    with open_log(str(path)) as log:
        [chunk] = log.chunks()

    assert (chunk.first, chunk.lines, chunk.cut_off) == (1, [b"one\n", b"\n", b"two\xff\r\n", b"half"], True)
    # Before the half line.
    assert (chunk.end.offset, chunk.end.lines) == (11, 3)


@pytest.mark.parametrize("kind", STORED)
def test_a_pipe_is_read_as_it_comes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            for byte in STORED[kind](b"one\ntwo\n"):
                pipe.write(bytes([byte]))

    writer = threading.Thread(target=write)
    writer.start()
    with open_log(str(path)) as log:
        assert lines_of(log) == [b"one\n", b"two\n"]
        assert (log.size, log.first_line) == (None, "")
    writer.join()


def test_a_log_is_read_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x\n" * (2 * CHUNK_LINES + 1))

    with open_log(str(path)) as log:
        chunks = list(log.chunks())

    assert [(chunk.first, len(chunk.lines), chunk.end.offset) for chunk in chunks] == [
        (1, 2_000, 4_000),
        (2_001, 2_000, 8_000),
        (4_001, 1, 8_002),
    ]


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, 3 * LONGEST_LINE + 7])
def test_a_line_that_is_too_long_is_not_kept(length: int) -> None:
    long = b"x" * (length - 1) + b"\n"
    assert lines_of(opened(b"before\n" + long + b"after\n")) == [b"before\n", None, b"after\n"]
    fits = b"x" * (LONGEST_LINE - 1) + b"\n"
    assert lines_of(opened(fits)) == [fits]


class Endless(io.RawIOBase):
    """A pipe whose line has no end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"x" * len(buffer)
        return len(buffer)


def test_a_line_without_an_end_can_be_stopped() -> None:
    looks = iter([False, False, False, True, True])
    log = Log("a log", io.BufferedReader(Endless()), None)  # type: ignore[arg-type]
    assert list(log.chunks(lambda: next(looks))) == []


def test_a_slow_pipe_can_be_stopped_between_two_lines() -> None:
    looks = iter([False, False, True, True])
    [chunk] = opened(b"one\ntwo\nthree\n").chunks(lambda: next(looks))
    assert (chunk.lines, chunk.end.lines) == ([b"one\n", b"two\n"], 2)


@pytest.mark.parametrize("kind", ["gzip", "zstandard"])
def test_a_damaged_log_is_read_up_to_the_damage(kind: str) -> None:
    stored = STORED[kind](random.Random(1).randbytes(500_000).hex().encode().replace(b"0", b"\n"))
    log = opened(stored[:200_000] + b"damage" * 100 + stored[200_600:])

    whole = lines_of(opened(stored))
    found = lines_of(log)

    assert log.damage is not None
    assert str(log.damage).startswith("a log is damaged after line ")
    # It may be noticed late.
    assert found[:5_000] == whole[:5_000]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "missing cannot be opened (No such file or directory)"),
        ("", " cannot be opened (No such file or directory)"),
        ("/", "/ cannot be opened (Is a directory)"),
        ("a\0b", "a\0b cannot be opened (ValueError)"),
        ("/dev/zero", "/dev/zero is a device, which may have no end: name a log, or - for standard input"),
    ],
)
def test_a_log_that_cannot_be_opened(name: str, message: str) -> None:
    with pytest.raises(CannotRead) as caught, open_log(name):
        pass
    assert str(caught.value) == message


@given(st.binary() | st.lists(st.sampled_from([b"\n", b"a", b"\r\n", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])).map(b"".join))
def test_any_bytes_are_so_many_lines(stored: bytes) -> None:
    log = opened(stored)
    found = lines_of(log)
    if not stored.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        assert log.damage is None
        assert found == stored.splitlines(keepends=True) if b"\r" not in stored else b"".join(filter(None, found))
        assert len(found) == stored.count(b"\n") + (stored != b"" and not stored.endswith(b"\n"))


@given(st.lists(st.sampled_from([b"a\n", b"\n", b"bb\n"]), min_size=1), st.sampled_from(sorted(STORED)), st.data())
def test_from_the_position_after_any_line_the_rest_is_read(lines: list[bytes], kind: str, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(lines)))
    [*_, chunk] = [*opened(STORED[kind](b"".join(lines[:number]))).chunks()] or [None]
    position = Position() if chunk is None else chunk.end

    log = opened(STORED[kind](b"".join(lines)))

    assert log.go_to(position)
    assert lines_of(log) == lines[number:]


def test_from_the_position_after_a_line_that_was_too_long_the_rest_is_read() -> None:
    text = b"x" * LONGEST_LINE + b"\none\n"
    [chunk] = opened(text).chunks()
    log = opened(text + b"two\n")
    assert log.go_to(chunk.end)
    assert lines_of(log) == [b"two\n"]


def test_a_log_with_other_bytes_before_a_position_is_another_log() -> None:
    [chunk] = opened(b"one\ntwo\n").chunks()
    assert not opened(b"one\nTwo\nthree\n").go_to(chunk.end)
    assert not opened(b"one\n").go_to(chunk.end)
    assert not opened(b"").go_to(chunk.end)
