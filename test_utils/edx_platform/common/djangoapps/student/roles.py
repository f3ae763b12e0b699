"""Course, organisation and global roles."""

from typing import Any

from common.djangoapps.student.models import CourseAccessRole
from django.contrib.auth.models import User
from opaque_keys.edx.django.models import CourseKeyField
from opaque_keys.edx.keys import CourseKey

# A role includes the rights of these roles.
ACCESS_ROLES_INHERITANCE = {"limited_staff": ("staff",)}


class RoleCache:
    """The roles of one user object, read once: a role given elsewhere is not seen by that object."""

    def __init__(self, user: User) -> None:
        self._roles = {
            (role, row.course_id, row.org)
            for row in CourseAccessRole.objects.filter(user=user)
            for role in (row.role, *ACCESS_ROLES_INHERITANCE.get(row.role, ()))
        }

    def has_role(self, role: str, course_id: CourseKey | None, org: str) -> bool:
        """Tell whether the user has the role, exactly in this course or organisation."""
        return (role, course_id, org) in self._roles


class GlobalStaff:
    """Whoever has ``is_staff``."""

    def has_user(self, user: Any) -> bool:
        """Tell whether the user is global staff."""
        return bool(user and user.is_staff)

    def add_users(self, *users: User) -> None:
        """Make the users global staff."""
        for user in users:
            if user.is_authenticated and user.is_active:
                user.is_staff = True
                user.save()


class _AccessRole:
    """A role stored in CourseAccessRole; subclasses name it in ROLE."""

    ROLE: str

    def __init__(self, org: str = "", course_key: CourseKey | None = None) -> None:
        self.org = org
        self.course_key = course_key

    def has_user(self, user: Any, check_user_activation: bool = True) -> bool:
        """Tell whether the user has the role; inactive and anonymous users have none."""
        if check_user_activation and not (user.is_authenticated and user.is_active):
            return False
        if not hasattr(user, "_roles"):
            user._roles = RoleCache(user)
        return user._roles.has_role(self.ROLE, self.course_key, self.org)

    def add_users(self, *users: User) -> None:
        """Give the users the role; inactive and anonymous users are left out without a word."""
        for user in users:
            if user.is_authenticated and user.is_active:
                CourseAccessRole.objects.get_or_create(user=user, **self._columns())
                vars(user).pop("_roles", None)

    def remove_users(self, *users: User) -> None:
        """Take the role from the users."""
        for user in users:
            CourseAccessRole.objects.filter(user=user, **self._columns()).delete()
            vars(user).pop("_roles", None)

    def _columns(self) -> dict[str, Any]:
        return {"role": self.ROLE, "course_id": self.course_key or CourseKeyField.Empty, "org": self.org}


class _CourseRole(_AccessRole):
    """A role in one course run."""

    def __init__(self, course_key: CourseKey) -> None:
        super().__init__(org=course_key.org, course_key=course_key)


class _OrgRole(_AccessRole):
    """A role in all courses of an organisation."""

    def __init__(self, org: str) -> None:
        super().__init__(org=org)


class CourseStaffRole(_CourseRole):
    """May edit and run the course."""

    ROLE = "staff"


class CourseLimitedStaffRole(CourseStaffRole):
    """Course staff in the LMS, nobody in Studio."""

    ROLE = "limited_staff"


class CourseInstructorRole(_CourseRole):
    """Called "admin" in Studio."""

    ROLE = "instructor"


class CourseDataResearcherRole(_CourseRole):
    """May see the course's data in the LMS."""

    ROLE = "data_researcher"


class CourseBetaTesterRole(_CourseRole):
    """Sees the course early; may see no reports."""

    ROLE = "beta_testers"


class OrgStaffRole(_OrgRole):
    """Course staff in all courses of the organisation."""

    ROLE = "staff"


class OrgInstructorRole(_OrgRole):
    """Instructor in all courses of the organisation."""

    ROLE = "instructor"


class OrgDataResearcherRole(_OrgRole):
    """Data researcher in all courses of the organisation."""

    ROLE = "data_researcher"
