"""The course of a load test, the people in it, and their traffic: they enroll and unenroll, one at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.load_test import platform

ORG, NUMBER = "AspectsLoadTest", "Enrollments"
#: Mail to this domain reaches nobody.
EMAIL_DOMAIN = "load-test.invalid"
#: Characters of the run's id that tell the names of one run from those of another.
SHORT = 8


@dataclass(frozen=True)
class Course:
    """A course, and the users who enroll in it."""

    key: CourseKey
    learners: Sequence[Any]


def make_course(run_id: str, prefix: str, num_users: int) -> Course:
    """Make the course of a run, its instructor and its learners, none of whom is enrolled yet.

    Their usernames are ``<prefix><beginning of run_id>_<number>``. Raises platform.AccountRefused.
    """
    short = run_id[:SHORT]

    def account(name: str, **options: bool) -> Any:
        username = f"{prefix}{short}_{name}"
        return platform.create_account(username, f"{username}@{EMAIL_DOMAIN}", f"Load test {short} {name}", **options)

    # The creator of a course must be active.
    instructor = account("instructor", is_active=True)
    # Before the learners: making them takes time, in which the event of the instructor's enrollment arrives.
    key = platform.create_course(instructor, ORG, NUMBER, short, f"Load test {short}")
    return Course(key, [account(str(number)) for number in range(1, num_users + 1)])


class Traffic:
    """Events of one course: each is a learner, chosen at random, who enrolls or, if enrolled, unenrolls.

    ``sent`` counts them. edx-platform makes a tracking event of each.
    """

    def __init__(self, course: Course):
        self.course = course
        self.sent = 0
        self._enrolled: set[int] = set()

    def send(self) -> None:
        """Cause one event. An event that raises does not count."""
        learner = random.choice(self.course.learners)
        enrollment = platform.course_enrollment()
        change = enrollment.unenroll if learner.pk in self._enrolled else enrollment.enroll
        change(learner, self.course.key)
        self._enrolled ^= {learner.pk}
        self.sent += 1
