"""The show's courses, people and learners' ways, made in the platform's empty database, and written to ClickHouse.

Three classes: the current run of a course, whose numbers boards show; its former run; and a course of another team.
The numbers that boards must show follow from the learners' scripts (tests/reporting/expected.py), with the same
current moment.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from common.djangoapps.student.roles import CourseStaffRole
from django.contrib.auth.models import User
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_api.models import UserPreference
from xmodule.modulestore.django import modulestore

from platform_plugin_aspects.load_test.journeys.script import Script, Visit
from platform_plugin_aspects.tests.reporting.site import Class, go_through, insert, start_of
from test_utils.factories import detached_blocks, make_external_id_type, make_user, publish_course

from .details import with_details
from .outlines import ASTRONOMY, BREAD, Outline, tree
from .people import COURSE, FORMER, LEARNER, OTHER, OTHER_TEAM, STAFF, TEAM, names

#: Learners of the current run, of the former one, and of the other course.
LEARNERS, BEFORE, ELSEWHERE = 100, 30, 15
#: The days of a run until now, and the days since the end of the former one.
DAYS, AGO = 35, 364
#: The share of learners who stop on their way, that of those who come today, and of those who come this week at all.
STOP, TODAY, THIS_WEEK = 0.3, 0.12, 0.6
BATCH = 2000


@dataclass(frozen=True)
class School:
    """The classes, as they are at a moment."""

    now: datetime
    current: Class
    former: Class
    other: Class

    @property
    def statements(self) -> int:
        """The number of all statements."""
        return sum(len(school.statements) for school in (self.current, self.former, self.other))


def make_school(passwords: Mapping[str, str], now: datetime) -> School:
    """Make it in a migrated database. ``passwords`` of the accounts that log in, by username."""
    make_external_id_type("xapi")
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    users = _learners(LEARNERS + BEFORE + ELSEWHERE)
    learners, before, elsewhere = users[:LEARNERS], users[LEARNERS:-ELSEWHERE], users[-ELSEWHERE:]
    former = _run(FORMER, "Looking up at night", ASTRONOMY, before, tomorrow - timedelta(days=AGO), None)
    current = _run(COURSE, "Looking up at night", ASTRONOMY, learners, tomorrow, now)
    other = _run(OTHER, "Bread from the beginning", BREAD, elsewhere, tomorrow, now)
    _log_ins(passwords)
    return School(now, current, former, other)


def write_statements(school: School) -> None:
    """Write all statements to ClickHouse."""
    for some in (school.former, school.other, school.current):
        insert(some.statements, BATCH)


def _learners(number: int) -> list[User]:
    return [
        make_user(username, email=f"{username}@example.org", profile={"name": name}) for username, name in names(number)
    ]


def _run(course: str, name: str, outline: Outline, users: Sequence[User], end: datetime, now: datetime | None) -> Class:
    key = CourseKey.from_string(course)
    start = start_of(end, DAYS)
    made = tree(name, outline, start=start, end=start + timedelta(weeks=10))
    modulestore().create_course(key, made, detached=detached_blocks())
    publish_course(key, loudly=False)
    return go_through(key, users, end, DAYS, shape=_Shape(course, now))


class _Shape:
    """Makes learners' ways more like life: some stop anywhere, some come late or today, and people leave on any day.

    They answer in the words of the course, and read in the forum.

    ``now``: of a course that goes on.
    """

    def __init__(self, course: str, now: datetime | None):
        self.course = course
        self.now = now

    def __call__(self, number: int, script: Script) -> Script:
        chance = random.Random(f"{self.course} {number}")
        script = with_details(script, random.Random(f"{self.course} {number} details"))
        visits = list(script.visits)
        if chance.random() < STOP:
            visits = _stopped(visits, chance)
        if script.left_at is not None:
            # On the day of the last visit, after it.
            return replace(script, visits=visits, left_at=_on(script.left_at, visits[-1].start))
        if visits and self.now is not None:
            visits[-1] = self._later(visits[-1], self.now, chance)
        return replace(script, visits=visits)

    def _later(self, visit: Visit, now: datetime, chance: random.Random) -> Visit:
        """The visit, or the same one this week, or one that ends some minutes ago, if that is on this day."""
        when, days, minutes = chance.random(), chance.randrange(1, 6), chance.randrange(1, 90)
        if when < TODAY:
            start = now - timedelta(minutes=minutes, seconds=sum(study.seconds for study in visit.studies))
            return replace(visit, start=start) if start.date() == now.date() else visit
        start = _on(visit.start, now - timedelta(days=days))
        return replace(visit, start=start) if when < THIS_WEEK and start > visit.start else visit


def _on(moment: datetime, day: datetime) -> datetime:
    """The same time on another day."""
    return datetime.combine(day.date(), moment.timetz())


def _stopped(visits: Sequence[Visit], chance: random.Random) -> list[Visit]:
    """The visits up to some unit."""
    left = chance.randrange(1, 1 + max(1, sum(len(visit.studies) for visit in visits)))
    made = []
    for visit in visits:
        if left > 0:
            made.append(replace(visit, studies=visit.studies[:left]))
        left -= len(visit.studies)
    return made


def _log_ins(passwords: Mapping[str, str]) -> None:
    """The accounts that log in: course teams, staff, and a learner of the class."""
    for team, course in ((TEAM, COURSE), (OTHER_TEAM, OTHER)):
        for username, (name, language) in team.items():
            member = make_user(username, email=f"{username}@example.org", profile={"name": name})
            CourseStaffRole(CourseKey.from_string(course)).add_users(member)
            UserPreference.objects.create(user=member, key="pref-lang", value=language)
    make_user(STAFF, email=f"{STAFF}@example.org", is_staff=True, is_superuser=True, profile={"name": "Site staff"})
    for user in User.objects.filter(username__in=[*TEAM, *OTHER_TEAM, STAFF, LEARNER]):
        user.set_password(passwords[user.username])
        user.save()


def utc_now() -> datetime:
    """The current moment."""
    return datetime.now(UTC)
