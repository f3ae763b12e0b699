"""The platform's own plugin app: connects the receivers that plugins declare."""

from django.apps import AppConfig
from django.conf import settings
from edx_django_utils.plugins import connect_plugin_receivers
from openedx.core.djangoapps.plugins.constants import ProjectType


class PluginsConfig(AppConfig):
    """Connects plugin receivers once all models are loaded."""

    name = "openedx.core.djangoapps.plugins"

    def ready(self) -> None:
        """Connect the receivers of this service's plugins."""
        connect_plugin_receivers(ProjectType.LMS if settings.SERVICE_VARIANT == "lms" else ProjectType.CMS)
