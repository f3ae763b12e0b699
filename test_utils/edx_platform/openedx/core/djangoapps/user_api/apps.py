"""Registration with Django."""

from django.apps import AppConfig


class UserApiConfig(AppConfig):
    """Preferences and retirement."""

    name = "openedx.core.djangoapps.user_api"
    label = "user_api"
