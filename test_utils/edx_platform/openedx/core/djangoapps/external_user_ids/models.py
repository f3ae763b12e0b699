"""The ids under which other systems know a user."""

import logging
import uuid
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import models
from model_utils.models import TimeStampedModel

log = logging.getLogger(__name__)


class ExternalIdType(TimeStampedModel):
    """A kind of external id."""

    MICROBACHELORS_COACHING = "mb_coaching"
    CALIPER = "caliper"
    XAPI = "xapi"
    LTI = "lti"

    name = models.CharField(max_length=32, blank=False, unique=True, db_index=True)
    description = models.TextField()

    class Meta:
        app_label = "external_user_ids"

    def __str__(self) -> str:
        return self.name


class ExternalId(TimeStampedModel):
    """A user's id of one kind."""

    external_user_id = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    external_id_type = models.ForeignKey(ExternalIdType, db_index=True, on_delete=models.CASCADE)
    user = models.ForeignKey(User, db_index=True, on_delete=models.CASCADE)

    class Meta:
        app_label = "external_user_ids"
        unique_together = (("user", "external_id_type"),)

    def __str__(self) -> str:
        return f"{self.external_id_type_id} of user {self.user_id}"

    @classmethod
    def add_new_user_id(cls, user: User, type_name: str) -> "tuple[ExternalId | None, bool]":
        """Return the user's id of that type and whether it is new; (None, False) for an unknown type."""
        type_ = cls._type(type_name)
        if type_ is None:
            return None, False
        return cls.objects.get_or_create(user=user, external_id_type=type_)

    @classmethod
    def batch_get_or_create_user_ids(cls, users: Iterable[User], type_name: str) -> "dict[int, ExternalId] | None":
        """Return {user id: external id} for the users; None for an unknown type.

        New ids are made by bulk_create: **no post_save is sent for them**.
        """
        type_ = cls._type(type_name)
        if type_ is None:
            return None
        users = list(users)
        known = {row.user_id: row for row in cls.objects.filter(user__in=users, external_id_type=type_)}
        new = cls.objects.bulk_create(
            [cls(user=user, external_id_type=type_) for user in users if user.id not in known]
        )
        return known | {row.user_id: row for row in new}

    @staticmethod
    def _type(name: str) -> ExternalIdType | None:
        type_ = ExternalIdType.objects.filter(name=name).first()
        if type_ is None:
            log.info("There is no external id type %s", name)
        return type_
