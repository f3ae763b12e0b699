"""Enrollments, and the signals and events their changes send."""

import logging
from typing import Any

from common.djangoapps.student.signals import ENROLL_STATUS_CHANGE
from common.djangoapps.track import contexts
from django.contrib.auth.models import User
from django.db import models
from eventtracking import tracker
from opaque_keys.edx.keys import CourseKey
from openedx.core.djangoapps.content.course_overviews.models import CourseOverview
from openedx_events.learning.data import CourseData, CourseEnrollmentData, UserData, UserPersonalData
from openedx_events.learning.signals import (
    COURSE_ENROLLMENT_CHANGED,
    COURSE_ENROLLMENT_CREATED,
    COURSE_UNENROLLMENT_COMPLETED,
)
from openedx_filters.learning.filters import CourseEnrollmentStarted, CourseUnenrollmentStarted

log = logging.getLogger(__name__)

DEFAULT_MODE = "audit"

EVENT_NAME_ENROLLMENT_ACTIVATED = "edx.course.enrollment.activated"
EVENT_NAME_ENROLLMENT_DEACTIVATED = "edx.course.enrollment.deactivated"
EVENT_NAME_ENROLLMENT_MODE_CHANGED = "edx.course.enrollment.mode_changed"


class EnrollStatusChange:
    """Values of ``event`` in ENROLL_STATUS_CHANGE."""

    enroll = "enroll"
    unenroll = "unenroll"


class EnrollmentNotAllowed(Exception):
    """A step of openedx-filters refused an enrollment."""


class UnenrollmentNotAllowed(Exception):
    """A step of openedx-filters refused the end of an enrollment."""


