"""The CMS's Celery app: ``celery -A cms.celery worker`` consumes edx.cms.core.default."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cms.envs.standin")

from openedx.core.lib.celery import APP  # noqa: F401
