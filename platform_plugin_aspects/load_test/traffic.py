"""The traffic of a load test: people enroll and unenroll, one at a time."""

from __future__ import annotations

import random

from platform_plugin_aspects.load_test import platform
from platform_plugin_aspects.load_test.people import Course


class Traffic:
    """Events of one course: each is a learner, chosen at random, who enrolls or, if enrolled, unenrolls.

    ``sent`` counts them. edx-platform makes a tracking event of each.
    """

    def __init__(self, course: Course):
        self.course = course
        self.sent = 0
        self._enrolled: set[int] = set()

    def send(self) -> None:
        """Make one event happen; what edx-platform raises is raised, and the event does not count."""
        learner = random.choice(self.course.learners)
        if learner.pk in self._enrolled:
            platform.unenroll(learner, self.course.key)
        else:
            platform.enroll(learner, self.course.key)
        self._enrolled ^= {learner.pk}
        self.sent += 1
