"""The CMS for the demo and the services: the layers of a production site."""

from openedx.core.djangoapps.plugins.constants import ProjectType
from openedx.envs.layers import add_site_layers

from .common import *  # noqa: F403

add_site_layers(__name__, ProjectType.CMS)
