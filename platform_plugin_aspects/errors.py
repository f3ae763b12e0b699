"""Exceptions of other packages: which are faults of the platform's databases, and how to report them."""

from __future__ import annotations

import traceback
from pathlib import Path

from django.db import Error as DatabaseError
from pymongo.errors import PyMongoError

#: The platform's databases in trouble: MySQL, and MongoDB, where the modulestore keeps what courses consist of. No
#: object's fault, whatever is being done with it.
PLATFORM_FAULTS: tuple[type[Exception], ...] = (DatabaseError, PyMongoError)


def where_raised(error: Exception) -> str:
    """The exception's type and where it was raised; its message stays out, because it may hold a learner's data."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"


def root_cause(error: BaseException) -> BaseException:
    """The innermost reason of a failed request, e.g. a ConnectionRefusedError."""
    # urllib3 wraps its reason; a certificate error has a ``reason`` that is text.
    while True:
        deeper = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if not isinstance(deeper, BaseException):
            return error
        error = deeper
