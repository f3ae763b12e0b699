"""Where Superset is, as SUPERSET_CONFIG says."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings


@dataclass(frozen=True)
class SupersetConfig:
    """One Superset: ``service_url`` is the browser's way to it, ``internal_service_url`` the server's, both with
    ``/``."""

    service_url: str
    internal_service_url: str
    username: str
    password: str = field(repr=False)

    @classmethod
    def from_settings(cls) -> SupersetConfig:
        """The configured Superset; where one of the two URLs is missing, the other serves both."""
        config = getattr(settings, "SUPERSET_CONFIG", None) or {}
        internal, service = config.get("internal_service_url"), config.get("service_url")
        fallback = "http://superset:8088/"
        return cls(
            service_url=_with_slash(service or internal or fallback),
            internal_service_url=_with_slash(internal or service or fallback),
            username=config.get("username", "superset"),
            password=config.get("password", "superset"),
        )


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else f"{url}/"
