"""What both services' test settings override: a database file of this process, quick hashing, no waiting."""

import os
import tempfile

from openedx.envs.environment import databases, sqlite

# Held for as long as the process lives, then removed; one per pytest-xdist worker.
_TEMPORARY_FOLDER = tempfile.TemporaryDirectory(prefix="standin-test-", ignore_cleanup_errors=True)

if os.environ.get("STANDIN_DATABASE_URL"):
    DATABASES = databases()
else:
    DATABASES = {"default": sqlite(f"{_TEMPORARY_FOLDER.name}/db.sqlite3")}
    # In a file, not in memory: tests use threads and processes.
    DATABASES["default"]["TEST"] = {"NAME": f"{_TEMPORARY_FOLDER.name}/test.sqlite3"}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = False
CUSTOM_COURSES_EDX = True
STANDIN_COURSES_DIR = None
LOGGING = {"version": 1, "disable_existing_loggers": False}
