"""The errors of a ClickHouse server: a numeric code, a name, and the HTTP status that goes with the code."""

from __future__ import annotations

import re
from http import HTTPStatus

# The codes this endpoint raises by itself, and those that tests ask for by name. Every other name comes from
# the engine's own messages.
NAMES = {
    36: "BAD_ARGUMENTS",
    48: "NOT_IMPLEMENTED",
    62: "SYNTAX_ERROR",
    115: "UNKNOWN_SETTING",
    159: "TIMEOUT_EXCEEDED",
    194: "REQUIRED_PASSWORD",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    252: "TOO_MANY_PARTS",
    319: "UNKNOWN_STATUS_OF_INSERT",
    354: "ZLIB_INFLATE_FAILED",
    373: "SESSION_IS_LOCKED",
    381: "HTTP_LENGTH_REQUIRED",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
    561: "ZSTD_DECODER_FAILED",
    618: "LZ4_DECODER_FAILED",
    999: "KEEPER_EXCEPTION",
}

# A server's HTTP status by error code; every other code is a 500.
_STATUS_CODES = {
    # 6, 26, 27, 38, 41, 72: cannot parse; 53: type mismatch; 117: incorrect data; 321: out of range
    HTTPStatus.BAD_REQUEST: (
        6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427,
        441, 675, 676,
    ),
    HTTPStatus.UNAUTHORIZED: (194,),
    HTTPStatus.FORBIDDEN: (192, 193, 497, 512, 516),
    HTTPStatus.NOT_FOUND: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    HTTPStatus.REQUEST_TIMEOUT: (159,),
    HTTPStatus.LENGTH_REQUIRED: (381,),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (229,),
    HTTPStatus.NOT_IMPLEMENTED: (48,),
    HTTPStatus.SERVICE_UNAVAILABLE: (76, 209, 439),
}  # fmt: skip
_STATUS_OF_CODE = {code: status for status, codes in _STATUS_CODES.items() for code in codes}

_CODE = re.compile(r"^(?:Code: (\d+)\. DB::Exception: )+")
_TRAILER = re.compile(r"(?:\. \([A-Z0-9_]+\) \(version [^()]*\))?\. \(([A-Z0-9_]+)\)\s*$")


class ClickHouseError(Exception):
    """An error with ClickHouse's numeric `code` and its `name`; str() is the message without either."""

    def __init__(self, code: int, message: str, name: str | None = None):
        super().__init__(message)
        self.code = code
        self.name = name or NAMES.get(code, "UNKNOWN_EXCEPTION")

    @classmethod
    def from_engine(cls, text: str) -> ClickHouseError:
        """The error behind the text of the engine's exception, which may name its code and its name twice."""
        start = text.find("Code: ")
        text = text[start:] if start > 0 else text
        head = _CODE.match(text)
        tail = _TRAILER.search(text)
        message = text[head.end() if head else 0 : tail.start() if tail else None]
        return cls(int(head[1]) if head else 1001, message, tail[1] if tail else "STD_EXCEPTION")

    @property
    def status(self) -> int:
        """The HTTP status that a server sends with this code."""
        return int(_STATUS_OF_CODE.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR))

    def body(self, version: str) -> str:
        """The text of the answer, as a server of `version` writes it."""
        return f"Code: {self.code}. DB::Exception: {self}. ({self.name}) (version {version} (official build))\n"
