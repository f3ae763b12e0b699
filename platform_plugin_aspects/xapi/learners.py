"""The learners of a batch of events: one query for all of them, where ERB makes three or four for each."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from django.db import DataError, IntegrityError

from platform_plugin_aspects import edx_platform
from platform_plugin_aspects.errors import PLATFORM_FAULTS, where_raised
from platform_plugin_aspects.xapi.addresses import has_addresses

#: The longest username of the platform, and its largest user id.
USERNAME_LENGTH, LARGEST_ID = 150, 2**31 - 1
#: Errors by which a database refuses one row; others of PLATFORM_FAULTS concern all rows.
OF_ONE_ROW: tuple[type[Exception], ...] = (IntegrityError, DataError)


class UnknownLearner(ValueError):
    """No account is behind what an event says of its learner."""

    def __init__(self) -> None:
        super().__init__("the platform has no account of its learner")


class NoLearner(ValueError):
    """An event names no learner: it is of somebody who is not logged in."""


class NoSuchIds(ValueError):
    """The platform has no external ids for xAPI."""

    def __init__(self) -> None:
        super().__init__("the platform has no external ids of the type xapi")


class NoExternalId(ValueError):
    """The external id of a learner cannot be made: ``error`` was raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"the external id of its learner cannot be made: {where_raised(error)}")


class NewLearners(Exception):
    """Learners of a batch have no external id yet. Call ``register`` outside of the transaction that may roll back.

    ``users``: the accounts by the user id or username that events have. ``given``: that of each event.
    """

    def __init__(self, users: Mapping[Hashable, Any], given: Sequence[Any], helpers: Any):
        super().__init__("learners have no external id yet")
        self._users = users
        self._given = given
        self._helpers = helpers

    def register(self) -> dict[int, str]:
        """Make the external ids, as ERB does; returns the positions of events whose learner can get none, and why.

        Raises PLATFORM_FAULTS.
        """
        made = _external_ids(self._users.values(), self._helpers)
        found = {key: made[user.pk] for key, user in self._users.items()}
        why = {key: str(result) for key, result in found.items() if isinstance(result, Exception)}
        return {
            position: why[key] for position, key in enumerate(self._given) if isinstance(key, Hashable) and key in why
        }


