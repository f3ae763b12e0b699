"""Registration with Django, for the app's management commands."""

from django.apps import AppConfig


class ContentstoreConfig(AppConfig):
    """Studio's own app, without models here."""

    name = "cms.djangoapps.contentstore"
