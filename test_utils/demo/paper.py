"""Aligned text of at most 80 columns: on a terminal in colour, in a pipe without."""

from __future__ import annotations

import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 80
BOLD, GREEN, CYAN = "1", "1;32", "36"
GAP = 2
# Control characters, invisible formatting (text direction among it), lone surrogates, and line and
# paragraph separators: as they are they would hide or move what stands around them.
_ESCAPED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def shown(value: Any) -> str:
    """The value as text on one line: what is invisible or would move the cursor is escaped as in Python."""
    text = "".join(_shown(character) for character in str(value))
    # Blanks at the ends, and nothing at all, would not be seen.
    return f"'{text}'" if text != text.strip() or not text else text


def _shown(character: str) -> str:
    if character == "\\" or unicodedata.category(character) in _ESCAPED_CATEGORIES:
        return character.encode("unicode_escape").decode("ascii")
    return character


def width(text: str) -> int:
    """How many columns of a terminal the text takes: two for wide characters, none for combining ones."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, columns: int) -> str:
    """The text, filled with blanks up to ``columns``; where it is wider, "..." stands for what is left out.

    Of a sentence the end is left out, of a word (a key: what tells it apart is at its end) the middle.
    """
    if width(text) > columns:
        tail = "" if " " in text else _start(text[::-1], (columns - 3) // 2)[::-1]
        text = _start(text, columns - 3 - width(tail)) + "..." + tail
    return text + " " * (columns - width(text))


def _start(text: str, columns: int) -> str:
    end = 0
    while end < len(text) and width(text[: end + 1]) <= columns:
        end += 1
    return text[:end]


class Paper:
    """Writes the account: headings, paragraphs, tables."""

    def __init__(self, out: Any = None):
        self._out = out or sys.stdout
        # https://no-color.org
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._colours = self._out.isatty() and not plain

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text

    def line(self, text: str = "") -> None:
        """One line as it is."""
        print(text.rstrip(), file=self._out, flush=True)

    def heading(self, text: str) -> None:
        """A line underlined, with a blank line before it."""
        self.line()
        self.line(self._in(BOLD, text))
        self.line("-" * width(text))

    def headline(self, text: str) -> None:
        """A line to remember."""
        self.line(self._in(GREEN, text))

    def command(self, text: str) -> None:
        """A line to paste into a shell, however long."""
        self.line(f"  {self._in(CYAN, text)}")

    def say(self, text: str, indent: int = 0, hang: int = 0) -> None:
        """A paragraph, wrapped; lines after the first are indented by ``hang`` more."""
        for line in textwrap.wrap(
            text,
            WIDTH,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hang),
            break_long_words=True,
            break_on_hyphens=False,
        ):
            self.line(line)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[Any]], indent: int = 2) -> None:
        """Columns side by side, numbers to the right; where they are too wide the widest give way."""
        texts = [[shown(value) for value in row] for row in rows]
        numbers = [
            bool(texts) and all(text.replace(",", "").isdecimal() for text in column)
            for column in zip(*texts, strict=True)
        ]
        widths = [max(map(width, column)) for column in zip(head, *texts, strict=True)]
        room = WIDTH - indent - GAP * (len(head) - 1)
        while sum(widths) > room:
            widths[widths.index(max(widths))] -= 1
        for cells in ([*head], *texts):
            fitting = [
                fitted(cell, columns) if not number else " " * (columns - width(cell)) + cell
                for cell, columns, number in zip(cells, widths, numbers or [False] * len(head), strict=True)
            ]
            self.line(" " * indent + (" " * GAP).join(fitting))
