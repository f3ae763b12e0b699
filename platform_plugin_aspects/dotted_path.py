"""Loads what a setting names by its dotted path: code of others, which may raise anything."""

from __future__ import annotations

from typing import Any

from django.utils.module_loading import import_string


class CannotLoad(Exception):
    """Nothing can be loaded from a dotted path; the text says why."""


def load(path: Any) -> Any:
    """The object at a dotted path. Raises CannotLoad whatever goes wrong, and KeyboardInterrupt."""
    if not isinstance(path, str) or not path:
        raise CannotLoad("it is not text with a dotted path")
    try:
        return import_string(path)
    except ImportError as error:
        raise CannotLoad(str(error)) from None
    except (KeyboardInterrupt, GeneratorExit):
        raise
    # SystemExit, too: a module that ends its process when it is imported would end every command and every worker.
    except BaseException as error:
        raise CannotLoad(shown(error)) from None


def shown(error: BaseException) -> str:
    """The type and the text of an exception whose text may be unusable."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return name
