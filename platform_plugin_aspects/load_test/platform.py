"""The load test's door to edx-platform: courses, accounts and enrollments, made as the platform makes them.

Everything is imported when it is used, as in ``edx_platform``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils.module_loading import import_string
from opaque_keys.edx.keys import CourseKey

CREATE_COURSE = "cms.djangoapps.contentstore.views.course.create_new_course_in_store"


class AccountRefused(Exception):
    """The platform refuses these ``fields`` of an account; without fields, it refuses to make any account."""

    def __init__(self, fields: Iterable[str] = ()):
        self.fields = sorted(fields)
        super().__init__(f"edx-platform refuses the {' and '.join(self.fields) or 'making'} of an account")


def is_studio() -> bool:
    """Whether this is Studio, where courses are made."""
    # First, because importing Studio's views in the LMS can raise anything.
    if getattr(settings, "SERVICE_VARIANT", "") != "cms":
        return False
    try:
        import_string(CREATE_COURSE)
    except ImportError:
        return False
    return True


def create_course(instructor: Any, org: str, number: str, run: str, display_name: str) -> CourseKey:
    """Make an empty course and publish it, as Studio does; the instructor, who must be active, is enrolled too."""
    store = import_string("xmodule.modulestore.ModuleStoreEnum").Type.split
    course = import_string(CREATE_COURSE)(store, instructor, org, number, run, {"display_name": display_name})
    key: CourseKey = course.id
    return key


def create_account(username: str, email: str, name: str, *, is_active: bool = False) -> Any:
    """Make a user with a profile, as a registration does, who cannot log in; AccountRefused if that is not allowed."""
    form_class = import_string("openedx.core.djangoapps.user_authn.views.registration_form.AccountCreationForm")
    do_create_account = import_string("common.djangoapps.student.helpers.do_create_account")
    taken = import_string("common.djangoapps.student.helpers.AccountValidationError")
    data = {"username": username, "email": email, "name": name, "password": secrets.token_urlsafe()}
    try:
        user, _profile, _registration = do_create_account(form_class(data=data, tos_required=False))
    except PermissionDenied:
        raise AccountRefused from None
    except ValidationError as error:
        raise AccountRefused(error.error_dict) from None
    except taken as error:
        raise AccountRefused([error.field]) from None
    user.set_unusable_password()
    user.is_active = is_active
    user.save()
    return user


def set_enrollment(user: Any, course_key: CourseKey, mode: str, is_active: bool, created: datetime) -> None:
    """Save the enrollment as it is to be, as Django's admin does: no tracking event and no Open edX event is sent."""
    model = course_enrollment()
    enrollment = model.objects.filter(user=user, course_id=course_key).first() or model(user=user, course_id=course_key)
    enrollment.mode, enrollment.is_active = mode, is_active
    if enrollment.pk is None:
        enrollment.save()
    enrollment.created = created
    enrollment.save()


def course_enrollment() -> Any:
    """The model whose ``enroll`` and ``unenroll`` send all that an enrollment and its end send."""
    return import_string("common.djangoapps.student.models.CourseEnrollment")
