"""Suggests a known name for one that is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

#: How much two names must be alike, of 1, for one to be taken for a misspelling of the other.
ALIKE = 0.8


def closest(name: Any, known: Iterable[str]) -> str | None:
    """The known name that is most like this one; None when none is."""
    return next(iter(get_close_matches(str(name), sorted(known), n=1, cutoff=ALIKE)), None)


def suggestion(name: Any, known: Iterable[str]) -> str:
    """A hint: the known name that was probably meant, or all of them."""
    meant = closest(name, known)
    return f"Did you mean {meant}?" if meant else f"Remove it, or use one of {', '.join(sorted(known))}."
