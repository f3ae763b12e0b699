"""Registration with Django."""

from django.apps import AppConfig


class SplitModulestoreDjangoBackendAppConfig(AppConfig):
    """Which version of each course is the published one."""

    name = "common.djangoapps.split_modulestore_django"
    label = "split_modulestore_django"
