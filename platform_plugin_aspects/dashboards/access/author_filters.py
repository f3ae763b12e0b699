"""Filters that course authors type: read, checked against what a filter may be, and written anew.

Nothing of an author's text reaches Superset but names of columns and the values of literals.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Sequence

from django.utils.translation import gettext as _
from sqlglot import Dialect, ErrorLevel, TokenType, exp
from sqlglot.errors import ParseError, TokenError

from platform_plugin_aspects.dashboards.access.literals import column, literal

#: Characters of one filter, and of all filters of a component. Clauses travel in a header, as Base64, and servers take
#: about 8 KiB of one. Parsing that many takes less than 0.1 s.
MAX_LENGTH = 2000
MAX_TOTAL_LENGTH = 4000
#: Filters of a component.
MAX_FILTERS = 50
#: AND, OR and NOT within each other. Superset reads the clause with a recursive parser, too.
MAX_DEPTH = 10

_OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
}
_PARTS: dict[type[exp.Expr], set[str]] = {exp.In: {"this", "expressions"}, exp.Between: {"this", "low", "high"}}
_NAME = re.compile(r"[A-Za-z0-9_ ]+")
#: Version 2 put values in their place.
_PLACEHOLDER = re.compile(r"\{\s*(?:user|course|course_id)\b[^{}]*\}")
_NUMBER = re.compile(r"\d+(\.\d*)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class _Silence(threading.local):
    """A filter of logs; within ``with``, it drops what this thread logs."""

    on = False

    def __enter__(self) -> None:
        self.on = True

    def __exit__(self, *_error: object) -> None:
        self.on = False

    def filter(self, _record: logging.LogRecord) -> bool:
        return not self.on


#: sqlglot quotes an author's text in its warnings. Others in this process may use it, so only this module's calls are
#: kept quiet.
_silence = _Silence()
logging.getLogger("sqlglot").addFilter(_silence)


class RefusedFilter(ValueError):
    """A filter that may not be used; ``message``, filled with ``values``, tells its author why."""

    def __init__(self, message: str, **values: object):
        super().__init__(message.format(**values))


def check_size(texts: Sequence[str]) -> None:
    """Raise RefusedFilter where a component has more filters, or longer ones, than a guest token should carry."""
    if len(texts) > MAX_FILTERS:
        raise RefusedFilter(
            _("There are {count} filters, but at most {limit} are allowed. Join some of them by AND."),
            count=len(texts),
            limit=MAX_FILTERS,
        )
    if (total := sum(map(len, texts))) > MAX_TOTAL_LENGTH:
        raise RefusedFilter(
            _("The filters have {count} characters together, but at most {limit} are allowed."),
            count=total,
            limit=MAX_TOTAL_LENGTH,
        )


def parse_filters(texts: Sequence[str]) -> list[str]:
    """The filters of a component as clauses, each by ``parse_filter``. Raises RefusedFilter."""
    check_size(texts)
    return [parse_filter(text) for text in texts]


def parse_filter(text: str) -> str:
    """The author's filter as a clause of our own making. Raises RefusedFilter.

    A filter compares columns with literals (``= != <> < <= > >= IN LIKE ILIKE BETWEEN``, ``IS NULL`` and their
    ``NOT``), joined by AND, OR and NOT, with parentheses.
    """
    if len(text) > MAX_LENGTH:
        raise RefusedFilter(_("The filter is longer than {limit} characters."), limit=MAX_LENGTH)
    if placeholder := _PLACEHOLDER.search(text):
        raise RefusedFilter(
            _(
                "“{part}” is not replaced: a filter compares columns with fixed values. The dashboard already shows "
                "only this course. Filters by person are set up by the site's administrators "
                "(SUPERSET_EXTRA_FILTERS_FORMAT)."
            ),
            part=placeholder[0],
        )
    with _silence:
        try:
            return _condition(_parse(text))
        except RecursionError:
            raise _too_deep() from None


def _parse(text: str) -> exp.Expr:
    dialect = Dialect.get_or_raise("clickhouse")
    try:
        tokens = dialect.tokenize(text)
        for token in tokens:
            if token.comments:
                raise RefusedFilter(_("The filter has a comment: “{part}”."), part=token.comments[0].strip())
            if token.token_type is TokenType.SEMICOLON:
                raise RefusedFilter(_("The filter has a semicolon."))
        trees = dialect.parser().parse_into(exp.Condition, tokens, text)
    except TokenError:
        raise RefusedFilter(_("A quotation mark or a comment in the filter is not closed.")) from None
    except ParseError as error:
        found = error.errors[0]
        part = f"{found['start_context'] or ''}{found['highlight'] or ''}"[-40:]
        raise _not_understood(part) from None
    if len(trees) != 1:
        # Such as ELSE alone, of which sqlglot makes nothing.
        raise _not_understood(text[-40:])
    if trees[0] is None:
        raise RefusedFilter(_("The filter is empty."))
    return trees[0]


def _not_understood(part: str) -> RefusedFilter:
    return RefusedFilter(_("The filter cannot be understood beyond “{part}”."), part=part)


def _condition(node: exp.Expr, depth: int = 0) -> str:
    if depth > MAX_DEPTH:
        raise _too_deep()
    node = node.unnest()
    match node:
        case exp.And() | exp.Or():
            word = "AND" if isinstance(node, exp.And) else "OR"
            # A chain of a hundred comparisons is a tree as deep as it is long.
            return f" {word} ".join(f"({_condition(part, depth + 1)})" for part in node.flatten())
        case exp.Not():
            return f"NOT ({_condition(node.this, depth + 1)})"
    sql = _comparison(node)
    return f"NOT ({sql})" if node.args.get("negate") else sql


def _comparison(node: exp.Expr) -> str:
    has = {name for name, value in node.args.items() if value} - {"negate"}
    # Other parts of a node (SYMMETRIC, GLOBAL) would be lost here.
    if has == _PARTS.get(type(node), {"this", "expression"}):
        match node:
            case exp.In():
                return f"{_column(node.this)} IN ({', '.join(_value(value) for value in node.expressions)})"
            case exp.Between():
                return f"{_column(node.this)} BETWEEN {_value(node.args['low'])} AND {_value(node.args['high'])}"
            case exp.Is() if isinstance(node.expression, exp.Null):
                return f"{_column(node.this)} IS NULL"
        if operator := _OPERATORS.get(type(node)):
            left, right = node.this.unnest(), node.expression.unnest()
            if isinstance(left, exp.Column):
                return f"{_column(left)} {operator} {_value(right)}"
            return f"{_value(left)} {operator} {_column(right)}"
    raise RefusedFilter(
        _("“{part}” does not compare a column with values by =, <>, <, <=, >, >=, IN, LIKE, BETWEEN or IS NULL."),
        part=_shown(node),
    )


def _column(node: exp.Expr) -> str:
    node = node.unnest()
    if (
        isinstance(node, exp.Column)
        and set(filter(node.args.get, node.args)) == {"this"}
        and isinstance(node.this, exp.Identifier)
        and _NAME.fullmatch(node.name)
    ):
        return column(node.name)
    raise RefusedFilter(
        _("“{part}” is not the name of a column (letters, digits, _ and, in quotation marks, spaces)."),
        part=_shown(node),
    )


def _value(node: exp.Expr) -> str:
    node = node.unnest()
    sign = ""
    if isinstance(node, exp.Neg):
        sign, node = "-", node.this
    match node:
        case exp.Literal(is_string=True) if not sign:
            return literal(node.name)
        case exp.Literal(is_string=False) if _NUMBER.fullmatch(node.name):
            return f"{sign}{node.name}"
        case exp.Boolean() if not sign:
            return str(node.this).lower()
    raise RefusedFilter(_("“{part}” is not a value: use text in ' ', a number, true or false."), part=_shown(node))


def _shown(node: exp.Expr) -> str:
    return node.sql("clickhouse", unsupported_level=ErrorLevel.IGNORE)[:80]


def _too_deep() -> RefusedFilter:
    return RefusedFilter(_("The filter is nested more than {limit} levels deep."), limit=MAX_DEPTH)
