"""The lines for Superset's configuration: they add to what a site has set, and to Superset's defaults."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from platform_plugin_aspects.operations.provision import superset_config

LMS, STUDIO, PORTAL = "https://lms.example.com", "https://studio.example.com", "https://portal.example.com"
#: Superset's own, as far as the lines concern it.
DEFAULT = {
    "content_security_policy": {"default-src": ["'self'"], "object-src": "'none'"},
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
}
REDIS = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": "redis://cache.example.com:6379/3"}
#: A secret that is made anew each time.
SECRET = re.compile("[0-9a-f]{64}")


@pytest.fixture
def defaults(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """TALISMAN_CONFIG of Superset's module ``superset.config``, which this Python does not have."""
    module = ModuleType("superset.config")
    talisman = copy.deepcopy(DEFAULT)
    module.TALISMAN_CONFIG = talisman  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "superset", ModuleType("superset"))
    monkeypatch.setitem(sys.modules, "superset.config", module)
    return talisman


@pytest.fixture(autouse=True)
def _pages(settings: Any) -> None:
    settings.LMS_ROOT_URL, settings.CMS_ROOT_URL = LMS, STUDIO
    settings.INSTRUCTOR_MICROFRONTEND_URL = settings.COURSE_AUTHORING_MICROFRONTEND_URL = None
    settings.SUPERSET_CONFIG = None


def pasted(text: str = "", **before: Any) -> dict[str, Any]:
    """Superset's configuration after the text, at the end of a file that has set ``before``."""
    found = dict(before)
    exec(text or "\n".join(superset_config.lines("Guests")), found)
    return found


def policy(config: dict[str, Any]) -> dict[str, Any]:
    return config["TALISMAN_CONFIG"]["content_security_policy"]


def test_a_file_that_sets_nothing_extends_superset_s_defaults(defaults: dict[str, Any]) -> None:
    config = pasted()
    assert config["FEATURE_FLAGS"] == {"EMBEDDED_SUPERSET": True}
    assert config["GUEST_ROLE_NAME"] == "Guests"
    assert SECRET.fullmatch(config["GUEST_TOKEN_JWT_SECRET"])
    assert config["TALISMAN_CONFIG"] == {
        "content_security_policy": {
            "default-src": ["'self'"],
            "object-src": "'none'",
            "frame-ancestors": ["'self'", LMS, STUDIO],
        },
        "content_security_policy_nonce_in": ["script-src"],
        "force_https": False,
    }
    assert config["CACHE_CONFIG"]["CACHE_TYPE"] == config["DATA_CACHE_CONFIG"]["CACHE_TYPE"] == "RedisCache"
    assert config["CACHE_CONFIG"]["CACHE_KEY_PREFIX"] != config["DATA_CACHE_CONFIG"]["CACHE_KEY_PREFIX"]
    assert defaults == DEFAULT


@pytest.mark.parametrize(
    ("own", "after"),
    [
        ([PORTAL], [PORTAL, LMS, STUDIO]),
        ("'self' https://*.example.net", ["'self' https://*.example.net", LMS, STUDIO]),
        ([], [LMS, STUDIO]),
        (None, [LMS, STUDIO]),
    ],
)
@pytest.mark.usefixtures("defaults")
def test_the_site_s_own_policy_gets_pages_and_loses_nothing(own: Any, after: list[str]) -> None:
    talisman = {"content_security_policy": {"img-src": "*", "frame-ancestors": own}, "force_https": True}
    before = copy.deepcopy(talisman)
    config = pasted(TALISMAN_CONFIG=talisman)
    assert config["TALISMAN_CONFIG"] == {
        "content_security_policy": {"img-src": "*", "frame-ancestors": after},
        "force_https": True,
    }
    assert talisman == before


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (
            "default-src 'self' https://cdn.example.net;\n frame-ancestors  https://portal.example.com 'self';",
            {
                "default-src": ["'self'", "https://cdn.example.net"],
                "frame-ancestors": [PORTAL, "'self'", LMS, STUDIO],
            },
        ),
        ("Frame-Ancestors 'none'", {"frame-ancestors": ["'none'", LMS, STUDIO]}),
        (
            "upgrade-insecure-requests; frame-ancestors",
            {"upgrade-insecure-requests": [], "frame-ancestors": [LMS, STUDIO]},
        ),
        ("img-src *", {"img-src": ["*"], "frame-ancestors": ["'self'", LMS, STUDIO]}),
        ("", {"frame-ancestors": ["'self'", LMS, STUDIO]}),
    ],
)
@pytest.mark.usefixtures("defaults")
def test_a_policy_that_is_a_text_gets_pages_and_loses_nothing(text: str, after: dict[str, list[str]]) -> None:
    """Superset takes the header's text in place of a dictionary."""
    config = pasted(TALISMAN_CONFIG={"content_security_policy": text, "force_https": True})
    assert config["TALISMAN_CONFIG"] == {"content_security_policy": after, "force_https": True}


@pytest.mark.parametrize("talisman", [{"content_security_policy": None}, {}])
@pytest.mark.usefixtures("defaults")
def test_a_site_without_a_policy_gets_one_for_frames_alone(talisman: dict[str, Any]) -> None:
    assert policy(pasted(TALISMAN_CONFIG=talisman)) == {"frame-ancestors": ["'self'", LMS, STUDIO]}