class Learners:
    """The external ids or addresses of learners, by the user id or username that events have.

    ``helpers``: ERB's module of that name. ``given``: user ids and usernames. ``register``: make missing external ids
    now; else NewLearners is raised for them. Raises PLATFORM_FAULTS.
    """

    def __init__(self, helpers: Any, given: Sequence[Any], *, register: bool):
        self._helpers = helpers
        self._known: dict[Hashable, str | Exception] = {}
        wanted = {key for key in given if isinstance(key, Hashable) and key}
        if has_addresses():
            # ERB asks for these by get_user_email.
            self._look_up(wanted, edx_platform.primary(helpers.User), "", "email")
        else:
            ids = edx_platform.primary(helpers.ExternalId).filter(external_id_type__name=_type_name(helpers))
            self._look_up(wanted, ids, "user__", "external_user_id")
            self._look_for(wanted - self._known.keys(), None if register else given)

    def external_id(self, key: Any) -> str:
        """The external id of the learner; UnknownLearner when there is no account, NoLearner for an empty key."""
        if not key:
            raise NoLearner
        if key not in self._known:
            # An operator's filter or transformer asks for somebody whom the event does not name.
            self._look_for({key})
        found = self._known[key]
        if isinstance(found, Exception):
            raise found
        return found

    def email(self, key: Any) -> str:
        """The address of the learner, or ERB's address of unknown ones."""
        if key not in self._known:
            self._known[key] = self._helpers.get_user_email(key)
        return str(self._known[key])

    def _look_up(self, wanted: Iterable[Any], rows: Any, path: str, value: str) -> None:
        """Note ``value`` of the rows of these learners: one query for user ids, and one for usernames."""
        by_id: dict[int, list[Any]] = {}
        by_name: dict[str, Any] = {}
        for key in wanted:
            number = _as_id(key)
            if number is not None:
                by_id.setdefault(number, []).append(key)
            elif _may_be_username(key):
                by_name[key] = key
        if by_id:
            for number, text in rows.filter(**{f"{path}id__in": list(by_id)}).values_list(f"{path}id", value):
                self._known.update(dict.fromkeys(by_id[number], str(text)))
        if by_name:
            found = rows.filter(**{f"{path}username__in": list(by_name)}).values_list(f"{path}username", value)
            # MySQL finds usernames in other letters, too: those are looked up one by one.
            self._known.update({name: str(text) for name, text in found if name in by_name})

    def _look_for(self, unknown: Iterable[Any], later: Sequence[Any] | None = None) -> None:
        """Look for learners without an external id one by one, as ERB does.

        ``later``: the user id or username of each event, for NewLearners; None: make missing external ids now.
        """
        users: dict[Any, Any] = {}
        for key in unknown:
            try:
                users[key] = self._helpers.get_user(key) if _may_be_asked_for(key) else None
            except PLATFORM_FAULTS:
                raise
            except Exception as error:
                self._known[key] = error
                continue
            if users[key] is None:
                self._known[key] = UnknownLearner()
                del users[key]
        if not users:
            return
        kinds = self._helpers.ExternalIdType
        ids = edx_platform.primary(self._helpers.ExternalId).filter(external_id_type__name=_type_name(self._helpers))
        pks = {user.pk for user in users.values()}
        there = dict(ids.filter(user_id__in=pks).values_list("user_id", "external_user_id"))
        missing = {user.pk: user for user in users.values() if user.pk not in there}
        made: dict[Any, str | Exception] = {}
        if missing and not edx_platform.primary(kinds).filter(name=_type_name(self._helpers)).exists():
            made = dict.fromkeys(missing, NoSuchIds())
        elif missing and later is not None:
            raise NewLearners({key: user for key, user in users.items() if user.pk in missing}, later, self._helpers)
        else:
            made = _external_ids(missing.values(), self._helpers)
        for key, user in users.items():
            self._known[key] = str(there[user.pk]) if user.pk in there else made[user.pk]


def external_id_of(user: Any, helpers: Any) -> str:
    """The external id of a user for xAPI, made where there is none; NoSuchIds when the platform has no such type."""
    found, _made = helpers.ExternalId.add_new_user_id(user, _type_name(helpers))
    if found is None:
        raise NoSuchIds
    return str(found.external_user_id)


def _external_ids(users: Iterable[Any], helpers: Any) -> dict[Any, str | Exception]:
    """The external ids of users for xAPI by primary key, or why they cannot be made. Raises PLATFORM_FAULTS."""
    made: dict[Any, str | Exception] = {}
    for user in users:
        try:
            made[user.pk] = external_id_of(user, helpers)
        except NoSuchIds as error:
            made[user.pk] = error
        except Exception as error:
            # Receivers of a new external id are others' code, and may raise anything.
            if isinstance(error, PLATFORM_FAULTS) and not isinstance(error, OF_ONE_ROW):
                raise
            made[user.pk] = NoExternalId(error)
    return made


def _type_name(helpers: Any) -> str:
    # Nutmeg has no type for xAPI; ERB takes that of LTI there.
    kinds = helpers.ExternalIdType
    return str(getattr(kinds, "XAPI", None) or kinds.LTI)


def _as_id(key: Any) -> int | None:
    """The user id that ERB would look for, or None."""
    try:
        number = int(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 < number <= LARGEST_ID else None


def _may_be_username(key: Any) -> bool:
    # Data of events come from browsers, too: the database gets no text that it may refuse.
    return isinstance(key, str) and len(key) <= USERNAME_LENGTH and all("\x00" < c < "\ud800" for c in key)


def _may_be_asked_for(key: Any) -> bool:
    if isinstance(key, str):
        return _may_be_username(key)
    return _as_id(key) is not None
