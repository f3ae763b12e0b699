"""SUPERSET_CONFIG: the address of Superset, the service account, and how guest tokens are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.mapping_settings import WrongValue, is_http, kind, one_of, read_mapping, seconds, text
from platform_plugin_aspects.redaction import raises_without_frames, without_credentials
from platform_plugin_aspects.settings import common

#: Algorithms of GUEST_TOKEN_JWT_ALGO that work with a shared secret, and the shortest secret for each, in bytes
#: (RFC 7518, section 3.2).
ALGORITHMS = {"HS256": 32, "HS384": 48, "HS512": 64}
URLS = ("service_url", "internal_service_url")


def _base_url(value: Any) -> str:
    """The URL with ``/`` at its end."""
    url = text(value)
    parts = urlsplit(url) if is_http(url) else None
    if parts is None or "@" in parts.netloc or parts.query or parts.fragment:
        raise WrongValue(
            f"is {without_credentials(url)!r}: it must be http(s)://host:port/, without user and password, "
            "and without spaces"
        )
    return url if url.endswith("/") else f"{url}/"


@dataclass(frozen=True)
class SupersetConfig:
    """One Superset: ``service_url`` is the browser's way to it, ``internal_service_url`` the server's, both end
    in ``/``. With a ``guest_token_secret``, guest tokens are signed here, for ``guest_token_audience``."""

    service_url: str = field(metadata=kind(_base_url))
    internal_service_url: str = field(metadata=kind(_base_url))
    username: str = "superset"
    password: str = field(default="superset", repr=False)
    timeout_secs: float = field(default=5.0, metadata=kind(seconds(0.1, 3600)))
    guest_token_secret: str = field(default="", repr=False)
    # Superset expects this while neither GUEST_TOKEN_JWT_AUDIENCE nor WEBDRIVER_BASEURL is set.
    guest_token_audience: str = "http://0.0.0.0:8080/"
    # A guest token is served again until half its lifetime is over, and the SDK renews it 5 seconds before the end.
    # Shorter ones would be renewed all the time.
    guest_token_lifetime_secs: float = field(default=300.0, metadata=kind(seconds(30, 30 * 24 * 3600)))
    guest_token_algorithm: str = field(default="HS256", metadata=kind(one_of(*ALGORITHMS)))
    #: Superset's GUEST_ROLE_NAME.
    guest_role: str = "Aspects Guest"

    @classmethod
    @raises_without_frames(SupersetMisconfigured)
    def from_settings(cls) -> SupersetConfig:
        """The configured Superset; where one of the two URLs is missing, the other serves both.

        Raises SupersetMisconfigured for an invalid value.
        """
        values = read_mapping(cls, "SUPERSET_CONFIG", SupersetMisconfigured)
        given = [values[name] for name in URLS if name in values] or ["http://superset:8088/"]
        return cls(**dict.fromkeys(URLS, given[0]) | values)


def is_configured() -> bool:
    """Whether the site uses Superset: SUPERSET_CONFIG, with passwords that everybody knows, is not left as it is."""
    default = common.defaults()["SUPERSET_CONFIG"]
    return bool((getattr(settings, "SUPERSET_CONFIG", None) or default) != default)


def service_url() -> str:
    """The browser's way to Superset, with ``/`` at its end; empty where the site does not use Superset.

    Raises SupersetMisconfigured.
    """
    return SupersetConfig.from_settings().service_url if is_configured() else ""
