"""Registration with edx-platform: settings, URLs and receivers."""

from __future__ import annotations

from typing import Any, ClassVar

from django.apps import AppConfig
from edx_django_utils.plugins.constants import PluginSettings, PluginURLs

_SETTINGS = {
    kind: {PluginSettings.RELATIVE_PATH: f"settings.{module}"}
    for kind, module in (("common", "common"), ("devstack", "common"), ("production", "production"))
}
_URLS = {PluginURLs.NAMESPACE: "platform_plugin_aspects", PluginURLs.REGEX: "", PluginURLs.RELATIVE_PATH: "urls"}


class PlatformPluginAspectsConfig(AppConfig):
    """The plugin's app, named by the entry points ``lms.djangoapp`` and ``cms.djangoapp``.

    Receivers are connected in ``ready()`` from one table, ``triggers.TRIGGERS``, and not through ``PluginSignals``:
    see docs/decisions/0002.
    """

    name = "platform_plugin_aspects"
    verbose_name = "Aspects"
    default_auto_field = "django.db.models.BigAutoField"

    plugin_app: ClassVar[dict[str, Any]] = {
        PluginSettings.CONFIG: {"lms.djangoapp": _SETTINGS, "cms.djangoapp": _SETTINGS},
        PluginURLs.CONFIG: {"lms.djangoapp": _URLS, "cms.djangoapp": _URLS},
    }

    def ready(self) -> None:
        """Connect the receivers, and register the backend of event-tracking, the system checks and the Celery hooks."""
        from platform_plugin_aspects import tasks  # noqa: F401
        from platform_plugin_aspects.delivery import tracking, triggers
        from platform_plugin_aspects.operations import checks  # noqa: F401

        triggers.connect()
        tracking.register()
