"""Three words for what went wrong (Unavailable, Misconfigured, Rejected), and how an error becomes one of them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, OperationalError

from platform_plugin_aspects.errors import root_cause

if TYPE_CHECKING:
    from platform_plugin_aspects.clickhouse.connection import Connection


class Failure(Exception):
    """ClickHouse did not do what was asked. ``code`` is its error code, or None when there was no answer."""

    def __init__(self, message: str, code: int | None = None):
        super().__init__(message)
        self.code = code


class Unavailable(Failure):
    """A passing fault: the same request may succeed later."""


class Misconfigured(Failure):
    """An operator must act; the message says on what."""


class Rejected(Failure):
    """ClickHouse, or the encoding for it, refuses these rows; others may pass."""


class Unclear(Rejected):
    """ClickHouse refuses an insert with a code that does not say whether the rows or something else is at fault.

    It is the rows', when others get through.
    """

    @property
    def way(self) -> Misconfigured:
        """The failure for the case that no rows get through."""
        return Misconfigured(
            f"{self.refusal}, whichever rows were sent. Its words may quote learners and are not repeated: "
            f"read them in system.query_log (exception_code = {self.code}), and check the table's materialized views",
            self.code,
        )

    def __init__(self, refusal: str, code: int | None = None):
        super().__init__(f"{refusal}, while other rows got through", code)
        self.refusal = refusal


# The codes are those of ClickHouse's src/Common/ErrorCodes.cpp.
#: A right is missing; a column is missing. NOT_THERE (UNKNOWN_TABLE, UNKNOWN_DATABASE): the relation is missing.
ACCESS_DENIED, UNKNOWN_IDENTIFIER, NOT_THERE = 497, 47, frozenset({60, 81})
#: Passing: timeouts, memory, overload, network, replicas and keeper that are not ready.
PASSING = frozenset({3, 33, 159, 160, 202, 203, 209, 210, 225, 241, 242, 243, 252, 285, 319, 394, 425, 999})
#: The row's own fault: cannot be parsed or converted, out of range, too large.
ROW_FAULTS = frozenset({6, 26, 27, 38, 41, 53, 69, 70, 72, 131, 321, 349, 376, 407, 469})
#: An operator's faults whose text names settings, functions, columns or clusters, and never a value that is inserted.
#: ClickHouse's text is quoted for these only while values travel: any other may hold a learner's.
QUOTABLE = frozenset({10, 20, 46, 48, 73, 115, 218, 344, 452, 701})
#: The remedy for an operator, by code.
REMEDIES = {
    16: "a column is missing: run `manage.py lms aspects_create_tables` to see how the table differs",
    47: "a column is missing: run `manage.py lms aspects_create_tables` to see how the table differs",
    60: "a table is missing: create it with `manage.py lms aspects_create_tables`",
    81: "the database is missing: create it with `manage.py lms aspects_create_tables`, "
    'or correct "database" in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG',
    164: "the user may only read: its settings profile must not be readonly",
    497: "the user lacks a grant: it needs INSERT, SELECT and DELETE on the plugin's tables; "
    "`manage.py lms aspects_create_tables --print-grants` prints the statements",
    516: 'wrong user or password: correct "username" and "password" in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG',
}
REMEDIES |= dict.fromkeys((192, 193, 194), REMEDIES[516])
#: Answers of proxies and load balancers, without a ClickHouse code, that mean "later".
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
#: TLS ended by the other side, as when a server restarts; other faults of TLS are of certificates and protocols.
CLOSED_TLS = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_STATUS = re.compile(r"HTTP status (\d{3})")
_MESSAGE_LIMIT = 400


@contextmanager
def typed_errors(
    connection: Connection, doing: str, *, encoding: bool = False, inserting: bool = False, with_values: bool = False
) -> Iterator[None]:
    """Errors as typed failures. ``with_values``: values travel, which ClickHouse's text and the driver's may quote."""
    try:
        yield
    except ClickHouseError as error:
        silent = encoding or inserting or with_values
        raise _typed(error, doing, connection, inserting=inserting, silent=silent) from None
    except (ValueError, TypeError, AttributeError, OverflowError, KeyError) as error:
        if not encoding:
            raise
        # The value itself stays out of the message: it may be a learner's.
        raise Rejected(f"A value cannot be encoded for ClickHouse ({type(error).__name__})") from None


def _typed(
    error: ClickHouseError, doing: str, connection: Connection, *, inserting: bool = False, silent: bool = False
) -> Failure:
    """The typed failure for an exception of the driver.

    ``silent``: the error's text may quote values. It is then left out, unless its code is one of QUOTABLE.
    """
    code: int | None = getattr(error, "code", None)
    folder = connection.embedded_path
    kind, cause = type(error).__name__, root_cause(error)
    text = str(error)
    words = kind if silent and code not in QUOTABLE else _excerpt(text.partition(", Stack trace")[0])
    found = _STATUS.search(text)
    status = int(found[1]) if found else None
    answer = f"code {code} {getattr(error, 'name', None) or ''}".rstrip()
    about = f"{doing} at {connection.place}"
    refusal = f"ClickHouse refused {about}: {answer}"
    unreachable = f"ClickHouse cannot be reached while {about}{connection.proxy}"
    bad_tls = isinstance(cause, ssl.SSLError) and not isinstance(cause, CLOSED_TLS)
    # The first rule that applies. Texts about rows quote nothing, because a value may be a learner's.
    rules: Sequence[tuple[bool, type[Failure], str]] = (
        (code in ROW_FAULTS, Rejected, f"ClickHouse refused rows while {about}: {answer}"),
        (code in PASSING, Unavailable, f"ClickHouse is busy or not ready while {about}: {answer}"),
        (code in REMEDIES, Misconfigured, f"{refusal}: {REMEDIES.get(code or 0)}"),
        (code is not None and inserting and code not in QUOTABLE, Unclear, refusal),
        (code is not None, Misconfigured, f"{refusal}: {words}"),
        (isinstance(error, DataError), Rejected, f"A value cannot be encoded for ClickHouse ({kind})"),
        (folder is not None, Misconfigured, f"The embedded ClickHouse engine failed while {about}: {words}"),
        (
            status not in {None, *PASSING_STATUSES},
            Misconfigured,
            f"{connection.place}{connection.proxy} answered HTTP {status}, not as ClickHouse does: "
            "check the url and proxies",
        ),
        (status is not None, Unavailable, f"{unreachable}: HTTP {status}"),
        (
            isinstance(error, OperationalError),
            Misconfigured if bad_tls else Unavailable,
            f"{unreachable}: {_excerpt(str(cause) or type(cause).__name__)}",
        ),
        (True, Misconfigured, f"ClickHouse's driver failed while {about}{connection.proxy}: {words}"),
    )
    return next(failure(message, code) for applies, failure, message in rules if applies)


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_LIMIT else line[:_MESSAGE_LIMIT] + "..."
