"""Signals of the student app."""

from common.djangoapps.student.signals.signals import ENROLL_STATUS_CHANGE  # noqa: F401
