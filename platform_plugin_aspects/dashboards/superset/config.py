"""Where Superset is, and how guest tokens for it are made, as SUPERSET_CONFIG says."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.hidden import raises_without_frames
from platform_plugin_aspects.settings import common

#: Algorithms of GUEST_TOKEN_JWT_ALGO that work with a shared secret, and the shortest secret for each, in bytes
#: (RFC 7518, section 3.2).
ALGORITHMS = {"HS256": 32, "HS384": 48, "HS512": 64}
URLS = ("service_url", "internal_service_url")
#: The least and the most that each number may be. A guest token is handed out again until half its lifetime is over,
#: and the SDK renews it 5 seconds before the end: shorter ones would be renewed all the time.
LIMITS_SECS = {"timeout_secs": (0.1, 3600), "guest_token_lifetime_secs": (30, 30 * 24 * 3600)}


@dataclass(frozen=True)
class SupersetConfig:
    """One Superset: ``service_url`` is the browser's way to it, ``internal_service_url`` the server's, both with
    ``/``. Where ``guest_token_secret`` is set, guest tokens are minted here, for ``guest_token_audience``."""

    service_url: str
    internal_service_url: str
    username: str = "superset"
    password: str = field(default="superset", repr=False)
    timeout_secs: float = 5.0
    guest_token_secret: str = field(default="", repr=False)
    # What Superset expects while neither GUEST_TOKEN_JWT_AUDIENCE nor WEBDRIVER_BASEURL is set.
    guest_token_audience: str = "http://0.0.0.0:8080/"
    guest_token_lifetime_secs: float = 300.0
    guest_token_algorithm: str = "HS256"

    @classmethod
    @raises_without_frames(SupersetMisconfigured)
    def from_settings(cls) -> SupersetConfig:
        """The configured Superset; where one of the two URLs is missing, the other serves both.

        Raises SupersetMisconfigured for a value that cannot be meant.
        """
        configured = getattr(settings, "SUPERSET_CONFIG", None) or {}
        if not isinstance(configured, Mapping):
            raise SupersetMisconfigured("SUPERSET_CONFIG must be a mapping with service_url, username, password, ...")
        known = {f.name for f in fields(cls)}
        config: dict[str, Any] = {
            key: value for key, value in configured.items() if key in known and value not in (None, "")
        }
        for name, value in config.items():
            if name in LIMITS_SECS:
                config[name] = _seconds(name, value)
            elif not isinstance(value, str):
                raise SupersetMisconfigured(f"{name} in SUPERSET_CONFIG must be text")
            elif name in URLS:
                config[name] = _base_url(name, value)
        given = [config[name] for name in URLS if name in config] or ["http://superset:8088/"]
        found = cls(**{**dict.fromkeys(URLS, given[0]), **config})
        if found.guest_token_algorithm not in ALGORITHMS:
            raise SupersetMisconfigured(
                f"guest_token_algorithm in SUPERSET_CONFIG is {found.guest_token_algorithm!r}: "
                f"it must be one of {', '.join(ALGORITHMS)}"
            )
        return found

    @property
    def has_short_secret(self) -> bool:
        """Whether guest tokens are minted with a secret that is shorter than its algorithm wants."""
        return 0 < len(self.guest_token_secret.encode()) < ALGORITHMS[self.guest_token_algorithm]


def is_configured() -> bool:
    """Whether the site uses Superset: SUPERSET_CONFIG, with passwords that everybody knows, is not left as it is."""
    default = common.defaults()["SUPERSET_CONFIG"]
    return bool((getattr(settings, "SUPERSET_CONFIG", None) or default) != default)


def _base_url(name: str, url: str) -> str:
    """``url`` with ``/`` at its end."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    spaced = any(map(str.isspace, url))
    if not usable or spaced or "@" in parts.netloc or parts.query or parts.fragment:
        # Up to the last "@": passwords are not always quoted as they should be.
        shown = re.sub(r"\A(https?://)?.*@", r"\1", url, flags=re.DOTALL)
        raise SupersetMisconfigured(
            f"{name} in SUPERSET_CONFIG is {shown!r}: it must be http(s)://host:port/, "
            "without user and password, and without spaces"
        )
    return url if url.endswith("/") else f"{url}/"


def _seconds(name: str, value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    least, most = LIMITS_SECS[name]
    if not least <= seconds <= most:
        raise SupersetMisconfigured(
            f"{name} in SUPERSET_CONFIG is {value!r}: it must be a number of seconds, {least} to {most}"
        )
    return seconds
