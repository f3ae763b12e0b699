"""Reads the stand-in's settings from the environment (README.rst lists the variables)."""

import importlib.util
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import django

REPOSITORY = Path(__file__).resolve().parents[4]
SQLITE_TIMEOUT_SECS = 30


def data_dir() -> Path:
    """Return the folder of the stand-in's state."""
    return Path(os.environ.get("STANDIN_DATA_DIR") or REPOSITORY / ".standin").resolve()


def databases() -> dict[str, Any]:
    """Return DATABASES for STANDIN_DATABASE_URL; ValueError for a scheme that is neither sqlite nor mysql."""
    url = os.environ.get("STANDIN_DATABASE_URL") or f"sqlite:///{data_dir() / 'db.sqlite3'}"
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"default": sqlite(parts.path)}
    if parts.scheme == "mysql":
        return {
            "default": {
                "ENGINE": "django.db.backends.mysql",
                "NAME": parts.path.lstrip("/"),
                "USER": unquote(parts.username or ""),
                "PASSWORD": unquote(parts.password or ""),
                "HOST": parts.hostname,
                "PORT": parts.port or 3306,
                "ATOMIC_REQUESTS": True,
                "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed"},
            }
        }
    raise ValueError(f"STANDIN_DATABASE_URL has the scheme {parts.scheme!r}; use sqlite:///<path> or mysql://...")


def sqlite(path: str | Path) -> dict[str, Any]:
    """Return the settings of one SQLite database that several threads and processes share."""
    options: dict[str, Any] = {"timeout": SQLITE_TIMEOUT_SECS}
    if django.VERSION >= (5, 1):
        # A transaction that reads first and writes later would fail at once instead of waiting for its turn.
        options |= {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "ATOMIC_REQUESTS": True,
        "OPTIONS": options,
    }


def caches() -> dict[str, Any]:
    """Return CACHES for STANDIN_CACHE_URL."""
    url = os.environ.get("STANDIN_CACHE_URL")
    if url:
        return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}
    return {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def broker_url() -> str:
    """Return the Celery broker's URL."""
    return os.environ.get("STANDIN_BROKER_URL") or "memory://"


def eager() -> bool:
    """Tell whether Celery tasks run at once, in the caller."""
    return os.environ.get("STANDIN_EAGER") == "1"


def courses_dir() -> str | None:
    """Return the folder that holds published courses, or None for memory only."""
    return os.environ.get("STANDIN_COURSES_DIR") or None


def tracking_log() -> str | None:
    """Return the file to which tracking events are logged, one JSON a line, or None for no file."""
    return os.environ.get("STANDIN_TRACKING_LOG") or None


def tagging_app() -> str:
    """Return the tagging app of the installed release (it moved in 2026)."""
    if importlib.util.find_spec("openedx_tagging.models"):
        return "openedx_tagging"
    return "openedx_tagging.core.tagging.apps.TaggingConfig"
