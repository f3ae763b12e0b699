"""The LMS's URLs."""

from django.urls import include, path, re_path
from edx_django_utils.plugins import get_plugin_url_patterns
from lms.djangoapps.courseware.masquerade import MasqueradeView
from lms.djangoapps.instructor.views.api_v2 import CourseMetadataView
from lms.djangoapps.instructor.views.instructor_dashboard import instructor_dashboard_2
from openedx.core.djangoapps.plugins.constants import ProjectType
from openedx.core.lib.urls import common_urlpatterns
from workbench.urls import urlpatterns as workbench_urlpatterns

COURSE = r"(?P<course_id>[^/+]+(/|\+)[^/+]+(/|\+)[^/?]+)"

urlpatterns = [
    *common_urlpatterns,
    re_path(rf"^courses/{COURSE}/instructor$", instructor_dashboard_2, name="instructor_dashboard"),
    re_path(rf"^courses/{COURSE}/masquerade$", MasqueradeView.as_view(), name="masquerade_update"),
    re_path(rf"^api/instructor/v2/courses/{COURSE}$", CourseMetadataView.as_view(), name="course_metadata"),
    # The workbench's URLs include the admin's, which are listed above.
    path("workbench/", include([found for found in workbench_urlpatterns if str(found.pattern) != "^admin/"])),
    *get_plugin_url_patterns(ProjectType.LMS),
]
