"""Text that ClickHouse can hold: halves of surrogate pairs, which UTF-8 does not have, become U+FFFD.

Python's text may hold them: they come from JSON (``"\\ud83d"``), from imports, and from databases.
"""

from __future__ import annotations

import re

#: Surrogates as bytes that look like UTF-8; valid UTF-8 has no such bytes.
_ENCODED = re.compile(rb"(?:\xed[\xa0-\xbf][\x80-\xbf])+")
#: The escapes in JSON: whole pairs, halves of pairs, all others.
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def whole(text: str) -> str:
    """``text`` with U+FFFD for each half of a surrogate pair; two halves that match become their character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def has_encoded_halves(text: bytes) -> bool:
    """Whether there are surrogates among bytes that should be UTF-8."""
    # Searching for one byte is a hundred times faster.
    return b"\xed" in text and _ENCODED.search(text) is not None


def whole_bytes(text: bytes) -> bytes:
    """``whole`` for bytes in UTF-8 that some databases accept with surrogates among them."""
    return _ENCODED.sub(lambda found: whole(found[0].decode("utf-8", "surrogatepass")).encode(), text)


def whole_json(text: str) -> str:
    """JSON with ``\\ufffd`` for each escaped half of a surrogate pair: ClickHouse reads nothing of JSON with one."""
    return _ESCAPES.sub(lambda found: "\\ufffd" if found["half"] else found[0], text) if "\\u" in text else text
