"""The platform's models of a user beyond Django's auth_user."""

import json
import uuid
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import models
from django.dispatch import receiver
from django_countries.fields import CountryField
from opaque_keys.edx.django.models import CourseKeyField
from openedx.core.djangoapps.user_api.models import hash_for_retirement


class UserProfile(models.Model):
    """A learner's profile. ``meta`` is text holding JSON, the learner's session key among it."""

    GENDER_CHOICES = (("m", "Male"), ("f", "Female"), ("o", "Other/Prefer Not to Say"))
    LEVEL_OF_EDUCATION_CHOICES = (
        ("p", "Doctorate"),
        ("m", "Master's or professional degree"),
        ("b", "Bachelor's degree"),
        ("a", "Associate degree"),
        ("hs", "Secondary/high school"),
        ("jhs", "Junior secondary/junior high/middle school"),
        ("el", "Elementary/primary school"),
        ("none", "No formal education"),
        ("other", "Other education"),
    )

    user = models.OneToOneField(User, unique=True, db_index=True, related_name="profile", on_delete=models.CASCADE)
    name = models.CharField(blank=True, max_length=255, db_index=True)
    meta = models.TextField(blank=True)
    courseware = models.CharField(blank=True, max_length=255, default="course.xml")
    language = models.CharField(blank=True, max_length=255, db_index=True)
    location = models.CharField(blank=True, max_length=255, db_index=True)
    year_of_birth = models.IntegerField(blank=True, null=True, db_index=True)
    gender = models.CharField(blank=True, null=True, max_length=6, db_index=True, choices=GENDER_CHOICES)
    level_of_education = models.CharField(
        blank=True, null=True, max_length=6, db_index=True, choices=LEVEL_OF_EDUCATION_CHOICES
    )
    mailing_address = models.TextField(blank=True, null=True)
    city = models.TextField(blank=True, null=True)
    country = CountryField(blank=True, null=True)
    state = models.CharField(blank=True, null=True, max_length=2)
    goals = models.TextField(blank=True, null=True)
    bio = models.CharField(blank=True, null=True, max_length=3000, db_index=False)
    profile_image_uploaded_at = models.DateTimeField(null=True, blank=True)
    phone_number = models.CharField(blank=True, null=True, max_length=50)

    class Meta:
        app_label = "student"
        db_table = "auth_userprofile"

    def __str__(self) -> str:
        return f"profile of user {self.user_id}"

    def get_meta(self) -> dict[str, Any]:
        """Return ``meta`` as a dict ({} when empty); raise ValueError when it is invalid JSON."""
        return json.loads(self.meta) if self.meta else {}

    def set_meta(self, meta: dict[str, Any]) -> None:
        """Put the dict into ``meta``, without saving."""
        self.meta = json.dumps(meta)

    def set_login_session(self, session_id: str | None = None) -> None:
        """End the learner's earlier session, write the new session key into ``meta`` and save the profile."""
        meta = self.get_meta()
        earlier = meta.get("session_id")
        if earlier:
            import_module(settings.SESSION_ENGINE).SessionStore(session_key=earlier).delete()
        meta["session_id"] = session_id
        self.set_meta(meta)
        self.save()


@receiver(user_logged_in)
@receiver(user_logged_out)
def enforce_single_login(sender: Any, request: Any, user: User | None, signal: Any, **kwargs: Any) -> None:
    """Note the session key at login and forget it at logout, when PREVENT_CONCURRENT_LOGINS is on."""
    if not settings.FEATURES.get("PREVENT_CONCURRENT_LOGINS") or user is None:
        return
    session_key = request.session.session_key if signal is user_logged_in else None
    profile, _ = UserProfile.objects.get_or_create(user=user, defaults={"name": user.username})
    profile.set_login_session(session_key)


class Registration(models.Model):
    """The key with which a new user confirms the email address."""

    user = models.OneToOneField(User, on_delete=models.CASCADE)
    activation_key = models.CharField(max_length=32, unique=True, db_index=True)

    class Meta:
        app_label = "student"
        db_table = "auth_registration"

    def __str__(self) -> str:
        return f"registration of user {self.user_id}"

    def register(self, user: User) -> None:
        """Make a key for the user."""
        self.activation_key = uuid.uuid4().hex
        self.user = user
        self.save()


class CourseAccessRole(models.Model):
    """A role of a user in a course, in an organisation (no course) or everywhere (neither)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    org = models.CharField(max_length=64, db_index=True, blank=True)
    course_id = CourseKeyField(max_length=255, db_index=True, blank=True)
    role = models.CharField(max_length=64, db_index=True)

    class Meta:
        app_label = "student"
        unique_together = ("user", "org", "course_id", "role")

    def __str__(self) -> str:
        return f"{self.role} of user {self.user_id} in {self.course_id or self.org or 'everything'}"


def get_potentially_retired_user_by_username(username: str) -> User:
    """Return the user who has this username, or had it before the retirement; raise DoesNotExist when nobody has.

    Retired usernames are made without regard to case, so that two retired users may have had nearly the same one.
    """
    retired = settings.RETIRED_USERNAME_FMT.format(hash_for_retirement(username))
    found = list(User.objects.filter(username__in=[retired, username]))
    if not found:
        raise User.DoesNotExist
    exact = [user for user in found if user.username == username]
    return (exact or found)[0]
