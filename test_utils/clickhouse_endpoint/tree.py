"""The syntax tree of a statement, as the engine's EXPLAIN AST gives it, and what its expressions read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .engine import Session

#: Functions whose second argument may name a table: ``'a' IN db.table``.
_IN = re.compile(r"(?:global)?(?:not)?(?:null)?in(?:ignoreset)?", re.IGNORECASE)
#: Functions whose first argument names a dictionary or a table of the engine Join, as text or as a name.
_DICTIONARY = re.compile(r"dict(?:Get|Has|IsIn)\w*")
_JOIN = re.compile(r"joinGet\w*", re.IGNORECASE)


@dataclass
class Node:
    """A node of the tree: `kind` is the first word of its label, `rest` what follows."""

    label: str
    children: list[Node] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.label.split(" ", 1)[0]

    @property
    def rest(self) -> str:
        return self.label.partition(" ")[2]

    def walk(self) -> Iterator[Node]:
        nodes = [self]
        while nodes:
            node = nodes.pop()
            yield node
            nodes += reversed(node.children)

    def target(self, current: str) -> tuple[str, str]:
        """(database, table) of a statement about one table: its Identifier children, one or two."""
        names = [child.rest for child in self.children if child.kind == "Identifier"]
        return (names[0], names[1]) if len(names) > 1 else (current, names[0] if names else "*")

    @property
    def arguments(self) -> list[Node]:
        """The arguments of a Function."""
        return self.children[0].children if self.children else []


def tree_of(session: Session, sql: bytes, params: Mapping[str, str]) -> Node:
    """The tree of a statement. Raises ClickHouseError for what the engine cannot parse."""
    path: list[Node] = []
    text = session.run(b"EXPLAIN AST " + sql, "TabSeparatedRaw", params).body.decode()
    for line in filter(None, text.split("\n")):
        depth = len(line) - len(line.lstrip(" "))
        node = Node(re.sub(r"(?: \(alias .*\))? *(?:\(children \d+\))?$", "", line[depth:]))
        if depth:
            path[depth - 1].children.append(node)
        path[depth:] = [node]
    return path[0]


def split_name(name: str, current: str) -> tuple[str, str]:
    """(database, table) of `database.table` or `table`."""
    database, dot, table = name.partition(".")
    return (database, table) if dot else (current, database)


def reads_of_expressions(tree: Node) -> Iterator[tuple[str, str]]:
    """(privilege, name) of all that functions read, by names that stand in expressions.

    The privilege is SELECT, dictGet or FILE. The name is that of a table or a dictionary; "*" where it is computed.
    """
    for node in tree.walk():
        if node.kind != "Function":
            continue
        arguments = node.arguments
        if _IN.fullmatch(node.rest) and len(arguments) > 1 and arguments[1].kind == "Identifier":
            yield "SELECT", arguments[1].rest
        elif _DICTIONARY.fullmatch(node.rest) and arguments:
            yield "dictGet", _named(arguments[0])
        elif _JOIN.fullmatch(node.rest) and arguments:
            yield "SELECT", _named(arguments[0])
        elif node.rest == "file":
            yield "FILE", "*"


def _named(argument: Node) -> str:
    if argument.kind == "Identifier":
        return argument.rest
    text = re.fullmatch(r"'(.*)'", argument.rest)
    return text[1] if argument.kind == "Literal" and text else "*"
