"""Tracking logs as chunks of lines: plain, gzip or Zstandard, from a file or a pipe, by bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, BinaryIO

from platform_plugin_aspects.delivery.replay.zstd_frames import FRAME as ZSTANDARD
from platform_plugin_aspects.delivery.replay.zstd_frames import Frames

try:
    import zstandard
except ImportError:
    zstandard = None  # type: ignore[assignment]

GZIP = b"\x1f\x8b"
#: The longest line that is kept, in bytes. The platform logs no event of more than 50,000 characters.
LONGEST_LINE = 1_000_000
#: How much is read at once: lines, and bytes.
CHUNK_LINES, CHUNK_BYTES = 2_000, 4_000_000
#: How many bytes before a saved position must be what they were.
TAIL_BYTES = 1_024
_BLOCK = 1 << 16
#: Errors of reading a damaged log.
DAMAGES: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, *([zstandard.ZstdError] if zstandard else []))


class CannotRead(Exception):
    """A log cannot be opened, or not be read on; the text says why, and what to do."""


@dataclass(frozen=True)
class Position:
    """A place between two lines: the bytes (uncompressed) and the lines before it, and a digest of the last bytes."""

    offset: int = 0
    lines: int = 0
    tail: str = ""


@dataclass(frozen=True)
class Chunk:
    """Lines of a log, ``first`` being the number of the first one.

    A line is None when it was too long to keep. ``cut_off``: the last line has no end yet, so it may be half a line,
    and ``end`` is the position before it.
    """

    first: int
    lines: list[bytes | None]
    cut_off: bool
    end: Position


class Log:
    """An open log.

    ``name``: for messages. ``size``: its bytes as stored, None for a pipe. ``first_line``: a digest, by which a log is
    recognized under any name; empty while the line has no end, and for a pipe. ``damage``: why ``chunks`` ended early.
    """

    def __init__(self, name: str, stored: BinaryIO, size: int | None, first_line: str = ""):
        self.name = name
        self.size = size
        self.first_line = first_line
        self.damage: CannotRead | None = None
        self._stored = stored
        self._stream = _uncompressed(name, stored)
        self._offset = self._lines = 0
        self._tail = b""

    @property
    def bytes_read(self) -> int:
        """How many of the stored bytes have been read."""
        return self._stored.tell() if self.size is not None else 0

    def go_to(self, position: Position) -> bool:
        """Continue from a position, if the bytes before it are those of then; False leaves the log unusable."""
        tail = b""
        wanted = min(position.offset, TAIL_BYTES)
        try:
            for size in (position.offset - wanted, wanted):
                while size:
                    tail = self._stream.read(min(size, _BLOCK))
                    if not tail:
                        return False
                    size -= len(tail)
                    self._tail = (self._tail + tail)[-TAIL_BYTES:]
        except DAMAGES:
            return False
        self._offset, self._lines = position.offset, position.lines
        return not position.offset or _digest(self._tail) == position.tail

    @property
    def lines(self) -> int:
        """How many lines are before the current position."""
        return self._lines

    def chunks(self, stops: Callable[[], bool] = lambda: False) -> Iterator[Chunk]:
        """The lines from the current position on, until the end or where the log is damaged.

        ``stops``: whether to end already. A line that has not been read to its end by then is left out.
        """
        cut_off = False
        while not cut_off and self.damage is None:
            first = self._lines + 1
            lines: list[bytes | None] = []
            size = 0
            try:
                while len(lines) < CHUNK_LINES and size < CHUNK_BYTES and not cut_off:
                    line, length, cut_off = self._line(stops)
                    if not length:
                        break
                    lines.append(line)
                    size += length
            except DAMAGES as error:
                self.damage = CannotRead(_why(self.name, f"is damaged after line {self._lines:,}", error))
            if not lines:
                return
            yield Chunk(first, lines, cut_off, Position(self._offset, self._lines, _digest(self._tail)))

    def _line(self, stops: Callable[[], bool]) -> tuple[bytes | None, int, bool]:
        """The next line, or None for one that is too long, its length, and whether its end is missing.

        Its length is 0 at the end of the log, and where reading ``stops``.
        """
        line = part = b"" if stops() else self._stream.readline(LONGEST_LINE)
        length, tail = len(line), line
        while part and not part.endswith(b"\n"):
            # A pipe's line may have no end.
            if stops():
                return None, 0, True
            part = self._stream.readline(LONGEST_LINE)
            length += len(part)
            tail = (tail + part)[-TAIL_BYTES:]
        cut_off = length > 0 and not part
        if length and not cut_off:
            self._tail = (self._tail + tail)[-TAIL_BYTES:]
            self._offset += length
            self._lines += 1
        return (line if length <= LONGEST_LINE else None), length, cut_off


@contextmanager
def open_log(name: str, stdin: BinaryIO | None = None) -> Iterator[Log]:
    """A log by its path, or standard input, which is ``stdin``. Raises CannotRead."""
    if stdin is not None:
        yield Log("standard input", stdin, None)
        return
    with _opened(name) as stored:
        if not stored.seekable():
            # A named pipe.
            yield Log(name, stored, None)
            return
        first_line = b""
        with suppress(*DAMAGES):
            first_line = _uncompressed(name, stored).readline(LONGEST_LINE)
        size = stored.seek(0, io.SEEK_END)
        stored.seek(0)
        yield Log(name, stored, size, _digest(first_line) if first_line.endswith(b"\n") else "")


def _opened(name: str) -> BinaryIO:
    try:
        kind = os.stat(name).st_mode
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            raise CannotRead(f"{name} is a device, which may have no end: name a log, or - for standard input")
        return open(name, "rb")
    except (OSError, ValueError) as error:
        raise CannotRead(_why(name, "cannot be opened", error)) from None


def _uncompressed(name: str, stored: BinaryIO) -> IO[bytes]:
    """The stored bytes, without the compression that the first ones show."""
    try:
        beginning = stored.read(len(ZSTANDARD))
        rejoined = _rejoined(beginning, stored)
    except OSError as error:
        raise CannotRead(_why(name, "cannot be read", error)) from None
    if beginning.startswith(GZIP):
        unzipped: Any = gzip.GzipFile(fileobj=rejoined)
        return unzipped  # type: ignore[no-any-return]
    if beginning == ZSTANDARD:
        if zstandard is None:
            raise CannotRead(
                f"{name} is compressed with Zstandard: install platform-plugin-aspects[xapi], or "
                "pipe it through `zstd -dc`"
            )
        unpacked: Any = io.BufferedReader(_Unpacked(rejoined), _BLOCK)
        return unpacked  # type: ignore[no-any-return]
    return rejoined


class _Watched:
    """The compressed bytes, which ``frames`` sees, too."""

    def __init__(self, stored: BinaryIO, frames: Frames):
        self._stored = stored
        self._frames = frames

    def read(self, size: int = -1) -> bytes:
        some = self._stored.read(size)
        self._frames.feed(some)
        return some


class _Unpacked(io.RawIOBase):
    """The log that Zstandard has compressed. EOFError where it is cut off: the decompressor takes that for the end."""

    def __init__(self, stored: BinaryIO):
        self._frames = Frames()
        watched: Any = _Watched(stored, self._frames)
        self._reader: Any = zstandard.ZstdDecompressor().stream_reader(watched, read_across_frames=True, closefd=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size: int = self._reader.readinto(buffer)
        if not size and not self._frames.whole:
            raise EOFError
        return size


def _rejoined(beginning: bytes, stored: BinaryIO) -> BinaryIO:
    if stored.seekable():
        stored.seek(0)
        return stored
    rejoined: Any = io.BufferedReader(_Rejoined(beginning, stored), _BLOCK)
    return rejoined  # type: ignore[no-any-return]


class _Rejoined(io.RawIOBase):
    """A pipe from its beginning, which has been read."""

    def __init__(self, beginning: bytes, rest: BinaryIO):
        self._beginning = beginning
        self._rest: Any = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        some = self._beginning or self._rest.read1(len(buffer))
        self._beginning = some[len(buffer) :] if self._beginning else b""
        some = some[: len(buffer)]
        buffer[: len(some)] = some
        return len(some)


def _digest(some: bytes) -> str:
    return hashlib.sha256(some).hexdigest()


def _why(name: str, what: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or type(error).__name__
    if isinstance(error, EOFError):
        reason = "its compressed data ends too early"
    return f"{name} {what} ({reason})"