class CourseEnrollment(models.Model):
    """A learner's enrollment in a course run. The course's overview may not exist."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    course = models.ForeignKey(CourseOverview, db_constraint=False, on_delete=models.DO_NOTHING)
    created = models.DateTimeField(auto_now_add=True, null=True, db_index=True)
    is_active = models.BooleanField(default=True)
    mode = models.CharField(default=DEFAULT_MODE, max_length=100)

    class Meta:
        app_label = "student"
        unique_together = (("user", "course"),)
        ordering = ("user", "course")

    def __str__(self) -> str:
        return f"user {self.user_id} in {self.course_id}: {self.mode}, active={self.is_active}"

    @classmethod
    def get_enrollment(cls, user: User, course_key: CourseKey) -> "CourseEnrollment | None":
        """Return the enrollment, active or not, or None."""
        return cls.objects.filter(user=user, course_id=course_key).first()

    @classmethod
    def is_enrolled(cls, user: User, course_key: CourseKey) -> bool:
        """Tell whether the user is actively enrolled."""
        return cls.objects.filter(user=user, course_id=course_key, is_active=True).exists()

    @classmethod
    def get_or_create_enrollment(cls, user: User, course_key: CourseKey) -> "CourseEnrollment":
        """Return the enrollment; a new one is inactive and announced to nobody."""
        return cls.objects.get_or_create(
            user=user, course_id=course_key, defaults={"mode": DEFAULT_MODE, "is_active": False}
        )[0]

    @classmethod
    def enroll(
        cls,
        user: User,
        course_key: CourseKey,
        mode: str | None = None,
        check_access: bool = False,
        **kwargs: Any,
    ) -> "CourseEnrollment":
        """Enroll the user, or activate an enrollment that is there.

        Sends COURSE_ENROLLMENT_CHANGED if that changed anything, then ENROLL_STATUS_CHANGE and
        COURSE_ENROLLMENT_CREATED, both always: also for a row that was there. Raises EnrollmentNotAllowed when a step
        of openedx-filters refuses.
        """
        try:
            user, course_key, mode = CourseEnrollmentStarted.run_filter(
                user=user, course_key=course_key, mode=mode or DEFAULT_MODE
            )
        except CourseEnrollmentStarted.PreventEnrollment as refusal:
            raise EnrollmentNotAllowed(str(refusal)) from refusal
        enrollment = cls.get_or_create_enrollment(user, course_key)
        enrollment.update_enrollment(mode=mode, is_active=True)
        enrollment.send_signal(EnrollStatusChange.enroll)
        COURSE_ENROLLMENT_CREATED.send_event(enrollment=enrollment._event_data())
        return enrollment

    @classmethod
    def unenroll(cls, user: User, course_id: CourseKey, skip_refund: bool = False) -> None:
        """End the user's enrollment; without one, log and do nothing."""
        enrollment = cls.get_enrollment(user, course_id)
        if enrollment is None:
            log.error("Tried to unenroll user %s from %s, where there is no enrollment", user.id, course_id)
            return
        enrollment.update_enrollment(is_active=False, skip_refund=skip_refund)

    def activate(self) -> None:
        """Make the enrollment active. ENROLL_STATUS_CHANGE is not sent."""
        self.update_enrollment(is_active=True)

    def deactivate(self) -> None:
        """Make the enrollment inactive, exactly as unenroll() does."""
        self.update_enrollment(is_active=False)

    def change_mode(self, mode: str) -> None:
        """Change the mode, for example from audit to verified. ENROLL_STATUS_CHANGE is not sent."""
        self.update_enrollment(mode=mode)

    def update_enrollment(
        self, mode: str | None = None, is_active: bool | None = None, skip_refund: bool = False, **kwargs: Any
    ) -> None:
        """Set what is given, save if that is a change, and announce it.

        Any change sends COURSE_ENROLLMENT_CHANGED; becoming inactive sends ENROLL_STATUS_CHANGE and then
        COURSE_UNENROLLMENT_COMPLETED besides. Tracking events tell of each. Raises UnenrollmentNotAllowed when a step
        of openedx-filters refuses.
        """
        activation_changed = is_active is not None and self.is_active != is_active
        if activation_changed and not is_active:
            try:
                CourseUnenrollmentStarted.run_filter(enrollment=self)
            except CourseUnenrollmentStarted.PreventUnenrollment as refusal:
                raise UnenrollmentNotAllowed(str(refusal)) from refusal
        mode_changed = mode is not None and self.mode != mode
        if activation_changed:
            self.is_active = is_active
        if mode_changed:
            self.mode = mode
        if activation_changed or mode_changed:
            self.save()
            COURSE_ENROLLMENT_CHANGED.send_event(enrollment=self._event_data())
        if activation_changed and self.is_active:
            self.emit_event(EVENT_NAME_ENROLLMENT_ACTIVATED)
        if activation_changed and not self.is_active:
            self.send_signal(EnrollStatusChange.unenroll)
            COURSE_UNENROLLMENT_COMPLETED.send_event(enrollment=self._event_data())
            self.emit_event(EVENT_NAME_ENROLLMENT_DEACTIVATED)
        if mode_changed:
            self.emit_event(EVENT_NAME_ENROLLMENT_MODE_CHANGED)

    def emit_event(self, event_name: str) -> None:
        """Emit a tracking event of the enrollment; errors are logged only."""
        try:
            data = {"user_id": self.user_id, "course_id": str(self.course_id), "mode": self.mode}
            with tracker.get_tracker().context(event_name, contexts.course_context_from_course_id(self.course_id)):
                tracker.emit(event_name, data)
        except Exception:
            log.exception("Unable to emit event %s for user %s and course %s", event_name, self.user_id, self.course_id)

    def send_signal(self, event: str, cost: Any = None, currency: Any = None) -> None:
        """Send ENROLL_STATUS_CHANGE, plainly: an error in a receiver is an error here."""
        ENROLL_STATUS_CHANGE.send(
            sender=None,
            event=event,
            user=self.user,
            mode=self.mode,
            course_id=self.course_id,
            cost=cost,
            currency=currency,
        )

    def _event_data(self) -> CourseEnrollmentData:
        try:
            course = CourseData(course_key=self.course_id, display_name=self.course.display_name)
        except CourseOverview.DoesNotExist:
            course = CourseData(course_key=self.course_id)
        return CourseEnrollmentData(
            user=UserData(
                pii=UserPersonalData(username=self.user.username, email=self.user.email, name=self.user.profile.name),
                id=self.user.id,
                is_active=self.user.is_active,
            ),
            course=course,
            mode=self.mode,
            is_active=self.is_active,
            creation_date=self.created,
        )
