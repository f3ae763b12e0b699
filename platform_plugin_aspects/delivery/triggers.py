"""The table of triggers: which signal of the platform changes which objects of which sink."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.apps import apps
from django.db import connection

from platform_plugin_aspects import content_keys, edx_platform
from platform_plugin_aspects.delivery import outbox
from platform_plugin_aspects.sinks import ModelBaseSink
from platform_plugin_aspects.sinks.registry import BUILT_IN, is_on, sinks
from platform_plugin_aspects.sinks.tag_sink import object_ids_below

log = logging.getLogger(__name__)

PRE_SAVE = "django.db.models.signals.pre_save"
POST_SAVE = "django.db.models.signals.post_save"
POST_DELETE = "django.db.models.signals.post_delete"
PRE_DELETE = "django.db.models.signals.pre_delete"
ENROLL_STATUS_CHANGE = "common.djangoapps.student.signals.signals.ENROLL_STATUS_CHANGE"
USER_RETIRE_LMS_MISC = "openedx.core.djangoapps.user_api.accounts.signals.USER_RETIRE_LMS_MISC"
ENROLLMENT_EVENTS = "openedx_events.learning.signals."
#: Fields that a login saves. No row holds them, and a login changes nothing else.
SAVED_BY_LOGINS = frozenset({"last_login", "password"})
CONTENT_EVENTS = "openedx_events.content_authoring.signals."


def _instance(instance: Any, **_kwargs: Any) -> list[Any]:
    return [instance.pk]


def _of_account(
    sink: str, instance: Any, created: bool = False, update_fields: Iterable[str] | None = None, **_kwargs: Any
) -> list[Any]:
    """The objects of a sink whose rows name the user who was saved; none for a new user, and none after a login."""
    if created or (update_fields is not None and SAVED_BY_LOGINS.issuperset(update_fields)):
        return []
    found: Any = sinks()[sink]
    of_user = found().manager.filter(**{found.learner: instance.pk})
    return list(of_user.order_by().values_list("pk", flat=True))


def _enrollments(user_id: int, course_key: Any) -> list[Any]:
    # Neither signal nor events carry the primary key.
    model: Any = edx_platform.get_model("course_enrollment")
    enrollments = edx_platform.primary(model).filter(user_id=user_id, course_id=course_key)
    return list(enrollments.values_list("pk", flat=True))


def _enrollment_of_event(enrollment: Any, **_kwargs: Any) -> list[Any]:
    return _enrollments(enrollment.user.id, enrollment.course.course_key)


def _course_of_content(content_object: Any, **_kwargs: Any) -> list[Any]:
    # An empty list of changes means that anything may have changed.
    changes = getattr(content_object, "changes", None)
    if changes and "tags" not in changes:
        return []
    return _courses([content_object.object_id])


def _courses(object_ids: Iterable[str]) -> list[Any]:
    found = (content_keys.course_of(object_id) for object_id in object_ids)
    return list(dict.fromkeys(key for key in found if key is not None))


def _tags_on_content(instance: Any, field: str) -> list[tuple[int, str]]:
    """(primary key, object id) of the tags on content that lose ``instance`` without a signal of their own.

    Called within the transaction that deletes it.
    """
    model: Any = edx_platform.get_model("object_tag")
    if model is None:
        return []
    # Wait, as deleting it would, for transactions that are tagging with it: their tags lose it, too.
    list(type(instance)._base_manager.select_for_update().filter(pk=instance.pk).values_list("pk"))
    return list(edx_platform.primary(model).filter(**{field: instance.pk}).values_list("pk", "object_id"))


def _object_tags(field: str, instance: Any, **_kwargs: Any) -> list[Any]:
    return [pk for pk, _object_id in _tags_on_content(instance, field)]


def _courses_of_moved_tag(instance: Any, using: str, **_kwargs: Any) -> list[Any]:
    """The courses that get, or lose, ancestors of their tags when ``instance`` is saved with another parent."""
    before = type(instance)._base_manager.using(using).filter(pk=instance.pk).values_list("parent_id", flat=True)
    if instance.pk is None or list(before) in ([], [instance.parent_id]):
        return []
    return _courses(object_ids_below(instance.pk, using))


def _courses_of_tag(instance: Any, **_kwargs: Any) -> list[Any]:
    return _courses(object_id for _pk, object_id in _tags_on_content(instance, "tag_id"))


@dataclass(frozen=True)
class Trigger:
    """``signal`` (dotted path), from the model named ``sender`` or from any sender, changes objects of ``sink``.

    ``objects(**kwargs of the signal)`` returns their primary keys. The trigger itself is the signal's receiver.
    ``optional``: some releases that the plugin supports do not have the signal.
    """

    signal: str
    sink: str
    objects: Callable[..., list[Any]]
    sender: str = ""
    optional: bool = False

    def __call__(self, sender: Any = None, **kwargs: Any) -> None:
        """Record the change, if its sink is on. Errors are logged, because the platform must not fail for analytics.

        One error is raised: that with which the database ended the platform's transaction, which would else be lost.
        """
        ended_before = connection.needs_rollback
        try:
            if is_on(sinks()[self.sink]):
                outbox.record(self.sink, self.objects(**kwargs))
        except Exception as error:
            if connection.needs_rollback and not ended_before:
                raise
            log.error("A change of %s by %s is not recorded: %r", self.sink, self.signal, error)

    @property
    def __name__(self) -> str:
        # openedx-events logs the name of every receiver, and fails the event for a receiver without a name.
        return f"{self.sink}.{self.signal}.{self.sender}"

    @property
    def uid(self) -> str:
        """The dispatch_uid with which connecting twice is the same as once."""
        return f"{self.__module__}.{self.__name__}"


TRIGGERS = (
    Trigger("xmodule.modulestore.django.COURSE_PUBLISHED", "course_overviews", lambda course_key, **_: [course_key]),
    Trigger(CONTENT_EVENTS + "CONTENT_OBJECT_ASSOCIATIONS_CHANGED", "course_overviews", _course_of_content),
    # Before Sumac only this one is sent; deprecated since.
    Trigger(CONTENT_EVENTS + "CONTENT_OBJECT_TAGS_CHANGED", "course_overviews", _course_of_content, optional=True),
    # Importing tags, and clearing those of an object, sends neither.
    *(
        Trigger(signal, "course_overviews", lambda instance, **_: _courses([instance.object_id]), sender="object_tag")
        for signal in (POST_SAVE, POST_DELETE)
    ),
    Trigger(PRE_SAVE, "course_overviews", _courses_of_moved_tag, sender="tag"),
    Trigger(PRE_DELETE, "course_overviews", _courses_of_tag, sender="tag"),
    Trigger(ENROLL_STATUS_CHANGE, "course_enrollment", lambda user, course_id, **_: _enrollments(user.pk, course_id)),
    Trigger(ENROLLMENT_EVENTS + "COURSE_ENROLLMENT_CREATED", "course_enrollment", _enrollment_of_event),
    Trigger(ENROLLMENT_EVENTS + "COURSE_ENROLLMENT_CHANGED", "course_enrollment", _enrollment_of_event),
    Trigger(ENROLLMENT_EVENTS + "COURSE_UNENROLLMENT_COMPLETED", "course_enrollment", _enrollment_of_event),
    # Administrators save enrollments without any event.
    *(
        Trigger(signal, name, _instance, sender=name)
        for name in ("course_enrollment", "user_profile", "taxonomy", "tag", "object_tag")
        for signal in (POST_SAVE, POST_DELETE)
    ),
    Trigger(POST_SAVE, "external_id", _instance, sender="external_id"),
    # Rows do not hold the primary key.
    Trigger(POST_DELETE, "external_id", lambda instance, **_: [instance.external_user_id], sender="external_id"),
    # The username and the e-mail stand in all these.
    *(
        Trigger(POST_SAVE, name, partial(_of_account, name), sender="auth_user")
        for name in ("user_profile", "external_id", "course_enrollment")
    ),
    Trigger(PRE_DELETE, "object_tag", partial(_object_tags, "tag_id"), sender="tag"),
    Trigger(PRE_DELETE, "object_tag", partial(_object_tags, "taxonomy_id"), sender="taxonomy"),
    Trigger(USER_RETIRE_LMS_MISC, "auth_user", lambda user, **_: [user.pk]),
    Trigger(POST_DELETE, "auth_user", _instance, sender="auth_user"),
)


def all_triggers() -> Iterator[Trigger]:
    """The table above, and triggers for each sink of EVENT_SINK_CLICKHOUSE_EXTRA_SINKS.

    These are saving and deleting of its model, and saving of the accounts that its rows name.
    """
    yield from TRIGGERS
    built_in = {sink.name for sink in BUILT_IN}
    for name, sink in sinks().items():
        if name not in built_in and sink.has_objects:
            yield Trigger(POST_SAVE, name, _instance, sender=sink.model)
            if sink.deletes:
                yield Trigger(POST_DELETE, name, _instance, sender=sink.model)
            if issubclass(sink, ModelBaseSink) and sink.reads_account():
                yield Trigger(POST_SAVE, name, partial(_of_account, name), sender="auth_user")


#: Every trigger that was ever connected, because signals do not keep their receivers alive.
_connected: dict[Trigger, Trigger] = {}


def connect(wanted: Iterable[Trigger] | None = None) -> None:
    """Connect every trigger (or those ``wanted``) whose signal and model this release of the platform has; checks
    report the others.

    Signals hold them weakly, because the platform's ``simulate_publish`` requires weak references. ``_connected`` keeps
    them alive.
    """
    for each in all_triggers() if wanted is None else wanted:
        trigger = _connected.setdefault(each, each)
        signal = edx_platform.get_signal(trigger.signal)
        if signal is None:
            continue
        for sender in senders(trigger):
            signal.connect(trigger, sender=sender, dispatch_uid=trigger.uid)


def senders(trigger: Trigger) -> list[Any]:
    """The senders of the signal: [None] for any sender, [] if there is no such model, else the model and its proxies.

    openedx_tagging saves taxonomies as proxies.
    """
    if not trigger.sender:
        return [None]
    model = edx_platform.get_model(trigger.sender)
    return [each for each in apps.get_models() if model is not None and each._meta.concrete_model is model]
