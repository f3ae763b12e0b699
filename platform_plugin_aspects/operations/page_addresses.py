"""The addresses of the site's pages that may show dashboards."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

#: Settings with the addresses of such pages, besides those of the LMS.
FURTHER_PAGES = ("CMS_ROOT_URL", "INSTRUCTOR_MICROFRONTEND_URL", "COURSE_AUTHORING_MICROFRONTEND_URL")


def addresses() -> list[str]:
    """The address of the LMS, then those of Studio and of the micro-frontends that have a host of their own."""
    further = (getattr(settings, name, None) for name in FURTHER_PAGES)
    return list(dict.fromkeys([settings.LMS_ROOT_URL, *filter(_has_host, further)]))


def origins() -> list[str]:
    """The origins of ``addresses``, each once."""
    return list(dict.fromkeys(map(origin, addresses())))


def origin(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _has_host(url: Any) -> bool:
    """Whether this is a page's address on a host of its own; a mere path is a page of the LMS."""
    try:
        return isinstance(url, str) and bool(urlsplit(url).hostname)
    except ValueError:
        return False
