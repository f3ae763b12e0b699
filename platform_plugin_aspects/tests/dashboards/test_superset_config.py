"""SUPERSET_CONFIG: its keys, invalid values, and secrets that are never shown. (Its URLs: test_settings.py.)"""

from __future__ import annotations

from typing import Any

import pytest

from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.operations.checks.superset import check_guest_token_secret, check_superset_config

SECRET = "0123456789abcdef0123456789abcdef"


def test_missing_keys_have_defaults(settings: Any) -> None:
    settings.SUPERSET_CONFIG = {"service_url": "https://superset.example", "timeout_secs": None, "username": ""}
    assert SupersetConfig.from_settings() == SupersetConfig(
        service_url="https://superset.example/",
        internal_service_url="https://superset.example/",
        username="superset",
        password="superset",
        timeout_secs=5.0,
        guest_token_secret="",
        guest_token_audience="http://0.0.0.0:8080/",
        guest_token_lifetime_secs=300.0,
        guest_token_algorithm="HS256",
    )


def test_every_key_is_read_and_others_are_not(settings: Any) -> None:
    given = {
        "service_url": "https://superset.example/reports/",
        "internal_service_url": "http://superset:8088/",
        "username": "aspects",
        "password": "s3cret",
        "timeout_secs": "2.5",
        "guest_token_secret": SECRET * 2,
        "guest_token_audience": "superset",
        "guest_token_lifetime_secs": 60,
        "guest_token_algorithm": "HS512",
    }
    settings.SUPERSET_CONFIG = {**given, "host": "of old"}
    config = SupersetConfig.from_settings()
    assert {name: getattr(config, name) for name in given} == {**given, "timeout_secs": 2.5}
    assert "s3cret" not in repr(config)
    assert SECRET not in repr(config)


BAD: dict[str, tuple[Any, str]] = {
    "no mapping": ("http://superset:8088", "must be a mapping"),
    "no address": ({"service_url": "superset:8088"}, "service_url in SUPERSET_CONFIG is 'superset:8088'"),
    "no host": ({"internal_service_url": "http:///"}, "internal_service_url in SUPERSET_CONFIG is 'http:///'"),
    "port": ({"internal_service_url": "http://s:99999"}, "internal_service_url"),
    "no port": ({"internal_service_url": "http://s:0"}, "internal_service_url"),
    "brackets": ({"internal_service_url": "http://[s/"}, "internal_service_url"),
    "query": ({"service_url": "http://s/?a=b"}, "service_url"),
    "fragment": ({"service_url": "http://s/#a"}, "service_url"),
    "credentials": ({"service_url": "http://u:s3cret@p@s/"}, "without user and password"),
    "credentials without scheme": ({"service_url": "u:s3cret@s/"}, "service_url in SUPERSET_CONFIG is 's/'"),
    "url of bytes": ({"service_url": b"http://s/"}, "service_url in SUPERSET_CONFIG must be text"),
    "password": ({"password": 12345678}, "password in SUPERSET_CONFIG must be text"),
    "secret": ({"guest_token_secret": b"s3cret"}, "guest_token_secret in SUPERSET_CONFIG must be text"),
    "timeout 0": ({"timeout_secs": 0}, "timeout_secs in SUPERSET_CONFIG is 0: it must be a number of seconds"),
    "timeout of text": ({"timeout_secs": "long"}, "timeout_secs"),
    "timeout of a list": ({"timeout_secs": [5]}, "timeout_secs"),
    "endless timeout": ({"timeout_secs": float("inf")}, "timeout_secs"),
    "timeout beyond clocks": ({"timeout_secs": 1e300}, "0.1 to 3600"),
    "no timeout": ({"timeout_secs": float("nan")}, "timeout_secs"),
    "lifetime": ({"guest_token_lifetime_secs": 29.9}, "guest_token_lifetime_secs in SUPERSET_CONFIG is 29.9"),
    "lifetime beyond clocks": ({"guest_token_lifetime_secs": 1e300}, "30 to 2592000"),
    "algorithm": ({"guest_token_algorithm": "none"}, "one of HS256, HS384, HS512"),
    "asymmetric": ({"guest_token_algorithm": "RS256"}, "guest_token_algorithm in SUPERSET_CONFIG is 'RS256'"),
}


@pytest.mark.parametrize(("config", "words"), BAD.values(), ids=BAD)
def test_invalid_values_are_an_error_at_start_up_and_when_used(config: Any, words: str, settings: Any) -> None:
    settings.SUPERSET_CONFIG = config
    with pytest.raises(SupersetMisconfigured, match="SUPERSET_CONFIG") as caught:
        SupersetConfig.from_settings()
    (found,) = check_superset_config(None)
    assert (found.id, found.msg) == ("platform_plugin_aspects.W022", str(caught.value))
    assert words in found.msg
    for secret in ("s3cret", "12345678"):
        assert secret not in found.msg


@pytest.mark.parametrize(
    ("algorithm", "secret", "is_short"),
    [
        ("HS256", "", False),
        ("HS256", SECRET, False),
        ("HS256", SECRET[1:], True),
        ("HS256", "ö" * 16, False),
        ("HS384", SECRET, True),
        ("HS384", SECRET * 2, False),
        ("HS512", SECRET * 2, False),
        ("HS512", SECRET + "0", True),
    ],
)
def test_a_short_secret_is_a_warning(algorithm: str, secret: str, is_short: bool, settings: Any) -> None:
    settings.SUPERSET_CONFIG = {"guest_token_algorithm": algorithm, "guest_token_secret": secret}
    assert check_superset_config(None) == []
    found = check_guest_token_secret(None)
    assert [message.id for message in found] == ["platform_plugin_aspects.W003"] * is_short
    assert not any(secret in f"{message.msg}{message.hint}" for message in found)
    assert all(algorithm in message.msg for message in found)


@pytest.mark.parametrize("config", [None, {}, {"service_url": "https://superset.example/"}])
def test_valid_values_are_not_reported(config: Any, settings: Any) -> None:
    settings.SUPERSET_CONFIG = config
    assert check_superset_config(None) == check_guest_token_secret(None) == []
