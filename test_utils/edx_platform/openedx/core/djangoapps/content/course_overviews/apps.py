"""Registration with Django."""

from importlib import import_module

from django.apps import AppConfig


class CourseOverviewsConfig(AppConfig):
    """The platform's copies of course data in the database."""

    name = "openedx.core.djangoapps.content.course_overviews"
    label = "course_overviews"

    def ready(self) -> None:
        """Follow the modulestore."""
        import_module("openedx.core.djangoapps.content.course_overviews.signals")
