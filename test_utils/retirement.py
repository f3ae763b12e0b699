"""The retirement of a learner, step by step, in the order in which the platform's pipeline does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from common.djangoapps.student.models import CourseEnrollment
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from openedx.core.djangoapps.user_api.accounts.signals import USER_RETIRE_LMS_MISC
from openedx.core.djangoapps.user_api.models import RetirementState, UserRetirementStatus

DEAD_ENDS = ("ERRORED", "ABORTED", "COMPLETE")

# Some columns stay, as they do on the platform: level_of_education, goals, state.
CLEARED_PROFILE = {
    **dict.fromkeys(("name", "meta", "location"), ""),
    **dict.fromkeys(("year_of_birth", "gender", "mailing_address", "city", "country", "bio", "phone_number"), None),
}


def populate_retirement_states() -> None:
    """Make the missing rows of RETIREMENT_STATES, as the platform does by a management command."""
    for order, name in enumerate(settings.RETIREMENT_STATES, start=1):
        RetirementState.objects.get_or_create(
            state_name=name,
            defaults={
                "state_execution_order": order,
                "is_dead_end_state": name in DEAD_ENDS,
                "required": name in ("PENDING", *DEAD_ENDS),
            },
        )


def request_retirement(user: User) -> None:
    """The learner asks to be deleted: there are a UserRetirementRequest and a UserRetirementStatus from now on.

    Nobody can log in. The e-mail is the retired one from now on, the username is not.
    """
    populate_retirement_states()
    status = UserRetirementStatus.create_retirement(user)
    user.email = status.retired_email
    user.set_unusable_password()
    user.save()


def cancel_retirement(user: User) -> None:
    """The learner thinks better of it in time: the retirement, still PENDING, is as if it had never been asked for."""
    status = UserRetirementStatus.objects.get(user=user)
    if status.current_state.state_name != "PENDING":
        raise ValueError(f"The retirement of user {user.pk} is {status.current_state.state_name}, no longer PENDING")
    user.email = status.original_email
    user.save()
    status.delete()


def clean_up() -> None:
    """The platform's clean-up weeks after the last step: delete the statuses of complete retirements."""
    UserRetirementStatus.objects.filter(current_state__state_name="COMPLETE").delete()


def elsewhere(user: User) -> None:
    """A step of another service: nothing happens here."""


def retire_misc(user: User) -> None:
    """Send USER_RETIRE_LMS_MISC, plainly, while the user and the profile are still as they were."""
    USER_RETIRE_LMS_MISC.send(sender=retire_misc, user=user)


def unenroll(user: User) -> None:
    """End all active enrollments, each with its signals and events."""
    for enrollment in CourseEnrollment.objects.filter(user=user, is_active=True):
        CourseEnrollment.unenroll(user, enrollment.course_id, skip_refund=True)


def clear_profile(user: User) -> None:
    """Clear the profile and save it: the user has the original username still."""
    for name, value in CLEARED_PROFILE.items():
        setattr(user.profile, name, value)
    user.profile.save()


def rename_user(user: User) -> None:
    """Give the user the retired username and email."""
    status = UserRetirementStatus.objects.get(user=user)
    user.username, user.email = status.retired_username, status.retired_email
    user.first_name = user.last_name = ""
    user.is_active = False
    user.save()


# (name, what is done, the state reached by it)
STEPS: tuple[tuple[str, Callable[[User], None], str], ...] = (
    ("request", request_retirement, "PENDING"),
    ("forums", elsewhere, "FORUMS_COMPLETE"),
    ("retire_misc", retire_misc, "LMS_MISC_COMPLETE"),
    ("unenroll", unenroll, "ENROLLMENTS_COMPLETE"),
    ("clear_profile", clear_profile, "RETIRING_LMS"),
    ("rename_user", rename_user, "LMS_COMPLETE"),
    ("complete", elsewhere, "COMPLETE"),
)


def retirement_steps(user: User) -> Iterator[str]:
    """Retire the learner, yielding the name of each step once it is done and committed.

    The names are those in STEPS. Each step is a transaction of its own, as it is a request of its own on the
    platform; there, though, clear_profile and rename_user share one request: here a test can stop between
    the two.
    """
    for name, step, state in STEPS:
        with transaction.atomic():
            step(user)
            UserRetirementStatus.objects.get(user=user).update_state(state)
        yield name


def retire(user: User) -> None:
    """Retire the learner, all steps."""
    for _ in retirement_steps(user):
        pass
