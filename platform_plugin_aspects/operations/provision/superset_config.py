"""Superset's configuration file, which no request can change: the lines to paste, all or those that are missing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from platform_plugin_aspects.dashboards.superset.config import SupersetConfig, is_configured
from platform_plugin_aspects.operations.doctor.guest_tokens import DEFAULT_SECRET
from platform_plugin_aspects.operations.page_addresses import origins

#: The words by which findings name a part of the configuration -> the part.
EMBEDDING, ROLE, SECRET, FRAMING, CACHES = (
    "EMBEDDED_SUPERSET",
    "GUEST_ROLE_NAME",
    "GUEST_TOKEN_JWT_SECRET",
    "frame-ancestors",
    "DATA_CACHE_CONFIG",
)
PARTS = (EMBEDDING, ROLE, SECRET, FRAMING, CACHES)
ADMINISTRATOR = (
    "# An administrator, for aspects_provision (Superset asks for a password):",
    "#   superset db upgrade && superset init && superset fab create-admin",
)


def named_in(texts: Sequence[str]) -> list[str]:
    """The parts that texts of findings name.

    All parts while Superset embeds nothing, because no guest sees then which of the others are there.
    """
    named = [part for part in PARTS if any(part in text for text in texts)]
    return list(PARTS) if EMBEDDING in named else named


def lines(guest_role: str, parts: Sequence[str] = PARTS) -> list[str]:
    """Lines of Python for the end of superset_config.py. They hold a new secret, but none of the settings'.

    They add to the site's flags and framing pages, and to Superset's defaults where it has none. They set a secret or a
    cache only where the site has none of its own: nothing, or Superset's default.
    """
    found = {
        EMBEDDING: ['FEATURE_FLAGS = {**globals().get("FEATURE_FLAGS", {}), "EMBEDDED_SUPERSET": True}'],
        ROLE: [f"GUEST_ROLE_NAME = {guest_role!r}"],
        SECRET: _secret(),
        FRAMING: [
            "# These pages may show Superset, beside those that may already:",
            "from superset.config import TALISMAN_CONFIG as _default",
            'TALISMAN_CONFIG = {**globals().get("TALISMAN_CONFIG", _default)}',
            '_policy = TALISMAN_CONFIG.get("content_security_policy") or {}',
            "if isinstance(_policy, str):",
            '    _rules = [rule.split() for rule in _policy.split(";") if rule.strip()]',
            "    _policy = {name.lower(): pages for name, *pages in _rules}",
            """_pages = _policy.get("frame-ancestors", "'self'") or []""",
            "_pages = [_pages] if isinstance(_pages, str) else [*_pages]",
            f"_pages += {origins()!r}",
            'TALISMAN_CONFIG["content_security_policy"] = {**_policy, "frame-ancestors": _pages}',
        ],
        CACHES: [
            "# Without a cache, each open board asks ClickHouse. Use your own Redis; a cache set above stays:",
            '_redis = {"CACHE_TYPE": "RedisCache", "CACHE_DEFAULT_TIMEOUT": 300, '
            '"CACHE_REDIS_URL": "redis://redis:6379/1"}',
            '_none = (None, "null", "NullCache")',
            'if globals().get("CACHE_CONFIG", {}).get("CACHE_TYPE") in _none:',
            '    CACHE_CONFIG = {**_redis, "CACHE_KEY_PREFIX": "superset_"}',
            'if globals().get("DATA_CACHE_CONFIG", {}).get("CACHE_TYPE") in _none:',
            '    DATA_CACHE_CONFIG = {**CACHE_CONFIG, "CACHE_KEY_PREFIX": "superset_data_"}',
        ],
    }
    return [line for part in PARTS if part in parts for line in found[part]]


def _secret() -> list[str]:
    if is_configured() and SupersetConfig.from_settings().guest_token_secret:
        return ["# Set GUEST_TOKEN_JWT_SECRET to guest_token_secret of SUPERSET_CONFIG in LMS and CMS."]
    # A secret of the site's own may be shared with other systems that make tokens.
    return [
        "# Any long random text, this one made just now. A secret set above stays, Superset's public default does not:",
        f'if globals().get("GUEST_TOKEN_JWT_SECRET") in (None, "", "{DEFAULT_SECRET}"):',
        f'    GUEST_TOKEN_JWT_SECRET = "{secrets.token_hex(32)}"',
    ]
