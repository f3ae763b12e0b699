"""Models of the student app."""

from common.djangoapps.student.models.course_enrollment import (  # noqa: F401
    CourseEnrollment,
    EnrollmentNotAllowed,
    EnrollStatusChange,
    UnenrollmentNotAllowed,
)
from common.djangoapps.student.models.user import (  # noqa: F401
    CourseAccessRole,
    Registration,
    UserProfile,
    get_potentially_retired_user_by_username,
)
