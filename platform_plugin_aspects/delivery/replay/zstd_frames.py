"""The frames of Zstandard: whether compressed bytes end with a whole one. The decompressor says nothing of that."""

from __future__ import annotations

from collections.abc import Iterator

FRAME = b"\x28\xb5\x2f\xfd"
#: The second to fourth byte of a frame that is skipped, and its first one without the lowest four bits.
SKIPPED, SKIPPED_FIRST = b"\x2a\x4d\x18", 0x50
#: By the two bits of a frame's header that say so: bytes of the dictionary's id, and of the content's size.
ID_BYTES, SIZE_BYTES = (0, 1, 2, 4), (0, 2, 4, 8)
CHECKSUM_BYTES = 4
#: The type of a block of one byte that is repeated.
REPEATED = 1


class Frames:
    """Bytes are fed in any portions; ``whole`` is whether they end where a frame does. Content is not looked at."""

    def __init__(self) -> None:
        self.whole = True
        self._header = b""
        self._steps = self._walk()
        self._wanted, self._is_header = next(self._steps)

    def feed(self, some: bytes) -> None:
        """The next bytes."""
        view = memoryview(some)
        while view:
            part, view = view[: self._wanted], view[self._wanted :]
            self.whole = False
            self._wanted -= len(part)
            if self._is_header:
                self._header += part
            while not self._wanted:
                self._wanted, self._is_header = next(self._steps)

    def _walk(self) -> Iterator[tuple[int, bool]]:
        """How many bytes come next, and whether they are a header, which is then in ``_header``."""
        while True:
            yield from self._next(4)
            magic = self._header
            if magic[1:] == SKIPPED and magic[0] & 0xF0 == SKIPPED_FIRST:
                yield from self._next(4)
                yield int.from_bytes(self._header, "little"), False
            elif magic == FRAME:
                yield from self._frame()
            else:
                # The decompressor refuses it.
                while True:
                    yield 1 << 62, False
            self.whole = True

    def _frame(self) -> Iterator[tuple[int, bool]]:
        yield from self._next(1)
        [descriptor] = self._header
        is_single = descriptor >> 5 & 1
        size_bytes = SIZE_BYTES[descriptor >> 6] or is_single
        window_bytes = 1 - is_single
        yield window_bytes + ID_BYTES[descriptor & 3] + size_bytes, False
        is_last = 0
        while not is_last:
            yield from self._next(3)
            block = int.from_bytes(self._header, "little")
            is_last, kind, size = block & 1, block >> 1 & 3, block >> 3
            yield (1 if kind == REPEATED else size), False
        if descriptor >> 2 & 1:
            yield CHECKSUM_BYTES, False

    def _next(self, header: int) -> Iterator[tuple[int, bool]]:
        self._header = b""
        yield header, True
