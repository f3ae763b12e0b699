"""The form behind every registration."""

import re
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.core.validators import RegexValidator, slug_re

USERNAME_LENGTHS = {"min_length": 2, "max_length": 30}
EMAIL_LENGTHS = {"min_length": 3, "max_length": 254}
NAME_LENGTHS = {"min_length": 1, "max_length": 255}


class AccountCreationForm(forms.Form):
    """Requirements for a new account. The database finds out later whether a username is taken."""

    username = forms.CharField(validators=[RegexValidator(slug_re)], **USERNAME_LENGTHS)
    email = forms.EmailField(**EMAIL_LENGTHS)
    password = forms.CharField()
    name = forms.CharField(
        validators=[RegexValidator("[<>]|://", inverse_match=True, message="Enter a valid name")], **NAME_LENGTHS
    )

    def __init__(self, data: dict[str, str] | None = None, tos_required: bool = True, **kwargs: Any) -> None:
        super().__init__(data)
        if tos_required:
            self.fields["terms_of_service"] = forms.BooleanField()

    def clean_email(self) -> str:
        """Refuse what the site does not allow, and what is taken."""
        email = self.cleaned_data["email"]
        allowed = settings.REGISTRATION_EMAIL_PATTERNS_ALLOWED
        if allowed is not None and not any(re.match(f"{pattern}$", email) for pattern in allowed):
            raise forms.ValidationError("Unauthorized email address.")
        if User.objects.filter(email=email).exists():
            raise forms.ValidationError(f"It looks like {email} belongs to an existing account.")
        return email
