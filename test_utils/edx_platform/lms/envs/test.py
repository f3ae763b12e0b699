"""The LMS for pytest."""

from openedx.core.djangoapps.plugins.constants import ProjectType
from openedx.envs.layers import add_test_layers

from .common import *  # noqa: F403

add_test_layers(__name__, ProjectType.LMS)
