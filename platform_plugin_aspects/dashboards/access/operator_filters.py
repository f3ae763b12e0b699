"""SUPERSET_EXTRA_FILTERS_FORMAT: the operator's own SQL, with values put in as literals.

A template is read as ClickHouse and Superset read it (text in quotes, names in quotes, parentheses) and only so far:
what could end the clause early is refused, and a value never becomes anything but a literal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from string import Formatter
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dashboards.access.literals import literal

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_OF_USER: dict[str, Callable[[Any], Any]] = {
    "user": attrgetter("username"),
    "user.username": attrgetter("username"),
    "user.id": attrgetter("id"),
    "user.email": attrgetter("email"),
}
_ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "": str,
    ".org": attrgetter("org"),
    ".course": attrgetter("course"),
    ".run": attrgetter("run"),
}
_OF_COURSE = {f"{name}{path}": get for name in ("course", "course_id") for path, get in _ATTRIBUTES.items()}
_TOKEN = re.compile(
    r"""
      (?<!\w)'(?P<text>(?:[^'\\]|\\.|'')*)'
    | (?P<name>"[^"\\{}]*"|`[^`\\{}]*`)
    | (?P<brace>\{\{|\}\})
    | (?<![\w'"`}])(?P<bare>\{[^{}]*\})(?![\w'"`{])
    | (?P<word>\w+)
    | (?P<space>\s+)
    | (?P<sign>(?!--|/\*)[!%&()*+,./:<=>?@\[\]^|~-])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
#: In what the LIKE operators read, these stand for themselves behind a backslash.
_WILDCARD = re.compile(r"([\\%_])")


def operator_filters(user: User, course_key: CourseKey) -> list[str]:
    """The clauses of SUPERSET_EXTRA_FILTERS_FORMAT for this person and course. Raises ImproperlyConfigured."""
    values = {name: get(user) for name, get in _OF_USER.items()}
    values |= {name: get(course_key) for name, get in _OF_COURSE.items()}
    return [_render(template, values) for template in formats()]


def formats() -> list[str]:
    """The templates, as they are set. Raises ImproperlyConfigured."""
    found = settings.SUPERSET_EXTRA_FILTERS_FORMAT
    if isinstance(found, list | tuple) and all(isinstance(template, str) for template in found):
        return list(found)
    raise ImproperlyConfigured(f"SUPERSET_EXTRA_FILTERS_FORMAT must be a list of texts, not {found!r}.")


def validate_format(template: str) -> None:
    """Raise ImproperlyConfigured, which names template and place, unless clauses can be made of ``template``."""
    _render(template, dict.fromkeys([*_OF_USER, *_OF_COURSE], ""))


class _Wrong(ValueError):
    """Why a template cannot be used."""


def _render(template: str, values: Mapping[str, str | int]) -> str:
    try:
        return "".join(_rendered(template, values))
    except _Wrong as why:
        raise ImproperlyConfigured(f"SUPERSET_EXTRA_FILTERS_FORMAT: {template!r}: {why}") from None


def _rendered(template: str, values: Mapping[str, str | int]) -> Iterator[str]:
    if not template.strip():
        raise _Wrong("it is empty.")
    position = depth = 0
    previous = ""
    while position < len(template):
        token = _TOKEN.match(template, position)
        if token is None:
            raise _Wrong(
                f"{template[position : position + 20]!r} cannot stand there: outside of quotes there are no comments, "
                "semicolons, backslashes, single braces, $, # or characters other than ASCII, quotes are closed, and "
                "nothing touches a placeholder or the opening quote of a text."
            )
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth < 0:
            raise _Wrong("a parenthesis is closed that was not opened.")
        if token.lastgroup in ("text", "bare"):
            yield _literal(token, values, as_pattern=previous in ("LIKE", "ILIKE"))
        else:
            yield token[0][0] if token.lastgroup == "brace" else token[0]
        if token.lastgroup != "space":
            previous = token[0].upper()
        position = token.end()
    if depth:
        raise _Wrong("a parenthesis is not closed.")


def _literal(token: re.Match[str], values: Mapping[str, str | int], as_pattern: bool) -> str:
    """A placeholder, or a text in quotes with its placeholders, as SQL."""
    quoted = token["text"]
    pieces = _pieces(token[token.lastgroup or 0], values)
    inserted = [value for _text, value in pieces if value is not None]
    if not inserted:
        return f"'{''.join(text for text, _value in pieces)}'"
    if quoted is None and isinstance(inserted[0], int):
        return str(inserted[0])
    if quoted is not None and "\\" in quoted:
        raise _Wrong(f"a text with a placeholder has no backslashes: {token[0]}.")
    whole = ""
    for text, value in pieces:
        whole += text.replace("''", "'")
        if value is not None:
            whole += _WILDCARD.sub(r"\\\1", str(value)) if as_pattern else str(value)
    return literal(whole)


def _pieces(text: str, values: Mapping[str, str | int]) -> list[tuple[str, str | int | None]]:
    """``text`` cut at its placeholders: what stands before each, and its value; None behind the last."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise _Wrong(f"{error} in {text!r}; a brace that is meant is written twice.") from None
    pieces: list[tuple[str, str | int | None]] = []
    for before, name, spec, conversion in parsed:
        if name is None:
            pieces.append((before, None))
            continue
        if spec or conversion or name not in values:
            shown = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            known = ", ".join(f"{{{known}}}" for known in values)
            raise _Wrong(f"unknown placeholder {{{shown}}}; known are {known}.")
        pieces.append((before, values[name]))
    return pieces
