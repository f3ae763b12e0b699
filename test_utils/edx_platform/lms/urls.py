"""The LMS's URLs."""

from edx_django_utils.plugins import get_plugin_url_patterns
from openedx.core.djangoapps.plugins.constants import ProjectType
from openedx.core.lib.urls import common_urlpatterns

urlpatterns = [*common_urlpatterns, *get_plugin_url_patterns(ProjectType.LMS)]
