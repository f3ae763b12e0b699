"""The platform's Celery app, shared by LMS and CMS."""

from celery import Celery

APP = Celery("proj")
APP.config_from_object("django.conf:settings", namespace="CELERY")
APP.autodiscover_tasks()
