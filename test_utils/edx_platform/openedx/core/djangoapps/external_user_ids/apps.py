"""Registration with Django."""

from django.apps import AppConfig


class ExternalUserIDConfig(AppConfig):
    """The ids under which other systems know a user."""

    name = "openedx.core.djangoapps.external_user_ids"
    label = "external_user_ids"
