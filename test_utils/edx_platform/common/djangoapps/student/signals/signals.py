"""Plain Django signals of the student app."""

from django.dispatch import Signal

# Sent by plain ``send`` with event, user, mode, course_id, cost and currency: an error in a receiver breaks
# the enrollment.
ENROLL_STATUS_CHANGE = Signal()
