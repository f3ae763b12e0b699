"""Making accounts."""

from typing import Any

from common.djangoapps.student.models import Registration, UserProfile
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

PROFILE_FIELDS = (
    "name",
    "level_of_education",
    "gender",
    "mailing_address",
    "city",
    "country",
    "goals",
    "year_of_birth",
)


class AccountValidationError(Exception):
    """Somebody else has what ``field`` says."""

    def __init__(self, message: str, field: str, error_code: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.error_code = error_code


def do_create_account(form: Any, custom_form: Any = None) -> tuple[User, UserProfile, Registration]:
    """Make a user, inactive, with a profile and a registration.

    Raises PermissionDenied where nobody may register, ValidationError for what the form refuses (an email address that
    is taken among it), AccountValidationError for a username that is taken.
    """
    if not settings.FEATURES.get("ALLOW_PUBLIC_ACCOUNT_CREATION", True):
        raise PermissionDenied
    if form.errors:
        raise ValidationError(form.errors)
    user = User(username=form.cleaned_data["username"], email=form.cleaned_data["email"], is_active=False)
    user.set_password(form.cleaned_data["password"])
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        for field in ("username", "email"):
            if User.objects.filter(**{field: getattr(user, field)}).exists():
                raise AccountValidationError(f"There is an account with this {field}", field=field) from None
        raise
    registration = Registration()
    registration.register(user)
    profile = UserProfile(user=user, **{name: form.cleaned_data.get(name) for name in PROFILE_FIELDS})
    profile.save()
    return user, profile, registration
