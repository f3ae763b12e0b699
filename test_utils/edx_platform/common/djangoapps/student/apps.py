"""Registration with Django."""

from django.apps import AppConfig


class StudentConfig(AppConfig):
    """Profiles, enrollments and course roles."""

    name = "common.djangoapps.student"
    label = "student"
