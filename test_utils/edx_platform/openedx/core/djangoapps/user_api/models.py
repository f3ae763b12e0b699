"""Preferences of users, and how far the retirement of a user has come."""

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.crypto import salted_hmac
from model_utils.models import TimeStampedModel


class UserPreference(models.Model):
    """A user's preference, for example ``pref-lang``."""

    user = models.ForeignKey(User, db_index=True, related_name="preferences", on_delete=models.CASCADE)
    key = models.CharField(max_length=255, db_index=True)
    value = models.TextField()

    class Meta:
        app_label = "user_api"
        unique_together = ("user", "key")

    def __str__(self) -> str:
        return f"{self.key} of user {self.user_id}"

    @classmethod
    def get_value(cls, user: User, preference_key: str, default: str | None = None) -> str | None:
        """Return the preference's value, or the default."""
        row = cls.objects.filter(user=user, key=preference_key).first()
        return default if row is None else row.value


class RetirementStateError(Exception):
    """A retirement cannot go from its state to the one asked for."""


class RetirementState(models.Model):
    """A station on the way of a retirement."""

    state_name = models.CharField(max_length=30, unique=True)
    state_execution_order = models.SmallIntegerField(unique=True)
    is_dead_end_state = models.BooleanField(default=False, db_index=True)
    required = models.BooleanField(default=False)

    class Meta:
        app_label = "user_api"
        ordering = ("state_execution_order",)

    def __str__(self) -> str:
        return self.state_name


class UserRetirementRequest(TimeStampedModel):
    """One row per user who asked to be deleted. It stays, unless the retirement is cancelled while it is PENDING."""

    user = models.OneToOneField(User, on_delete=models.CASCADE)

    class Meta:
        app_label = "user_api"

    def __str__(self) -> str:
        return f"user {self.user_id} asked to be deleted"

    @classmethod
    def has_user_requested_retirement(cls, user: User) -> bool:
        """Tell whether the user asked to be deleted."""
        return cls.objects.filter(user=user).exists()


class UserRetirementStatus(TimeStampedModel):
    """One row per user who is being retired. The platform's clean-up deletes it some weeks after the end."""

    user = models.OneToOneField(User, on_delete=models.CASCADE)
    original_username = models.CharField(max_length=150, db_index=True)
    original_email = models.EmailField(db_index=True)
    original_name = models.CharField(max_length=255, blank=True, db_index=True)
    retired_username = models.CharField(max_length=150, db_index=True)
    retired_email = models.EmailField(db_index=True)
    current_state = models.ForeignKey(RetirementState, related_name="current_state", on_delete=models.CASCADE)
    last_state = models.ForeignKey(RetirementState, related_name="last_state", on_delete=models.CASCADE)
    responses = models.TextField()

    class Meta:
        app_label = "user_api"
        verbose_name = "User Retirement Status"
        verbose_name_plural = "User Retirement Statuses"

    def __str__(self) -> str:
        return f"user {self.user_id}: {self.current_state_id}"

    @classmethod
    def create_retirement(cls, user: User) -> "UserRetirementStatus":
        """Begin the user's retirement; raise RetirementStateError when the states were never populated."""
        pending = RetirementState.objects.order_by("state_execution_order").first()
        if pending is None:
            raise RetirementStateError("There are no retirement states; populate RETIREMENT_STATES first")
        UserRetirementRequest.objects.create(user=user)
        # Not the username itself: the retired names must not give the original away.
        retired = hash_for_retirement(user.username)
        return cls.objects.create(
            user=user,
            original_username=user.username,
            original_email=user.email,
            original_name=user.profile.name,
            retired_username=settings.RETIRED_USERNAME_FMT.format(retired),
            retired_email=settings.RETIRED_EMAIL_FMT.format(retired),
            current_state=pending,
            last_state=pending,
            responses=f"Created in state {pending.state_name}",
        )

    def update_state(self, state_name: str) -> None:
        """Go on to the state; raise RetirementStateError from a dead end or to an unknown state."""
        if self.current_state.is_dead_end_state:
            raise RetirementStateError(f"User {self.user_id} is in the dead-end state {self.current_state.state_name}")
        state = RetirementState.objects.filter(state_name=state_name).first()
        if state is None:
            raise RetirementStateError(f"There is no retirement state {state_name}")
        self.last_state, self.current_state = self.current_state, state
        self.responses += f"\nMoved to {state_name}"
        self.save()


@receiver(post_delete, sender=UserRetirementStatus)
def forget_pending_request(sender: type, instance: UserRetirementStatus, **kwargs: object) -> None:
    """Delete the request with a retirement that is cancelled while PENDING, and in no other case."""
    if instance.current_state.state_name == "PENDING":
        UserRetirementRequest.objects.filter(user_id=instance.user_id).delete()


def hash_for_retirement(text: str) -> str:
    """Return a salted hash of the text, case ignored, as 40 hex digits."""
    return salted_hmac("retirement", text.lower()).hexdigest()
