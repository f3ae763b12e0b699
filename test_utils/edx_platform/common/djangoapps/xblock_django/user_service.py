"""Tells XBlocks who the user is."""

from typing import Any

from crum import get_current_request, get_current_user
from lms.djangoapps.courseware.masquerade import setup_masquerade
from lms.djangoapps.instructor.permissions import VIEW_DASHBOARD
from opaque_keys.edx.keys import CourseKey
from xblock.reference.user_service import UserService, XBlockUser


class DjangoXBlockUserService(UserService):
    """Describes a Django user by the attributes that the platform gives to XBlocks."""

    def __init__(self, django_user: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._django_user = django_user

    def get_current_user(self) -> XBlockUser:
        """Return the user; of an anonymous one only that."""
        user, found = self._django_user, XBlockUser(is_current_user=True)
        found.opt_attrs["edx-platform.is_authenticated"] = bool(user and user.is_authenticated)
        if user and user.is_authenticated:
            found.emails = [user.email]
            found.full_name = user.profile.name if hasattr(user, "profile") else None
            found.opt_attrs["edx-platform.user_id"] = user.id
            found.opt_attrs["edx-platform.username"] = user.username
        return found


#: The course of the workbench's blocks.
WORKBENCH_COURSE = CourseKey.from_string("course-v1:edX+Demo+2020")


class WorkbenchUserService(DjangoXBlockUserService):
    """The same in the workbench, for the user who is logged in, whichever student the address names.

    As the LMS does before it shows a block, or calls a handler of one, this looks as whom the user views the course.
    """

    def __init__(self) -> None:
        request, user = get_current_request(), get_current_user()
        if request is not None:
            staff_access = request.user.has_perm(VIEW_DASHBOARD, WORKBENCH_COURSE)
            _masquerade, user = setup_masquerade(request, WORKBENCH_COURSE, staff_access)
        super().__init__(user)
