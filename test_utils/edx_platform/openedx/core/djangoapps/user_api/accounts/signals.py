"""Signals of a retirement."""

from django.dispatch import Signal

# Sent with user, from the retire_misc step, while the user and the profile are still as they were.
USER_RETIRE_LMS_MISC = Signal()
