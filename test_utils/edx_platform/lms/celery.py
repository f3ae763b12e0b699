"""The LMS's Celery app: ``celery -A lms.celery worker`` consumes edx.lms.core.default."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lms.envs.standin")

from openedx.core.lib.celery import APP  # noqa: F401
