"""Secrets that are not shown: in URLs, and by repr(), with which error reporters show every frame's variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Hidden(str):
    """Text that repr() does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class HiddenBytes(bytes):
    """Bytes that repr() does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


def without_credentials(url: str) -> str:
    """The URL without user and password, for messages."""
    # Up to the last "@", because passwords are not always quoted as they should be.
    return re.sub(r"\A(\w+://)?.*@", r"\1", url, flags=re.DOTALL)


def raises_without_frames(*kinds: type[Exception]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: errors of these kinds leave the function without its frames, whose variables hold secrets.

    The text of such an error must say all that there is to say.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except kinds as error:
                found = error.with_traceback(None)
            del args, kwargs
            raise found from None

        return call

    return decorate
