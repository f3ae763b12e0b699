"""Journeys of learners through courses: accounts, enrollments, statements in ClickHouse, and the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects import databases, edx_platform
from platform_plugin_aspects.load_test import platform
from platform_plugin_aspects.load_test.journeys.answers import answers_of
from platform_plugin_aspects.load_test.journeys.enact import Person, events_of
from platform_plugin_aspects.load_test.journeys.people import learner
from platform_plugin_aspects.load_test.journeys.plan import plan
from platform_plugin_aspects.load_test.journeys.structure import Structure, read
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.xapi.transform import transform

#: Events that are transformed, and inserted, at once.
BATCH_SIZE = 1_000
#: Courses with units that are looked at, to find those with most to do; a site may have thousands.
LOOKED_AT = 30


@dataclass(frozen=True)
class Request:
    """How many learners go through which courses in the ``days`` before ``end``, a midnight in UTC."""

    structures: Sequence[Structure]
    learners: int
    seed: int
    end: datetime
    days: int


@dataclass
class Result:
    """Numbers of events by name, of statements, of rejected events by reason, and the answers as JSON has them."""

    events: Counter[str] = field(default_factory=Counter)
    statements: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    answers: list[dict[str, Any]] = field(default_factory=list)


def choose(number: int, named: Iterable[CourseKey] = ()) -> list[Structure]:
    """The courses to go through: the named ones or so many of those with most to do, which may be fewer.

    The first LOOKED_AT courses with units, by key, are compared, or more if more are wanted.
    Raises PLATFORM_FAULTS.
    """
    keys = list(named)
    if keys:
        return [read(key) for key in keys]
    model = edx_platform.get_model("course_overviews")
    rows = [] if model is None else edx_platform.primary(model).order_by("id").values_list("id", flat=True)
    runs = (key for key in rows if not hasattr(key, "ccx"))
    found = list(islice((course for course in map(read, runs) if course.units), max(number, LOOKED_AT)))
    return sorted(found, key=_to_do, reverse=True)[:number]


def _to_do(structure: Structure) -> tuple[int, int]:
    """Whether there are videos and problems, and how many."""
    videos, problems = len(structure.videos), len(structure.problems)
    return bool(videos) + bool(problems), videos + problems


def run(request: Request, sink: StatementSink, watch: Callable[[int], bool]) -> Result:
    """Have all learners go through all courses. ``watch`` hears of each learner and says whether to go on.

    Raises Failure, platform.AccountRefused, xapi.transform.NotUsable and PLATFORM_FAULTS.
    """
    result = Result()
    for structure in request.structures:
        result.answers.append({"course_id": str(structure.course), "learners": []})
    for number in range(1, request.learners + 1):
        databases.check_before_use()
        user = learner(request.seed, number)
        person = Person(user.pk, user.username)
        for structure, answers in zip(request.structures, result.answers, strict=True):
            script = plan(structure, number, request.seed, request.end, request.days)
            platform.set_enrollment(user, structure.course, script.mode, script.is_active, script.enrolled_at)
            for events in _batches(events_of(script, structure, person)):
                _write(events, sink, result)
            facts = {"username": user.username, "user_id": user.pk, **answers_of(script, structure)}
            answers["learners"].append(facts)
        if not watch(number):
            break
    return result


def _batches(events: Iterator[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    while batch := list(islice(events, BATCH_SIZE)):
        yield batch


def _write(events: Sequence[Mapping[str, Any]], sink: StatementSink, result: Result) -> None:
    statements, rejected = transform(events)
    rows = [statement for made in statements for statement in made]
    sink.insert(rows)
    result.events.update(event["name"] for event in events)
    result.statements += len(rows)
    result.rejected.update(rejected.values())
