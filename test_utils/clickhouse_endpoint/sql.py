"""As much of ClickHouse's syntax as HTTP needs: where the statement ends and its data begins."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .errors import ClickHouseError

_TOKEN = re.compile(
    rb"""
    (?P<space> \s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
    | (?P<word> [A-Za-z_\x80-\xff][\w\x80-\xff]* )
    | (?P<number> \d[\w.]* )
    | (?P<punctuation> . )
    """,
    re.DOTALL | re.VERBOSE,
)
_AFTER_FORMAT = re.compile(rb"[ \t\f]*(?:\r?\n)?")
_OUTPUT_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)(?:\s+SETTINGS\s.*)?[\s;]*$", re.IGNORECASE | re.DOTALL)
_RESULT_VERBS = frozenset({b"SELECT", b"WITH", b"FROM", b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK"})


@dataclass(frozen=True)
class Statement:
    """A statement without the data that follows it.

    `sql` of an INSERT ... FORMAT ends with the name of the format, and `data_start` is the offset of its
    data. For everything else `sql` is the whole text and `data_start` is None. `splice` is the offset at
    which an INSERT names where its data comes from.
    """

    sql: bytes
    verb: bytes = b""
    data_start: int | None = None
    splice: int = 0

    @property
    def text(self) -> str:
        return self.sql.decode("utf-8", "backslashreplace").strip()

    @property
    def has_result(self) -> bool:
        """Whether the statement answers with rows, even if with none."""
        return self.verb in _RESULT_VERBS

    def output_format(self) -> str | None:
        """The format that the statement itself asks for."""
        found = _OUTPUT_FORMAT.search(self.sql)
        return found[1].decode() if found else None

    def with_rest(self, rest: bytes) -> Statement:
        """The same statement, when more of it follows."""
        return replace(self, sql=self.sql + rest)

    def reading_from(self, path: str) -> bytes:
        """The INSERT with its data in the (uncompressed) file at `path`."""
        quoted = path.replace("\\", "\\\\").replace("'", "\\'").encode()
        source = b" FROM INFILE '" + quoted + b"' COMPRESSION 'none' "
        return self.sql[: self.splice] + source + self.sql[self.splice :]

    def check_single(self) -> None:
        """Refuse a second statement after a semicolon, which the embedded engine would run.

        Raises ClickHouseError 62 (SYNTAX_ERROR), for an empty statement too.
        """
        if not self.verb:
            raise ClickHouseError(62, "Syntax error: failed at position 1 (end of query): . Expected one of: Query")
        if b";" not in self.sql.rstrip(b"; \t\r\n"):
            return
        ended_at = None
        for kind, token, start, _ in _tokens(self.sql):
            if token == b";" and kind == "punctuation":
                ended_at = start if ended_at is None else ended_at
            elif ended_at is not None:
                raise ClickHouseError(
                    62,
                    f"Syntax error (Multi-statements are not allowed): failed at position {ended_at + 1}",
                )


def _tokens(text: bytes) -> Iterator[tuple[str, bytes, int, int]]:
    """(kind, token, start, end) of everything but white space and comments."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            yield match.lastgroup or "", match[0], match.start(), match.end()


def parse(text: bytes) -> Statement:
    """The statement that `text` begins with. `text` may be the first part only of an INSERT with data."""
    verb = b""
    for kind, token, _, _ in _tokens(text):
        if token != b"(":
            verb = token.upper() if kind == "word" else token
            break
    return _parse_insert(text) if verb == b"INSERT" else Statement(text, verb)


def _parse_insert(text: bytes) -> Statement:
    plain = Statement(text, b"INSERT")
    depth = 0
    splice = None
    previous = b""
    for kind, token, start, end in _tokens(text):
        word = token.upper() if kind == "word" else token
        if kind == "punctuation":
            depth += {b"(": 1, b")": -1}.get(token, 0)
        elif depth == 0 and kind == "word" and previous not in (b"INTO", b"TABLE", b"."):  # these precede names
            if previous == b"FORMAT":
                data = _AFTER_FORMAT.match(text, end)
                return Statement(text[:end], b"INSERT", data.end() if data else end, splice or 0)
            if word in (b"VALUES", b"SELECT", b"WITH"):
                return plain
            if word in (b"SETTINGS", b"FORMAT") and splice is None:
                splice = start
        previous = word
    return plain
