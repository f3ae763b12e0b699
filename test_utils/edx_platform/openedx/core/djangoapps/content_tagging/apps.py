"""Registration with Django."""

from django.apps import AppConfig


class ContentTaggingConfig(AppConfig):
    """Tags on courses and blocks."""

    name = "openedx.core.djangoapps.content_tagging"
    label = "content_tagging"
