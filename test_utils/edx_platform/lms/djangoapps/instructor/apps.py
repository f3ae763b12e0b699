"""Registration with Django."""

from importlib import import_module

from django.apps import AppConfig


class InstructorConfig(AppConfig):
    """The instructor dashboard's permissions; in the LMS only."""

    name = "lms.djangoapps.instructor"
    label = "instructor"

    def ready(self) -> None:
        """Register the permissions."""
        import_module("lms.djangoapps.instructor.permissions")
