"""Keeps CourseOverview in step with the modulestore."""

from typing import Any

from django.dispatch import receiver
from opaque_keys.edx.keys import CourseKey
from xmodule.modulestore.django import SignalHandler

from .models import CourseOverview


@receiver(SignalHandler.course_published)
def _listen_for_course_publish(sender: Any, course_key: CourseKey, **kwargs: Any) -> None:
    """Read the course again."""
    CourseOverview.load_from_module_store(course_key)


@receiver(SignalHandler.course_deleted)
def _listen_for_course_delete(sender: Any, course_key: CourseKey, **kwargs: Any) -> None:
    """Forget the course."""
    CourseOverview.objects.filter(id=course_key).delete()
