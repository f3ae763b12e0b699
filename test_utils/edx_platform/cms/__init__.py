"""The CMS. Importing it makes the Celery app the one that shared tasks use, as on the platform."""

from .celery import APP as CELERY_APP  # noqa: F401
