"""Settings that are mappings, read into frozen dataclasses: one field per key, with its default and its kind.

A field holds text, unless its metadata name another kind: ``field(default=5.0, metadata=kind(seconds(0.1, 60)))``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings


class WrongValue(Exception):
    """A value is invalid. The text completes a sentence that begins with the key."""


def kind(convert: Callable[[Any], Any]) -> Mapping[str, Any]:
    """The metadata of a field whose values ``convert`` makes from configured ones, or refuses with WrongValue."""
    return {"convert": convert}


def text(value: Any) -> str:
    """The kind of most values."""
    if not isinstance(value, str):
        raise WrongValue("must be text")
    return value


def one_of(*allowed: str) -> Callable[[Any], str]:
    """The kind of values that are one of these texts."""

    def convert(value: Any) -> str:
        found = text(value)
        if found not in allowed:
            raise WrongValue(f"is {found!r}: it must be one of {', '.join(allowed)}")
        return found

    return convert


def seconds(least: float, most: float) -> Callable[[Any], float]:
    """The kind of durations, as numbers or text; they are never 0, even if ``least`` is."""

    def convert(value: Any) -> float:
        try:
            found = float(value)
        except (TypeError, ValueError):
            found = math.nan
        if not least <= found <= most or found == 0:
            limits = f", {least} to {most}" if least else f" above 0 and at most {most:,.0f}"
            raise WrongValue(f"is {value!r}: it must be a number of seconds{limits}")
        return found

    return convert


def is_http(url: str) -> bool:
    """Whether this is http(s)://host or http(s)://host:port, with or without a path."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and not any(map(str.isspace, url))


def read_mapping(
    of: Any, setting: str, error: type[Exception], overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The values for the fields of dataclass ``of``; those that are None or empty are left out, as are unknown keys.

    ``overrides`` (same keys) win unless they are None. Raises ``error`` for an invalid value.
    """
    known = {field.name: field.metadata.get("convert", text) for field in fields(of)}
    configured = getattr(settings, setting, None) or {}
    if not isinstance(configured, Mapping):
        raise error(f"{setting} must be a mapping with {', '.join(list(known)[:3])}, ...")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    values = {}
    for key, convert in known.items():
        value = given.get(key, configured.get(key))
        if value is None or value == "":
            continue
        try:
            values[key] = convert(value)
        except WrongValue as wrong:
            raise error(f"{key if key in given else f'{key} in {setting}'} {wrong}") from None
    return values
