"""A class of learners on the stand-in platform: their scripts, their events and the statements of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.external_user_ids.models import ExternalId

from platform_plugin_aspects.clickhouse.client import ClickHouse
from platform_plugin_aspects.load_test import platform
from platform_plugin_aspects.load_test.journeys.enact import Person, events_of
from platform_plugin_aspects.load_test.journeys.people import learner
from platform_plugin_aspects.load_test.journeys.plan import plan
from platform_plugin_aspects.load_test.journeys.script import Script
from platform_plugin_aspects.load_test.journeys.structure import Structure, read
from platform_plugin_aspects.reporting.layout import Layout
from platform_plugin_aspects.reporting.migrate import Reports
from platform_plugin_aspects.sinks.batch import Selection
from platform_plugin_aspects.sinks.course_enrollment_sink import CourseEnrollmentSink
from platform_plugin_aspects.sinks.course_overview_sink import CourseOverviewSink
from platform_plugin_aspects.sinks.external_id_sink import ExternalIdSink
from platform_plugin_aspects.sinks.statement_sink import StatementSink
from platform_plugin_aspects.sinks.user_profile_sink import UserProfileSink
from platform_plugin_aspects.xapi.transform import Statement, transform
from test_utils import factories

COURSE = CourseKey.from_string("course-v1:Org+Sky+2026")
END = datetime(2026, 3, 31, tzinfo=UTC)
#: The run before it, which ended a year earlier.
FORMER = CourseKey.from_string("course-v1:Org+Sky+2025")
FORMER_END = datetime(2025, 3, 31, tzinfo=UTC)
CLOCK = "toDateTime64('2026-03-31 00:00:00', 6, 'UTC')"
DAYS = 20
SEED = 3
#: Answers of fewer learners are hidden: the class is small.
SMALLEST_GROUP = 2


@dataclass(frozen=True)
class Pupil:
    """A learner of the class: ``actor`` is the id in statements; ``events`` are the canonical ones, in order."""

    user_id: int
    actor: str
    script: Script
    events: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Class:
    """The learners of a course, and all their statements in order of time. ``days``: how long it took until ``end``."""

    structure: Structure
    pupils: Sequence[Pupil]
    statements: Sequence[Statement]
    course: CourseKey = COURSE
    end: datetime = END
    days: int = DAYS

    @property
    def starts_on(self) -> date:
        """The day of the start of the course, which a few learners do not wait for."""
        return start_of(self.end, self.days).date()


def start_of(end: datetime, days: int = DAYS) -> datetime:
    """The start of the course of a class."""
    return end - timedelta(days=days - 3)


def make_class(
    learners: int, chapters: int = 1, verticals: int = 2, course: CourseKey = COURSE, end: datetime = END
) -> Class:
    """A course of two subsections per chapter, and learners who went through it.

    A unit has a text, a problem and a video. The course, the enrollments and the learners' names are written to
    ClickHouse; the statements are not.
    """
    factories.make_external_id_type("xapi")
    start = start_of(end)
    factories.make_course(course, chapters=chapters, sequentials=2, verticals=verticals, leaves=3, start=start)
    school = go_through(course, [learner(SEED, number) for number in range(1, learners + 1)], end)
    for sink in (CourseOverviewSink(), CourseEnrollmentSink(), ExternalIdSink(), UserProfileSink()):
        sink.write(sink.read(Selection()), timezone.now())
    return school


def go_through(
    course: CourseKey,
    users: Sequence[Any],
    end: datetime,
    days: int = DAYS,
    shape: Callable[[int, Script], Script] | None = None,
) -> Class:
    """These users go through a published course. Nothing is written to ClickHouse.

    ``shape`` may change the script of the user with a number from 1.
    """
    structure = read(course)
    made = []
    statements: list[Statement] = []
    for number, user in enumerate(users, 1):
        script = plan(structure, number, SEED, end, days)
        script = shape(number, script) if shape else script
        platform.set_enrollment(user, course, script.mode, script.is_active, script.enrolled_at)
        events = list(events_of(script, structure, Person(user.pk, user.username)))
        found, rejected = transform(events)
        assert not rejected
        statements += [statement for some in found for statement in some]
        made.append((user, script, events))
    actors = dict(ExternalId.objects.filter(user__in=users).values_list("user_id", "external_user_id"))
    pupils = [Pupil(user.pk, str(actors[user.pk]), script, events) for user, script, events in made]
    in_order = sorted(statements, key=lambda statement: statement.emission_time)
    return Class(structure, pupils, in_order, course, end, days)


def insert(statements: Sequence[Statement], batch: int) -> None:
    """Write statements in inserts of so many."""
    sink = StatementSink()
    for start in range(0, len(statements), batch):
        sink.insert(statements[start : start + batch])


def clear(client: ClickHouse, *databases: str) -> None:
    """Delete the rows of all tables in these databases."""
    sql = (
        "SELECT database, name FROM system.tables "
        "WHERE database IN {databases:Array(String)} AND engine LIKE '%MergeTree' AND total_rows > 0"
    )
    for database, table in client.select(sql, {"databases": list(databases)}):
        client.command(f"TRUNCATE TABLE `{database}`.`{table}`")


def empty(reports: Reports) -> None:
    """Delete all statements and the rows that were made of them."""
    clear(reports.client, reports.client.connection.xapi_database, reports.layout.database)


def merge(reports: Reports) -> None:
    """Let ClickHouse merge all parts of all tables."""
    for table in tables(reports):
        reports.client.command(f"OPTIMIZE TABLE {reports.layout.qualified(table)} FINAL")


def tables(reports: Reports) -> list[str]:
    """The tables of the stored relations."""
    return [state.table for state in reports.states() if state.relation.is_stored]


def rows(reports: Reports, name: str, where: str = "1") -> list[dict[str, Any]]:
    """The rows of a relation, sorted by all columns; floats rounded, moments with their time zone."""
    [relation] = [relation for relation in reports.relations if relation.name == name]
    names = [column.name for column in relation.columns]
    found = reports.client.select(f"SELECT * FROM {reports.layout.qualified(name)} WHERE {where}")
    return sorted((dict(zip(names, map(plain, row), strict=True)) for row in found), key=repr)


def plain(value: Any) -> Any:
    """A value as the model has it."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def with_clock(**rules: Any) -> Layout:
    """The layout of the settings with all relations, and with the class's last moment as the current one."""
    layout = Layout.from_settings(personal=True)
    rules = {"smallest_group": SMALLEST_GROUP, **rules}
    return replace(layout, clock=CLOCK, rules=replace(layout.rules, **rules))
