"""Tracking events become xAPI statements: those of edx-event-routing-backends (ERB), but for the session's key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from platform_plugin_aspects.clickhouse.text import whole
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.xapi.courses import Courses, UnknownCourse
from platform_plugin_aspects.xapi.learners import (
    Learners,
    NewLearners,
    NoExternalId,
    NoLearner,
    NoSuchIds,
    UnknownLearner,
)
from platform_plugin_aspects.xapi.processor import (
    Lookups,
    NotUsable,
    helpers,
    learner_of,
    processor,
    serving,
    silent,
    why_not_usable,
)
from platform_plugin_aspects.xapi.sessions import hide_session

__all__ = ["NewLearners", "NotUsable", "Statement", "Transformed", "transform"]

#: The moments that ClickHouse's DateTime64(6) can hold.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, tzinfo=UTC)


class Statement(NamedTuple):
    """An xAPI statement: its id and moment, and ``text``, the statement as JSON."""

    event_id: UUID
    emission_time: datetime
    text: str


class Transformed(NamedTuple):
    """The result for a batch of events.

    ``statements``: a list for each event, empty for one that yields none. ``rejected``: why events cannot be
    transformed, by their position; a reason names no learner.
    """

    statements: list[list[Statement]]
    rejected: dict[int, str]


#: Made once, and without a search for circles, which ERB's statements do not have: half the time of json.dumps.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


class _Unsuitable(ValueError):
    """A statement that ClickHouse cannot take; the text says why."""


def transform(events: Sequence[Mapping[str, Any]], *, register: bool = True) -> Transformed:
    """The statements of canonical events. Each event is transformed alone, so that a bad one costs itself only.

    ``register``: make the external ids of learners who have none. A caller whose transaction may roll back after the
    statements are sent says False and catches NewLearners: an id that is rolled back is another one the next time, and
    so would be the ids of the statements. Raises NotUsable where ERB is missing or off, and PLATFORM_FAULTS.
    """
    reason = why_not_usable()
    if reason:
        raise NotUsable(reason)
    statements: list[list[Statement]] = []
    rejected: dict[int, str] = {}
    with silent(), serving(_lookups(events, register)):
        for position, event in enumerate(events):
            try:
                made = [_statement(each) for each in processor()([event])]
            except PLATFORM_FAULTS:
                raise
            except NoLearner:
                # A visitor who is not logged in.
                made = []
            except (UnknownLearner, NoSuchIds, NoExternalId, UnknownCourse, _Unsuitable) as error:
                rejected[position] = str(error)
            except Exception as error:
                # Data of events may have any shape, and operators' transformers and filters may raise anything.
                rejected[position] = f"it cannot be transformed: {where_raised(error)}"
            if position in rejected:
                made = []
            statements.append(made)
    return Transformed(statements, rejected)


def _lookups(events: Sequence[Mapping[str, Any]], register: bool) -> Lookups:
    keys = [learner_of(event) for event in events]
    return Lookups(
        Learners(helpers(), keys, register=register),
        Courses(helpers().get_course_from_id, map(_course_id, events)),
    )


def _course_id(event: Mapping[str, Any]) -> Any:
    context = event.get("context")
    return context.get("course_id") if isinstance(context, Mapping) else None


def _statement(statement: dict[str, Any]) -> Statement:
    """The statement that ERB made, without the session's key. Raises _Unsuitable."""
    hide_session(statement)
    try:
        moment = datetime.fromisoformat(statement["timestamp"])
    except (KeyError, TypeError, ValueError):
        raise _Unsuitable("its statement has no timestamp in ISO 8601") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not EARLIEST <= moment <= LATEST:
        raise _Unsuitable("its timestamp is not between the years 1900 and 2299")
    return Statement(UUID(statement["id"]), moment, _json(statement))


def _json(statement: Mapping[str, Any]) -> str:
    """The statement's text. Numbers that JSON does not have, such as NaN, are refused."""
    try:
        text = _encode(statement)
    except ValueError:
        raise _Unsuitable("its statement holds a number that JSON does not have, such as NaN") from None
    # Not as an escape sequence either: ClickHouse reads nothing of JSON with half a surrogate pair.
    return whole(text)
