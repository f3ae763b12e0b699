"""Registration with Django."""

from django.apps import AppConfig


class CCXConfig(AppConfig):
    """Custom courses: runs of a master course for a coach's learners."""

    name = "lms.djangoapps.ccx"
    label = "ccx"
