"""The platform's Celery app, shared by LMS and CMS."""

from typing import Any

from celery import Celery
from celery.signals import task_postrun
from django.conf import settings
from edx_django_utils.cache import RequestCache

APP = Celery("proj")
APP.config_from_object("django.conf:settings", namespace="CELERY")
APP.autodiscover_tasks()


@task_postrun.connect
def _clear_request_cache(**kwargs: Any) -> None:
    """A task's request cache ends with it, unless it shares that of the request in which it runs."""
    if not settings.CELERY_TASK_ALWAYS_EAGER:
        RequestCache.clear_all_namespaces()
