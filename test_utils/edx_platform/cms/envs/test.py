"""The CMS for pytest."""

from edx_django_utils.plugins import add_plugins
from openedx.core.djangoapps.plugins.constants import ProjectType, SettingsType
from openedx.envs.test import *  # noqa: F403  (after common: it overrides)

from .common import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, *CUSTOM_COURSES_APPS]  # noqa: F405

add_plugins(__name__, ProjectType.CMS, SettingsType.TEST)
