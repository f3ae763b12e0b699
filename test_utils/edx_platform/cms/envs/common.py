"""The CMS: what every CMS has, then the plugins' apps and common settings."""

from edx_django_utils.plugins import add_plugins, get_plugin_apps
from openedx.core.djangoapps.plugins.constants import ProjectType, SettingsType
from openedx.envs.common import *  # noqa: F403

SERVICE_VARIANT = "cms"
ROOT_URLCONF = "cms.urls"
WSGI_APPLICATION = "cms.wsgi.application"
MODULESTORE_BRANCH = "draft-preferred"
CELERY_TASK_DEFAULT_QUEUE = "edx.cms.core.default"

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "cms.djangoapps.contentstore.apps.ContentstoreConfig",
    *get_plugin_apps(ProjectType.CMS),
]

add_plugins(__name__, ProjectType.CMS, SettingsType.COMMON)
