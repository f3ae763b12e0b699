"""Plain Django signals of the student app."""

from django.dispatch import Signal

# Sent by plain ``send`` with event, user, mode, course_id, cost and currency: a receiver's error breaks the enrollment.
ENROLL_STATUS_CHANGE = Signal()
