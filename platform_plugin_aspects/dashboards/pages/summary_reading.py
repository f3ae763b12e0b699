"""The reports' numbers of a course as a whole: read from ClickHouse once a minute, and remembered for an hour."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.clickhouse.client import get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import (
    ACCESS_DENIED,
    NOT_THERE,
    UNKNOWN_IDENTIFIER,
    Failure,
    Unavailable,
)
from platform_plugin_aspects.reporting.layout import VIEWS_OF_PAGES, database_of

log = logging.getLogger(__name__)

#: The views of a course now and a week ago.
NOW, BEFORE = VIEWS_OF_PAGES
#: The values that are read from each view, by name: moments as seconds since 1970.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    NOW: {
        **{
            name: name
            for name in (
                *("enrolled", "active_7_days", "active_7_days_before", "new_7_days", "left_7_days"),
                *("median_progress", "median_grade", "at_risk"),
            )
        },
        **{name: f"toUnixTimestamp64Micro({name}) / 1e6" for name in ("published_at", "last_act")},
    },
    BEFORE: {
        f"{name}_before": name for name in ("new_7_days", "left_7_days", "median_progress", "median_grade", "at_risk")
    },
}
#: ClickHouse's codes for a relation that is missing or of an older definition.
MISSING = NOT_THERE | {UNKNOWN_IDENTIFIER}
#: ClickHouse's code for a query that takes too long.
TOO_LONG = 159
#: Settings of ClickHouse for a query that is short and seldom. By default, ClickHouse compiles a query when it is asked
#: for the third time, which takes longer than the query, and prepares joins for more rows than a course has.
SETTINGS = (
    "compile_expressions = 0, compile_aggregate_expressions = 0, compile_sort_description = 0, join_algorithm = 'hash'"
)
#: ClickHouse has so long to answer.
PATIENCE_SECS = 2
#: The values of a week ago have the rest of that time, and at least so long. A request that waits for another's reading
#: waits so much longer.
GRACE_SECS = 1
#: A reading serves so long; then it serves while it is read anew, up to the end of KEPT_SECS.
FRESH_SECS = 60
KEPT_SECS = 3600
#: After a failure, ClickHouse is left alone for so long.
RETRY_SECS = 10
#: How often to look whether another request has read what both need.
LOOK_SECS = 0.02


class State(StrEnum):
    """The outcome of a reading."""

    READY = "ready"
    #: The course is not a row of the view.
    UNPUBLISHED = "unpublished"
    #: The view, or a column of it, or something behind it, does not exist.
    MISSING = "missing"
    #: The plugin's user may not read the view.
    DENIED = "denied"


@dataclass(frozen=True)
class Reading:
    """The values of a course, by the names in COLUMNS, without those that are null; empty unless the state is READY.

    ``read_at``: seconds since 1970.
    """

    state: State
    values: Mapping[str, float]
    read_at: float


class CannotRead(Exception):
    """There are no numbers: always one of the classes below. ``message`` is for people, ``code`` for programs."""

    code: ClassVar[str]
    #: The HTTP status of the answer.
    status: ClassVar[int]
    message: ClassVar[str | Promise]


class ReportsUnavailable(CannotRead):
    """ClickHouse cannot be reached, or is busy."""

    code = "reports_unavailable"
    status = 503
    message = _("The numbers cannot be read at the moment. Please try again in a few minutes.")


class ReportsTimeout(CannotRead):
    """ClickHouse does not answer in time."""

    code = "reports_timeout"
    status = 504
    message = _("The numbers take too long to read. Please try again in a few minutes.")


class ReportsMisconfigured(CannotRead):
    """A setting, a password or a server must be corrected."""

    code = "reports_misconfigured"
    status = 502
    message = _("The reports are not set up correctly. Please tell the site's administrators.")


FAILURES: Mapping[str, type[CannotRead]] = {
    failure.code: failure for failure in (ReportsUnavailable, ReportsTimeout, ReportsMisconfigured)
}


def reading_of(course_key: CourseKey) -> Reading:
    """The reports' numbers of a course, at most a minute old while ClickHouse answers.

    Older readings serve for an hour while one request, in whatever process, reads anew. Without a cache, each request
    reads. Raises CannotRead where there is no reading, within about PATIENCE_SECS.
    """
    try:
        connection = Connection.from_settings()
        database = database_of(connection)
    except Failure as failure:
        log.error("The numbers of courses cannot be read: %s", failure)
        raise ReportsMisconfigured from None
    quick = replace(connection, timeout_secs=min(connection.timeout_secs, PATIENCE_SECS))
    key = _key(connection.place, database, str(course_key), COLUMNS)
    begun = time.monotonic()
    while True:
        kept = _remembered(key)
        if kept is not None and time.time() - kept.read_at < FRESH_SECS:
            return kept
        # Expires by itself after a failure, or should this process die.
        if optional_cache.add(f"{key}.reading", RETRY_SECS):
            return _renew(key, quick, database, course_key, kept)
        if kept is not None:
            return kept
        if time.monotonic() - begun > PATIENCE_SECS + GRACE_SECS:
            raise ReportsTimeout
        time.sleep(LOOK_SECS)


def _remembered(key: str) -> Reading | None:
    """The reading of another request. Raises CannotRead if it failed a moment ago."""
    match optional_cache.get(key):
        case {"failed": code}:
            raise FAILURES[code]
        case {"state": state, "values": values, "read_at": read_at}:
            return Reading(State(state), values, read_at)
    return None


def _renew(key: str, connection: Connection, database: str, course_key: CourseKey, kept: Reading | None) -> Reading:
    """Read, and remember. ``kept`` serves if that fails."""
    begun = time.monotonic()
    try:
        found = _read(connection, database, course_key)
    except Failure as failure:
        log.error("The numbers of %s cannot be read: %s", course_key, failure)
        if kept is not None:
            return kept
        kind = _kind_of(failure, time.monotonic() - begun)
        optional_cache.set_many({key: {"failed": kind.code}}, RETRY_SECS)
        raise kind from None
    values = {"state": str(found.state), "values": dict(found.values), "read_at": found.read_at}
    optional_cache.set_many({key: values}, KEPT_SECS)
    optional_cache.delete(f"{key}.reading")
    return found


def _read(connection: Connection, database: str, course_key: CourseKey) -> Reading:
    """Ask ClickHouse. Raises Failure for faults; what an operator has yet to do is a state."""
    read_at = time.time()
    try:
        values = _values(connection, database, course_key)
    except Failure as failure:
        if failure.code in MISSING:
            log.warning("The numbers of courses need `manage.py lms aspects_reports create`: %s", failure)
            return Reading(State.MISSING, {}, read_at)
        if failure.code == ACCESS_DENIED:
            log.warning("The numbers of courses need `manage.py lms aspects_reports --print-grants`: %s", failure)
            return Reading(State.DENIED, {}, read_at)
        raise
    return Reading(State.UNPUBLISHED if values is None else State.READY, values or {}, read_at)


def _values(connection: Connection, database: str, course_key: CourseKey) -> dict[str, float] | None:
    """The values of a course; None without a row. Raises Failure if those of now cannot be read."""
    begun = time.monotonic()
    found = _row(connection, database, course_key, NOW)
    if found is None:
        return None
    # Whole seconds: each timeout is a connection of its own.
    left = max(math.ceil(connection.timeout_secs - (time.monotonic() - begun)), GRACE_SECS)
    return {**found, **_values_before(replace(connection, timeout_secs=left), database, course_key)}


def _values_before(connection: Connection, database: str, course_key: CourseKey) -> dict[str, float]:
    """The values of a week ago; none if they cannot be read, so that the next reading, a minute later, tries again.

    They change once a day. They are remembered for an hour, because events may come late.
    """
    today = datetime.now(UTC).date().isoformat()
    key = _key(connection.place, database, str(course_key), today)
    before: dict[str, float] | None = optional_cache.get(key)
    if before is None:
        try:
            before = _row(connection, database, course_key, BEFORE) or {}
        except Failure as failure:
            log.warning("The numbers of %s a week ago cannot be read: %s", course_key, failure)
            return {}
        optional_cache.set_many({key: before}, KEPT_SECS)
    return before


def query(database: str, view: str) -> str:
    """The query for the row of a course, with the values of a view in the order of COLUMNS.

    Its parameters are ``org`` and ``course_key``. It ends in settings.
    """
    return (
        f"SELECT {', '.join(COLUMNS[view].values())} FROM {quote(database)}.{quote(view)} "
        f"WHERE org = {{org:String}} AND course_key = {{course_key:String}} SETTINGS {SETTINGS}"
    )


def _row(connection: Connection, database: str, course_key: CourseKey, view: str) -> dict[str, float] | None:
    """The row of a course in a view, without values that are null; None without a row. Raises Failure."""
    # The server stops, too, when nobody waits any more.
    sql = f"{query(database, view)}, max_execution_time = {math.ceil(connection.timeout_secs)}"
    rows = get_client(connection).select(sql, {"org": course_key.org, "course_key": str(course_key)})
    if not rows:
        return None
    return {name: value for name, value in zip(COLUMNS[view], rows[0], strict=True) if value is not None}


def _kind_of(failure: Failure, secs: float) -> type[CannotRead]:
    """The browser's name of a failure after ``secs``."""
    if not isinstance(failure, Unavailable):
        return ReportsMisconfigured
    # The driver does not say which of its errors were timeouts.
    return ReportsTimeout if failure.code == TOO_LONG or secs >= PATIENCE_SECS else ReportsUnavailable


def _key(*decides: Any) -> str:
    return f"platform_plugin_aspects.summary.{hashlib.sha256(json.dumps(decides).encode()).hexdigest()}"
