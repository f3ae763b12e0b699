"""Tells XBlocks who the user is."""

from typing import Any

from crum import get_current_user
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


class WorkbenchUserService(DjangoXBlockUserService):
    """The same in the workbench, for the user who is logged in, whichever student the address names."""

    def __init__(self) -> None:
        super().__init__(get_current_user())
