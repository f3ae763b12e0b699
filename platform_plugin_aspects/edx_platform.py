"""The door to edx-platform: its models, signals, modulestore and rules, under names of our own.

No other module imports edx-platform, except the load test's ``load_test/platform.py``.

Everything is imported when it is used, because the plugin is loaded while the platform is still starting. If a release
moves a module, one sink turns off with a warning, and the site starts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models, router
from django.db.models.constants import LOOKUP_SEP
from django.utils.module_loading import import_string
from edx_django_utils.cache import DEFAULT_REQUEST_CACHE, RequestCache
from opaque_keys.edx.keys import CourseKey

from platform_plugin_aspects.dotted_path import CannotLoad, load

log = logging.getLogger(__name__)

#: Former names of modules: openedx-core took openedx-learning's place in 2026.
FORMER_MODULES = {"openedx_tagging.models.base": "openedx_tagging.core.tagging.models"}
#: The request cache in which a split modulestore keeps the versions of courses.
COURSE_INDEX_CACHE = "course_index_cache"
#: The place in the default request cache of the structures that a split modulestore has read, by version.
COURSE_CACHE = "course_cache"
PUBLISHED_BRANCH = "published-branch"
#: The module of the models that say who is retired.
RETIREMENTS = "openedx.core.djangoapps.user_api.models"


def get_model(name: str) -> type[models.Model] | None:
    """The model that EVENT_SINK_CLICKHOUSE_MODEL_CONFIG means by ``name``; None when it cannot be imported."""
    try:
        config = settings.EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[name]
        return _import_model(config["module"], config["model"])
    except (AttributeError, KeyError, TypeError):
        return None


@cache
def warn_of_missing_model(name: str) -> None:
    """Log, once per process, that the sink of this model is off because the model cannot be imported."""
    log.warning(
        "EVENT_SINK_CLICKHOUSE_MODEL_CONFIG[%r] names no model that can be imported: its sink is treated as off", name
    )


@cache
def _import_model(module: str, model: str) -> type[models.Model] | None:
    moved = [FORMER_MODULES.get(module), *(new for new, former in FORMER_MODULES.items() if former == module)]
    for candidate in filter(None, [module, *moved]):
        try:
            found = load(f"{candidate}.{model}")
        except CannotLoad:
            # Or the module is there, but its app is not in INSTALLED_APPS.
            continue
        if isinstance(found, type) and issubclass(found, models.Model):
            return found
    return None


def release_line() -> str | None:
    """The name of the platform's release, in lower case, e.g. "sumac"; None on its way from one release to the next."""
    try:
        name = str(import_string("openedx.core.release.RELEASE_LINE"))
    except ImportError:
        return None
    return None if name == "master" else name


def get_signal(path: str) -> Any | None:
    """The signal or Open edX event at a dotted path, or None where this release has none."""
    try:
        return load(path)
    except CannotLoad:
        return None


def primary(model: type[models.Model]) -> models.Manager[Any]:
    """The default manager of a model, reading from the database to which the model is written.

    A replica, which the site's routers may name for reading, lags behind: within a transaction it does not have what
    was just written.
    """
    return model._default_manager.db_manager(router.db_for_write(model))


def without_retired(queryset: Any, user_path: str) -> Any:
    """``queryset`` without the rows whose learner (at ``user_path``, e.g. "user_id") is being retired, or was.

    These are anti-joins on indexed columns. The username is compared in a join that most tables need anyhow.
    """
    for asked in _retirements():
        queryset = queryset.filter(~models.Exists(asked.filter(user_id=models.OuterRef(user_path))))
    by_username = _has_retired_username(queryset.model, user_path)
    return queryset.exclude(**by_username) if by_username else queryset


def retired_among(queryset: Any, user_path: str, *, by_username: bool = True) -> set[int]:
    """The ids of those learners of ``queryset`` who are being retired, or were: the ones ``without_retired`` omits.

    Without ``by_username``, only those of whom the platform has a record of the retirement, which every new one has.
    """
    conditions: list[dict[str, Any]] = [{f"{user_path}__in": asked.values("user_id")} for asked in _retirements()]
    if by_username:
        conditions.append(_has_retired_username(queryset.model, user_path))
    found: set[int] = set()
    # One after the other: databases find the few rows of each by an index, but not those of all in one condition.
    for condition in filter(None, conditions):
        found.update(queryset.filter(**condition).order_by().values_list(user_path, flat=True))
    return found


def pending_among(user_ids: Iterable[int]) -> set[int]:
    """Those of these learners whose retirement has been asked for, but not begun: it may still be cancelled."""
    status = import_string(f"{RETIREMENTS}.UserRetirementStatus")
    pending = primary(status).filter(user_id__in=list(user_ids), current_state__state_name="PENDING")
    return set(pending.values_list("user_id", flat=True))


def names_of(user_ids: Iterable[int]) -> tuple[set[str], set[str]]:
    """The usernames and the e-mail addresses of these learners: those of now, and those before their retirement.

    The address changes when the retirement is asked for, the username at its end.
    """
    ids = list(user_ids)
    accounts = primary(get_user_model()).filter(pk__in=ids).values_list("username", "email")
    status = import_string(f"{RETIREMENTS}.UserRetirementStatus")
    former = primary(status).filter(user_id__in=ids).values_list("original_username", "original_email")
    found = [*accounts, *former]
    return {name for name, _ in found if name}, {address for _, address in found if address}