@pytest.mark.usefixtures("defaults")
def test_flags_secrets_and_caches_of_the_site_stay() -> None:
    flags = {"ALERT_REPORTS": True, "EMBEDDED_SUPERSET": False}
    own = {"GUEST_TOKEN_JWT_SECRET": "shared with a portal", "CACHE_CONFIG": REDIS}
    config = pasted(FEATURE_FLAGS=flags, **own)
    assert config["FEATURE_FLAGS"] == {"ALERT_REPORTS": True, "EMBEDDED_SUPERSET": True}
    assert config["GUEST_TOKEN_JWT_SECRET"] == "shared with a portal"
    assert config["CACHE_CONFIG"] == REDIS
    # The same Redis, other keys.
    assert config["DATA_CACHE_CONFIG"] == {**REDIS, "CACHE_KEY_PREFIX": "superset_data_"}
    data = {"CACHE_TYPE": "FileSystemCache"}
    assert pasted(DATA_CACHE_CONFIG=data, **own)["DATA_CACHE_CONFIG"] == data


@pytest.mark.parametrize("public", ["test-guest-secret-change-me", "", None])
@pytest.mark.usefixtures("defaults")
def test_a_secret_that_everybody_knows_is_replaced(public: str | None) -> None:
    """Superset's default is in the file that begins with ``from superset.config import *``, too."""
    assert SECRET.fullmatch(pasted(GUEST_TOKEN_JWT_SECRET=public)["GUEST_TOKEN_JWT_SECRET"])


@pytest.mark.usefixtures("defaults")
def test_a_secret_shared_with_the_plugin_is_not_set(settings: Any) -> None:
    """The lines do not hold it, so they must not set another one."""
    shared = "shared-by-two-systems-0123456789abcdef"
    settings.SUPERSET_CONFIG = {"service_url": "https://superset.example.com/", "guest_token_secret": shared}
    assert pasted(GUEST_TOKEN_JWT_SECRET=shared)["GUEST_TOKEN_JWT_SECRET"] == shared
    assert "GUEST_TOKEN_JWT_SECRET" not in pasted()
    assert superset_config.lines("Guests", ["GUEST_TOKEN_JWT_SECRET"]) == [
        "# Set GUEST_TOKEN_JWT_SECRET to guest_token_secret of SUPERSET_CONFIG in LMS and CMS."
    ]


@pytest.mark.parametrize("none", [{"CACHE_TYPE": "NullCache"}, {"CACHE_TYPE": "null"}, {}])
@pytest.mark.usefixtures("defaults")
def test_caches_that_keep_nothing_are_replaced(none: dict[str, Any]) -> None:
    """Superset's default is a cache that keeps nothing."""
    config = pasted(CACHE_CONFIG=none, DATA_CACHE_CONFIG=none)
    assert config["CACHE_CONFIG"] == {
        "CACHE_TYPE": "RedisCache",
        "CACHE_DEFAULT_TIMEOUT": 300,
        "CACHE_REDIS_URL": "redis://redis:6379/1",
        "CACHE_KEY_PREFIX": "superset_",
    }
    assert config["DATA_CACHE_CONFIG"] == {
        "CACHE_TYPE": "RedisCache",
        "CACHE_DEFAULT_TIMEOUT": 300,
        "CACHE_REDIS_URL": "redis://redis:6379/1",
        "CACHE_KEY_PREFIX": "superset_data_",
    }
    own = pasted(CACHE_CONFIG=REDIS, DATA_CACHE_CONFIG=none)
    assert own["CACHE_CONFIG"] == REDIS
    assert own["DATA_CACHE_CONFIG"] == {**REDIS, "CACHE_KEY_PREFIX": "superset_data_"}


@pytest.mark.usefixtures("defaults")
def test_the_lines_may_be_pasted_twice() -> None:
    once = pasted()
    twice = pasted(**{name: value for name, value in once.items() if name.isupper()})
    changed = {name for name, value in once.items() if name.isupper() and twice[name] != value}
    assert changed == {"TALISMAN_CONFIG"}
    assert set(policy(twice)["frame-ancestors"]) == {"'self'", LMS, STUDIO}


def test_only_the_parts_that_findings_name_are_printed() -> None:
    texts = ["Set GUEST_ROLE_NAME = 'Guests'", "Set CACHE_CONFIG and DATA_CACHE_CONFIG"]
    parts = superset_config.named_in(texts)
    assert parts == ["GUEST_ROLE_NAME", "DATA_CACHE_CONFIG"]
    assert [line.split(" = ")[0].strip() for line in superset_config.lines("Guests", parts) if " = " in line] == [
        "GUEST_ROLE_NAME",
        "_redis",
        "_none",
        "CACHE_CONFIG",
        "DATA_CACHE_CONFIG",
    ]


def test_each_part_needs_no_other(defaults: dict[str, Any]) -> None:
    for part in superset_config.PARTS:
        pasted("\n".join(superset_config.lines("Guests", [part])))
    assert defaults == DEFAULT


def test_the_how_to_shows_the_lines() -> None:
    page = Path(__file__).parents[4] / "docs" / "how-tos" / "without_tutor.rst"
    printed = SECRET.sub("a long random text", "\n".join(superset_config.lines("Aspects Guest")))
    (block,) = re.findall(r"code-block:: python\n\n((?:    .*\n)+)", page.read_text())
    assert [line[4:] for line in block.splitlines()] == printed.splitlines()
