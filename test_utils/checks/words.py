"""
Finds phrases that make this project's prose hard to read, and says what to write instead.

    python test_utils/checks/words.py platform_plugin_aspects/sinks docs

Python: comments, docstrings and other strings of several words. JavaScript: comments and such strings.
reStructuredText, HTML: all text. SQL, Makefiles, shell scripts, TOML: comments. Exits with 1 if it finds anything.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

VERB = r"(?:is|are|was|were|has|have|had|does|do|did|can|cannot|could|may|might|must|shall|should|will|would)"
# Words that end a subject: after them, "for" is a preposition.
NO_SUBJECT = (
    r"(?!(?:that|which|who|whose|whom|where|when|if|and|or|to|as|than|from|with|what|how|they|he|she|we|there|it)\b)"
)

ITSELF = r"(?:they|he|she|we|there)\s"
POINTING = (
    rf"(?:(?:it|nothing|nobody|neither)\s+(?:{VERB}|\w+s)|(?:this|that|these|those|you|none|all|each)\s+{VERB})\b"
)
QUANTITY = r"(?!(?:longer|more|less|fewer|later|earlier|doubt)\b)"

PHRASES = {
    r"\bcan(?:not|\s+not|'t)?\s+be\s+meant\b": "valid, invalid",
    r"\bat\s+hand\b": "current",
    rf"(?<!\bthere )(?<!\bthere\n)\b(?:is|are|was|were)\s+no\s+{QUANTITY}[\w<`'\"]+": "is not a",
    r"\b(?:that|which|this|it)\s+(?:is|are|was|were)\s+(?-i:none)\b": "is not a",
    rf",\s+for\s+(?:{ITSELF}|{POINTING})": "because",
    rf",\s+for\s+(?:{NO_SUBJECT}[\w'`.]+\s+){{1,4}}{VERB}\b": "because",
    r"\b(?:go|goes|going|gone|went)\s+on\s+(?:with|from|where)\b": "resume",
    r"\bmend(?:s|ed|ing)?\b": "fix, repair, update",
    r"\b(?:bring|brings|bringing|brought)\b": "backfill, write, update",
}
OPENING = re.compile(
    r"(?:\A|(?<=[.!?])\s+|^\s*(?:[*-]|#\.|\d+\.)\s+)[\"'(]*(?P<word>What|Who|Of|Where)\s+(?!course\b)", re.M
)
PATTERNS = [(re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in PHRASES.items()]

# A part of the paragraph -> why it may stay.
ALLOWED: dict[str, str] = {}

SKIPPED = {"node_modules", "dist", "build", "_build", "migrations", "__pycache__", "locale"}
# Found in folders, these hold bad phrases on purpose.
TEST_DATA = {"test_words.py", "words.rst"}


class Finding(NamedTuple):
    line: int
    phrase: str
    instead: str


def findings(path: Path) -> list[Finding]:
    """The phrases of a file that should be written otherwise."""
    text = path.read_text(encoding="utf-8")
    return sorted({finding for line, block in blocks(path, text) for finding in _in_block(line, block)})


def blocks(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """The passages of prose in a file, each with the number of its first line."""
    match path.suffix:
        case ".py":
            yield from _comments(text)
            yield from _strings(text)
        case ".js" | ".mjs":
            yield from _javascript(text)
        case ".html":
            blank = re.sub(r"<[^>]*>|{[{#%]|[}#%]}", lambda tag: re.sub(r"[^\n]", " ", tag[0]), text)
            yield 1, re.sub(r"[ \t]+$", "", blank, flags=re.M)
        case ".rst" | ".inc" | ".txt" | ".md":
            yield 1, text
        case ".sql":
            lines = [(n, line.strip().lstrip("- ")) for n, line in enumerate(text.splitlines(), 1) if "--" in line]
            yield from _joined(lines)
        case _:
            lines = [(n, line.partition("#")[2].lstrip("# ")) for n, line in enumerate(text.splitlines(), 1)]
            yield from _joined([(n, line) for n, line in lines if line])


def _comments(text: str) -> Iterator[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = [(token.start[0], token.string.lstrip("#: ")) for token in tokens if token.type == tokenize.COMMENT]
    yield from _joined(comments)


def _joined(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Comments on consecutive lines are one text."""
    for _, group in groupby(enumerate(lines), lambda item: item[1][0] - item[0]):
        rows = [row for _, row in group]
        yield rows[0][0], "\n".join(line for _, line in rows)


def _strings(text: str) -> Iterator[tuple[int, str]]:
    tree = ast.parse(text)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            value = "".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            value = node.value
        else:
            continue
        if len(value.split()) > 2:
            yield node.lineno, value


def _javascript(text: str) -> Iterator[tuple[int, str]]:
    token = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`", re.S)
    lines = []
    for found in token.finditer(text):
        number = text.count("\n", 0, found.start()) + 1
        if found[0].startswith("//"):
            lines.append((number, found[0].lstrip("/ ")))
        elif found[0].startswith("/*"):
            yield number, re.sub(r"^[ \t]*\*+/?|^/\*+", "", found[0], flags=re.M)
        elif len(found[0].split()) > 2:
            yield number, found[0][1:-1]
    yield from _joined(lines)


def _in_block(first: int, block: str) -> Iterator[Finding]:
    # Names of code are not prose.
    block = re.sub(r"``[^`\n]+``", lambda literal: "x" * len(literal[0]), block)
    for found in re.finditer(r"(?:[^\n]*\S[^\n]*(?:\n|\Z))+", block):
        paragraph = found[0]
        if any(part in paragraph for part in ALLOWED):
            continue
        line = first + block.count("\n", 0, found.start())
        for pattern, instead in PATTERNS:
            for phrase in pattern.finditer(paragraph):
                yield _finding(line, paragraph, phrase.start(), phrase.end(), instead)
        for opening in OPENING.finditer(paragraph):
            rest = paragraph[opening.start("word") :]
            end = re.search(r"[.!?](?=[\s\"')*]|\Z)", rest)
            question = end is not None and end[0] == "?"
            title = re.match(r"[^\n]*\n([=\-~^\"'])\1+\s*$", rest, re.M)
            label = end is None and len(rest.split()) < 5
            if not (question or title or label):
                start = opening.start("word")
                yield _finding(line, paragraph, start, start + 40, "begin with the subject")


def _finding(line: int, paragraph: str, start: int, end: int, instead: str) -> Finding:
    text = " ".join(paragraph[start:end].split()).strip(", ")
    return Finding(line + paragraph.count("\n", 0, start), text, instead)


def files(paths: list[str]) -> Iterator[Path]:
    """The files that are named, and those with prose in folders that are named."""
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise SystemExit(f"{name} not found")
        if path.is_file():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path).parts
            skipped = file.name in TEST_DATA or any(part in SKIPPED or part.startswith(".") for part in inside)
            if not skipped and file.suffix in {".py", ".rst", ".inc", ".html", ".js", ".mjs", ".sh", ".sql"}:
                yield file


def main(paths: list[str]) -> int:
    if not paths:
        print(__doc__)
        return 2
    number = 0
    for path in files(paths):
        for line, phrase, instead in findings(path):
            print(f"{path}:{line}: {phrase} (instead: {instead})")
            number += 1
    return int(number > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
