"""The LMS: what every LMS has, then the plugins' apps and common settings."""

from edx_django_utils.plugins import add_plugins, get_plugin_apps
from openedx.core.djangoapps.plugins.constants import ProjectType, SettingsType
from openedx.envs.common import *  # noqa: F403

SERVICE_VARIANT = "lms"
ROOT_URLCONF = "lms.urls"
WSGI_APPLICATION = "lms.wsgi.application"
MODULESTORE_BRANCH = "published-only"
CELERY_TASK_DEFAULT_QUEUE = "edx.lms.core.default"

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "lms.djangoapps.instructor.apps.InstructorConfig",
    *get_plugin_apps(ProjectType.LMS),
]

add_plugins(__name__, ProjectType.LMS, SettingsType.COMMON)