def _retirements() -> list[Any]:
    """The platform's records of retirements.

    The status is deleted some weeks after the retirement. The request stays for ever, unless the retirement is
    cancelled while it is pending; retirements of long ago have none.
    """
    names = ("UserRetirementRequest", "UserRetirementStatus")
    return [import_string(f"{RETIREMENTS}.{name}")._default_manager.all() for name in names]


def _has_retired_username(model: Any, user_path: str) -> dict[str, Any]:
    """The condition that the learner's username is that of a retired one; empty where the platform has none."""
    prefix = getattr(settings, "RETIRED_USERNAME_PREFIX", "")
    if not prefix:
        return {}
    if account := account_path(model, user_path):
        # By the join where there is one: the usernames of all accounts are looked through without an index on SQLite.
        return {f"{account}__username__istartswith": prefix}
    accounts = get_user_model()._default_manager.filter(username__istartswith=prefix)
    return {f"{user_path}__in": accounts.values("pk")}


def account_path(model: Any, user_path: str) -> str:
    """The path of the relation to the user whose id is at ``user_path``; empty where that is only a number."""
    *relations, last = user_path.split(LOOKUP_SEP)
    try:
        for name in relations:
            model = model._meta.get_field(name).related_model
    except (FieldDoesNotExist, AttributeError):
        return ""
    names = [each.name for each in model._meta.fields if last in (each.name, each.attname)]
    to_users = [name for name in names if model._meta.get_field(name).related_model is get_user_model()]
    return LOOKUP_SEP.join([*relations, *to_users]) if to_users else ""


def ccx_keys(course_keys: Iterable[CourseKey]) -> list[CourseKey]:
    """The keys of the custom courses (CCX) made from these courses; none where the site has no custom courses."""
    # A top-level setting now; a feature before.
    features = getattr(settings, "FEATURES", {})
    if not getattr(settings, "CUSTOM_COURSES_EDX", features.get("CUSTOM_COURSES_EDX", False)):
        return []
    model: Any = get_model("custom_course_edx")
    if model is None:
        return []
    return [ccx.locator for ccx in primary(model).filter(course_id__in=list(course_keys))]


@contextmanager
def published_course(course_key: CourseKey) -> Iterator[tuple[Any | None, list[Any]]]:
    """The course block as published now, or None when it is gone, and its detached blocks in the order of their keys.

    Read the children inside the ``with``: all reads then share one fetch of the course's structure.
    """
    # Until the end of a request or a task, a split store remembers which version it found published. A version that
    # is published later would be taken for delivered.
    RequestCache(COURSE_INDEX_CACHE).clear()
    store = import_string("xmodule.modulestore.django.modulestore")()
    detached_types = import_string("xmodule.modulestore.store_utilities.DETACHED_XBLOCK_TYPES")
    # Only the key names the branch: get_course ignores ``revision``, and Studio reads drafts unless told otherwise.
    locator: Any = course_key
    published = locator.for_branch(PUBLISHED_BRANCH)
    with _structures_released(), store.bulk_operations(course_key):
        course = store.get_course(published, depth=None)
        detached: list[Any] = []
        if course is not None:
            for category in sorted(detached_types):
                # The store promises no order.
                found = store.get_items(published, qualifiers={"category": category})
                detached += sorted(found, key=lambda block: str(block.location))
        yield course, detached


@contextmanager
def _structures_released() -> Iterator[None]:
    """Take the structures that are read inside out of the request cache at the end.

    The cache is emptied after a request or a task, but a command can read thousands of courses. Structures that were
    there before stay.
    """
    data = DEFAULT_REQUEST_CACHE.data
    before = set(data.get(COURSE_CACHE, ()))
    try:
        yield
    finally:
        cached = data.get(COURSE_CACHE, {})
        for version in set(cached) - before:
            del cached[version]


def course_exists(course_key: CourseKey) -> bool:
    """Whether the platform has this course run or custom course."""
    return bool(_course_overview().course_exists(course_key))


def course_runs(course_key: CourseKey) -> list[CourseKey]:
    """The runs and custom courses (CCX) of the same organisation and course number that have an overview, by key."""
    keys = _course_overview().objects.filter(org=course_key.org).order_by("id").values_list("id", flat=True)
    return [key for key in keys if (key.org, key.course) == (course_key.org, course_key.course)]


def _course_overview() -> Any:
    return import_string("openedx.core.djangoapps.content.course_overviews.models.CourseOverview")


def has_studio_read_access(user: Any, course_key: CourseKey) -> bool:
    """Studio's own rule for seeing a course."""
    return bool(import_string("common.djangoapps.student.auth.has_studio_read_access")(user, course_key))


def views_as_learner(user: Any, course_key: CourseKey) -> bool:
    """Whether the request's user views the course as a learner ("View this course as"), which ``has_perm`` ignores."""
    masquerade = (getattr(user, "masquerade_settings", None) or {}).get(course_key)
    return masquerade is not None and masquerade.role != "staff"


def preferred_language(user: Any) -> str | None:
    """The code of the language that the user chose in the account's settings, e.g. "es-419"."""
    preference = import_string("openedx.core.djangoapps.user_api.models.UserPreference")
    code: str | None = preference.get_value(user, "pref-lang")
    return code
