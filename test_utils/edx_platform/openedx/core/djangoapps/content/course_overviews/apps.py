"""Registration with Django."""

from importlib import import_module

from django.apps import AppConfig


class CourseOverviewsConfig(AppConfig):
    """What the platform keeps of a course in the database."""

    name = "openedx.core.djangoapps.content.course_overviews"
    label = "course_overviews"

    def ready(self) -> None:
        """Follow the modulestore."""
        import_module("openedx.core.djangoapps.content.course_overviews.signals")
