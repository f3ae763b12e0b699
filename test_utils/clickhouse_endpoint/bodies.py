"""Bodies of requests and answers: chunked transfer, content encodings, form fields."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, BinaryIO, Protocol

import lz4.frame

from .errors import ClickHouseError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 256 * 1024  # bytes read at once; also bounds what one piece can grow to when it is decompressed


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes | None

    def decompress(self, data: bytes) -> bytes: ...


# encoding -> (a new decompressor, the whole compressed, the code for data that cannot be decompressed)
_ENCODINGS: dict[str, tuple[Callable[[], Any], Callable[[bytes], bytes], int]] = {
    "lz4": (lz4.frame.LZ4FrameDecompressor, lz4.frame.compress, 618),
    "zstd": (zstd.ZstdDecompressor, zstd.compress, 561),
    "gzip": (lambda: zlib.decompressobj(wbits=31), lambda body: gzip.compress(body, compresslevel=3), 354),
    "deflate": (zlib.decompressobj, lambda body: zlib.compress(body, level=3), 354),
}


class Disconnected(ConnectionError):
    """The client went away in the middle of its request."""


def read_body(stream: BinaryIO, headers: Any) -> Iterator[bytes]:
    """The body of a request in pieces, as it came over the wire.

    Raises Disconnected when it ends too early: what came by then must not be acted upon.
    """
    if "chunked" in headers.get("Transfer-Encoding", "").lower():
        while size := int(_line(stream).split(b";")[0], 16):
            yield from _read_exactly(stream, size)
            _line(stream)
        while _line(stream).strip():
            pass  # trailers
    else:
        yield from _read_exactly(stream, int(headers.get("Content-Length", 0)))


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(1024)
    if not line.endswith(b"\n"):
        raise Disconnected("the connection was closed between two chunks of a request")
    return line


def _read_exactly(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        piece = stream.read(min(size, PIECE))
        if not piece:
            raise Disconnected(f"the connection was closed with {size} bytes of a request missing")
        size -= len(piece)
        yield piece


def decompress(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces without their Content-Encoding; several frames may follow each other.

    Raises ClickHouseError: 48 for an unknown encoding, 618, 561 or 354 for data that is not of that encoding
    or that ends too early.
    """
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in _ENCODINGS:
        raise ClickHouseError(
            48, f"Unknown compression method '{encoding}'. Only {', '.join(_ENCODINGS)} are known here"
        )
    new, _, code = _ENCODINGS[encoding]
    frame: _Decompressor | None = None
    try:
        for piece in pieces:
            while piece:
                frame = frame or new()
                yield frame.decompress(piece)
                piece = (frame.unused_data or b"") if frame.eof else b""
                frame = None if frame.eof else frame
    except (RuntimeError, zstd.ZstdError, zlib.error) as error:
        raise ClickHouseError(code, f"Cannot decompress the {encoding} body: {error}") from None
    if frame is not None:
        raise ClickHouseError(code, f"Cannot decompress the {encoding} body: it ends in the middle of a frame")


def choose_encoding(accepted: str) -> str:
    """The first encoding of an Accept-Encoding header that can be served, or ""."""
    for choice in accepted.lower().split(","):
        if (name := choice.split(";")[0].strip()) in _ENCODINGS:
            return name
    return ""


def compress(body: bytes, encoding: str) -> bytes:
    """The body in an encoding from choose_encoding()."""
    return _ENCODINGS[encoding][1](body) if encoding else body


def form_fields(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a multipart/form-data body: the query and its parameters.

    Raises ClickHouseError 48 for files (external data), which the embedded engine cannot take.
    """
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    )
    fields = {}
    for part in message.iter_parts():
        disposition = str(part.get("Content-Disposition", ""))
        name = re.search(r'\bname="([^"]*)"', disposition)
        if part.get_filename() is not None or name is None:
            raise ClickHouseError(48, f"External data is not supported here: {disposition!r}")
        fields[name[1]] = part.get_payload(decode=True).decode("utf-8")
    return fields
