"""Whether SQL of an export reads only what it may, and leaves each row with its course.

Guests get rows by clauses on ``org`` and ``course_key``, which Superset adds around a dataset's SQL. They hold if each
row of the dataset still has both as the relation has them, and if no value comes from a row of another course. So a
dataset's SQL is one SELECT from one relation, without anything that could add or cut off other rows. Superset's parser
reads it, and parts that are not known are refused. ClickHouse's rights remain the last word.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from itertools import pairwise

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

#: Characters of one text.
MAX_LENGTH = 20_000
#: The columns that say whose a row is.
SCOPE = ("org", "course_key")
#: Jinja, which may be on in Superset.
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
#: Functions that look something up elsewhere than in the row, or that make ClickHouse wait.
_ELSEWHERE = re.compile(
    r"(?:dict|joinget|sleep|filesystem|getsetting|getserver|getmacro)\w*|(?:global|not|null)+in(?:ignoreset)?"
    r"|inignoreset|file|hascolumnintable|catboostevaluate|modelevaluate|evalmlmethod|showcertificate",
    re.IGNORECASE,
)
#: Parts of a SELECT that keep a row's course. LIMIT, for example, would cut off rows before a course is chosen.
_PARTS = {"expressions", "distinct", "from_", "prewhere", "where", "group", "having", "order"}
#: Parts of the table in FROM.
_TABLE_PARTS = {"this", "db", "alias"}
_NAMING = (exp.Alias, exp.Aliases, exp.TableAlias, exp.CTE)
Relation = tuple[str, str]


class Refused(Exception):
    """A text is not allowed; the message is the end of a sentence that begins with what has the text."""


@cache
def _dialect() -> Dialect:
    return Dialect.get_or_raise("clickhouse")


def refusal_of_expression(text: str) -> str | None:
    """Why an expression of a column, a metric or a filter is not allowed; None if it is."""
    try:
        tree = _parsed(text)
        if isinstance(tree, (exp.Query, exp.DDL, exp.DML, exp.Command)) or tree.find(exp.Query, exp.Table):
            raise Refused("has a subquery or a statement, and may only compute with columns of its dataset")
        if tree.find(*_NAMING):
            raise Refused("has AS, which gives another meaning to a column of that name")
        return None
    except Refused as refused:
        return str(refused)


def refusal_of_select(text: str, schema: str, readable: Collection[Relation]) -> str | None:
    """Why the SQL of a dataset is not allowed; None if it is. ``schema``: the database of names without one."""
    try:
        _check_select(_parsed(text.strip().removesuffix(";")), schema, readable)
        return None
    except Refused as refused:
        return str(refused)


def unreadable(relation: Relation, readable: Collection[Relation]) -> str | None:
    """Why a dataset may not read this relation; None if it may."""
    if relation in readable:
        return None
    known = ", ".join(sorted(".".join(each) for each in readable))
    return f"reads {'.'.join(relation)}, which Superset's reader may not. It may read: {known}"


def _parsed(text: str) -> exp.Expr:
    if len(text) > MAX_LENGTH:
        raise Refused(f"has more than {MAX_LENGTH:,} characters")
    if _TEMPLATE.search(text):
        raise Refused("has a Jinja template. Boards have none")
    try:
        tokens = _dialect().tokenize(text)
        trees = [tree for tree in _dialect().parser().parse(tokens, text) if tree is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Refused(f"cannot be read as SQL of ClickHouse ({first.rstrip('.')})") from None
    if len(trees) != 1:
        raise Refused(f"holds {len(trees)} statements, and may hold one")
    for token, following in pairwise(tokens):
        if following.text == "(" and _ELSEWHERE.fullmatch(token.text):
            raise Refused(f"calls {token.text}, which does more than compute with its row")
    (tree,) = trees
    for node in tree.find_all(exp.In):
        if node.args.get("query") or any(
            part.find(exp.Column) for part in (*node.expressions, node.args.get("field")) if part is not None
        ):
            raise Refused("has IN with something else than values. ClickHouse takes a name there for a table")
    if tree.find(exp.Placeholder, exp.Parameter):
        raise Refused("has a placeholder in braces")
    return tree


def _check_select(tree: exp.Expr, schema: str, readable: Collection[Relation]) -> None:
    if not isinstance(tree, exp.Select):
        raise Refused("is not one SELECT. Put the rest into a view in ClickHouse that the reader may read")
    if further := sorted(name.strip("_") for name, part in tree.args.items() if part and name not in _PARTS):
        raise Refused(
            f"has {', '.join(further)}. Its one SELECT may have WHERE, GROUP BY, HAVING and ORDER BY. "
            "Put the rest into a view in ClickHouse that the reader may read"
        )
    source = tree.args.get("from_")
    table = source.this if source else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise Refused("reads no table or view by name")
    if further := sorted(name for name, part in table.args.items() if part and name not in _TABLE_PARTS):
        raise Refused(f"has {', '.join(further)} at its table")
    if [*tree.find_all(exp.Query)] != [tree] or [*tree.find_all(exp.Table)] != [table]:
        raise Refused("has a subquery. Put it into a view in ClickHouse that the reader may read")
    if (reason := unreadable((table.db or schema, table.name), readable)) is not None:
        raise Refused(reason)
    if tree.find(exp.Window):
        raise Refused("has a window function (OVER), which also reads rows of other courses")
    if (distinct := tree.args.get("distinct")) and distinct.args.get("on"):
        raise Refused("has DISTINCT ON, which drops rows before a course is chosen")
    names = {name for node in tree.find_all(*_NAMING) for name in _names(node)}
    if taken := sorted(name for name in names if name.lower() in SCOPE):
        raise Refused(f"gives the name {', '.join(taken)} to something else. It must be the relation's own column")
    if missing := [column for column in SCOPE if not _selects(tree, column)]:
        raise Refused(f"does not select {' and '.join(missing)} unchanged")


def _names(node: exp.Expr) -> Iterator[str]:
    if isinstance(node, exp.Aliases):
        yield from map(str, node.aliases)
    elif isinstance(node, exp.TableAlias):
        yield node.name
        yield from (column.name for column in node.columns)
    else:
        yield node.alias


def _selects(tree: exp.Select, column: str) -> bool:
    """Whether a row of the result has the column of the relation, by its name or by a plain ``*``."""
    for selected in tree.expressions:
        star = selected.this if isinstance(selected, exp.Column) and isinstance(selected.this, exp.Star) else selected
        if isinstance(star, exp.Star):
            if not any(star.args.values()):
                return True
        elif isinstance(selected, exp.Column) and selected.name == column:
            return True
    return False
