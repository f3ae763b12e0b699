"""The people of the boards under Aspects' UUIDs, in the platform's database."""

from __future__ import annotations

from collections.abc import Mapping

from common.djangoapps.student.roles import CourseStaffRole
from django.contrib.auth.models import User
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.user_api.models import UserPreference

from test_utils.factories import make_course, make_enrollment, make_user

from .site import COURSE, COURSES, LEARNER, TEAM


def enroll(passwords: Mapping[str, str]) -> None:
    """Make courses, learners and the course team."""
    for course, (prefix, modes) in COURSES.items():
        key = make_course(course)
        names = iter(range(sum(modes.values())))
        for mode, number in modes.items():
            for _ in range(number):
                make_enrollment(make_user(f"{prefix}_{next(names)}"), key, mode=mode)
    for name, language in TEAM.items():
        member = make_user(name)
        CourseStaffRole(CourseKey.from_string(COURSE)).add_users(member)
        UserPreference.objects.create(user=member, key="pref-lang", value=language)
    for user in User.objects.filter(username__in=[*TEAM, LEARNER]):
        user.set_password(passwords[user.username])
        user.save()
