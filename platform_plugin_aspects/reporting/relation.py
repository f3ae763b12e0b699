"""A relation is an SQL file: a header that says what one row means, and the SELECT that makes the rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "relations"
#: References in a SELECT: another relation, the relation's own source, a table of the sinks, a rule, or the clock.
REFERENCE = re.compile(r"\{([a-z_]+)(?:\.([a-z_]+))?\}")
#: The reference of a stored relation to its source, which differs between its feed and a rebuild.
SOURCE = "source"
#: The source of all events: the xAPI table, whoever writes it.
XAPI = "xapi"
SINKS, RULE, NOW = "event_sink", "rule", "now"
#: ``{org}`` in a SELECT: the organization in its ``course_key``, of either kind of key. It is one pattern, because
#: ClickHouse looks it up in each row that it reads for an organization.
ORG = "extract(course_key, '^(?:[a-z0-9-]+:)?([^+/]+)')"
#: Hexadecimal digits of a definition's hash in names and comments.
HASH_LENGTH = 10
_REQUIRED = ("One row", "From", "Key", "Read by", "Freshness")
#: Views of boards also say whom their numbers count.
_FOR_BOARDS = ("Population",)
_STORED = ("Engine", "Source", "Month of", "Order by")
_KEYS = (*_REQUIRED, *_FOR_BOARDS, "Personal data", *_STORED, "Partition by")
_HEAD = re.compile(rf"-- ({'|'.join(_KEYS)}|Columns):\s*(.*)")
_COLUMN = re.compile(r"--   ([a-z_0-9]+)(?: ([A-Z][^:]*))?:\s*(.*)")


class InvalidRelation(Exception):
    """A file in ``relations/`` is not a relation. The text says which one, and why."""


@dataclass(frozen=True)
class Column:
    """A column of a relation. ``type`` is empty for views, where ClickHouse derives it; ``definition`` is prose."""

    name: str
    type: str
    definition: str


@dataclass(frozen=True)
class Relation:
    """A relation as its file declares it.

    ``head`` maps the keys of the header to their text. ``select`` is the SELECT with its references. Stored relations
    are tables that a materialized view feeds; others are plain views.
    """

    name: str
    head: Mapping[str, str]
    columns: tuple[Column, ...]
    select: str

    @property
    def is_stored(self) -> bool:
        """Whether it is a table with a feed."""
        return "Engine" in self.head

    @property
    def is_for_boards(self) -> bool:
        """Whether boards may read it. Other relations serve relations."""
        return self.head["Read by"] == "boards"

    @property
    def is_personal(self) -> bool:
        """Whether it shows who learners are."""
        return "Personal data" in self.head

    @property
    def source(self) -> str:
        """The relation that feeds this one, or XAPI; empty for views."""
        return self.head.get("Source", "")

    @property
    def month_of(self) -> str:
        """The column of the source whose months a rebuild takes one by one."""
        return self.head["Month of"]

    @property
    def references(self) -> tuple[str, ...]:
        """The relations whose rows this one reads."""
        found = [first for first, second in REFERENCE.findall(self.select) if not second and first not in (SOURCE, NOW)]
        return tuple(dict.fromkeys(found if self.source in ("", XAPI) else [self.source, *found]))

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules (thresholds) that the SELECT names."""
        return tuple(dict.fromkeys(second for first, second in REFERENCE.findall(self.select) if first == RULE))


def parse(name: str, text: str) -> Relation:
    """The relation of a file's text. Raises InvalidRelation."""
    lines = text.splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("--")), len(lines))
    head: dict[str, str] = {}
    columns: list[Column] = []
    key = ""
    for line in lines[:end]:
        if found := _HEAD.fullmatch(line):
            key = found[1]
            if key != "Columns":
                head[key] = found[2]
        elif key == "Columns" and (found := _COLUMN.fullmatch(line)):
            columns.append(Column(found[1], found[2] or "", found[3]))
        elif key == "Columns" and columns and line.startswith("--     "):
            last = columns.pop()
            columns.append(Column(last.name, last.type, f"{last.definition} {line[2:].strip()}".strip()))
        elif key in head and line.startswith("--   "):
            head[key] = f"{head[key]} {line[2:].strip()}"
        else:
            raise InvalidRelation(f"{name}.sql: the header does not understand {line!r}")
    select = "\n".join(lines[end:]).strip().replace("{org}", ORG)
    relation = Relation(name, head, tuple(columns), select)
    _check(relation)
    return relation


def _check(relation: Relation) -> None:
    """Raise InvalidRelation for what a header lacks."""
    for_boards = relation.head.get("Read by") == "boards"
    required = (*_REQUIRED, *(_FOR_BOARDS if for_boards else ()), *(_STORED if relation.is_stored else ()))
    faults = [f'its header has no "{key}:"' for key in required if not relation.head.get(key)]
    faults += [
        f"column {column.name} has no type" for column in relation.columns if relation.is_stored > bool(column.type)
    ]
    faults += [f"column {column.name} has no definition" for column in relation.columns if not column.definition]
    if not relation.columns:
        faults.append('its header has no "Columns:"')
    if not re.match(r"(WITH|SELECT)\b", relation.select):
        faults.append("it does not begin with SELECT or WITH after its header")
    if faults:
        raise InvalidRelation(f"{relation.name}.sql: {'; '.join(faults)}")


def in_order(found: Iterable[Relation]) -> tuple[Relation, ...]:
    """The relations, each after those that it reads. Raises InvalidRelation for unknown references and circles."""
    waiting = {relation.name: relation for relation in sorted(found, key=lambda relation: relation.name)}
    known = set(waiting)
    for relation in waiting.values():
        if unknown := [name for name in relation.references if name not in known]:
            raise InvalidRelation(f"{relation.name}.sql reads {', '.join(unknown)}, which is not a relation")
    ordered: list[Relation] = []
    while waiting:
        ready = [relation for relation in waiting.values() if not waiting.keys() & set(relation.references)]
        if not ready:
            raise InvalidRelation(f"These relations read each other in a circle: {', '.join(waiting)}")
        for relation in ready:
            ordered.append(waiting.pop(relation.name))
    return tuple(ordered)


@cache
def relations() -> tuple[Relation, ...]:
    """All relations, each after those that it reads."""
    return in_order(parse(path.stem, path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.sql"))


def hashes(found: Iterable[Relation], rules: Mapping[str, float]) -> dict[str, str]:
    """A hash of each definition, by name. ``found`` are in order.

    It changes with the SELECT, the types, the key, the rules that the SELECT names, and the definitions of all
    relations that are read; not with prose, with layout or with the names of databases.
    """
    made: dict[str, str] = {}
    for relation in found:
        parts = [
            [relation.head.get(key, "") for key in (*_STORED, "Partition by")],
            [(column.name, column.type) for column in relation.columns],
            " ".join(_without_comments(relation.select).split()),
            [(name, rules[name]) for name in relation.rules],
            [made[name] for name in relation.references],
        ]
        made[relation.name] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:HASH_LENGTH]
    return made


def _without_comments(sql: str) -> str:
    return re.sub(r"^\s*--.*$", "", sql, flags=re.MULTILINE)
