"""Guest tokens from Superset and signed ones: the requests to Superset, their number, and the errors for refusals."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.core.cache import cache
from django.utils.translation import override
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from platform_plugin_aspects.dashboards.superset import guest_tokens
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetError,
    SupersetMisconfigured,
    SupersetRefused,
    SupersetTimeout,
    SupersetUnavailable,
)
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token
from platform_plugin_aspects.dashboards.superset.session import service_session, sessions
from test_utils.properties import examples
from test_utils.superset_endpoint import GRANT, READ, Reply, SupersetEndpoint

ONE, TWO, THREE = (f"{digit * 8}-0000-4000-8000-abcdefabcdef" for digit in "123")
CLAUSES = ["org = 'A'", "course_key = 'course-v1:A+B+C'"]
LOG_IN = ["login", "csrf_token"]
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def superset(superset_endpoint: SupersetEndpoint) -> SupersetEndpoint:
    """Superset with two embedded dashboards."""
    superset_endpoint.dashboards |= {ONE, TWO}
    return superset_endpoint


def get(*uuids: str) -> guest_tokens.GuestToken:
    return get_guest_token("ada", uuids or (ONE, TWO), CLAUSES)


# The token


def claims_of(*uuids: str) -> dict[str, Any]:
    return {
        "user": {"username": "ada"},
        "resources": [{"type": "dashboard", "id": uuid} for uuid in uuids],
        "rls_rules": [{"clause": clause} for clause in CLAUSES],
        "type": "guest",
        "aud": "http://0.0.0.0:8080/",
    }


def signing(settings: Any, superset: SupersetEndpoint, **more: Any) -> None:
    settings.SUPERSET_CONFIG = superset.config(guest_token_secret=superset.guest_token_secret, **more)


def test_superset_is_asked_for_the_dashboards_with_the_clauses_and_nobodys_name_but_the_guests(
    superset: SupersetEndpoint,
) -> None:
    found = get()
    claims = superset.read_guest_token(found.token)
    assert found.expires_at == pytest.approx(claims.pop("exp"), abs=5)
    del claims["iat"]
    assert claims == claims_of(ONE, TWO)


def test_a_signed_token_holds_the_same_without_a_request(settings: Any, superset: SupersetEndpoint) -> None:
    signing(settings, superset)
    found = get()
    claims = superset.read_guest_token(found.token)
    assert claims.pop("exp") == found.expires_at == pytest.approx(time.time() + 300, abs=5)
    assert claims == claims_of(ONE, TWO)
    assert superset.requests == []


def test_a_signed_token_is_as_configured(settings: Any, superset: SupersetEndpoint) -> None:
    signing(
        settings,
        superset,
        guest_token_audience="superset",
        guest_token_lifetime_secs=60,
        guest_token_algorithm="HS512",
    )
    settings.SUPERSET_CONFIG["guest_token_secret"] = SECRET * 2
    found = get()
    claims = jwt.decode(found.token, SECRET * 2, ["HS512"], audience="superset")
    assert claims["exp"] == found.expires_at == pytest.approx(time.time() + 60, abs=5)


@pytest.mark.parametrize("secret", ["-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "ssh-rsa AAAA"])
def test_a_key_pair_is_refused_as_a_secret(secret: str, settings: Any, superset: SupersetEndpoint) -> None:
    signing(settings, superset)
    settings.SUPERSET_CONFIG["guest_token_secret"] = secret
    with pytest.raises(SupersetMisconfigured, match="guest_token_secret in SUPERSET_CONFIG is a key pair") as caught:
        get()
    assert secret not in str(caught.value)


@pytest.mark.parametrize("spelling", [ONE.upper(), f"{{{ONE}}}", ONE.replace("-", "")])
@pytest.mark.parametrize("is_minted", [False, True])
def test_uuids_are_spelled_as_superset_spells_them(
    is_minted: bool, spelling: str, settings: Any, superset: SupersetEndpoint
) -> None:
    if is_minted:
        signing(settings, superset)
    claims = superset.read_guest_token(get(spelling).token)
    assert claims["resources"] == [{"type": "dashboard", "id": ONE}]


@pytest.mark.parametrize("uuid", ["1", "course-dashboard", ""])
@pytest.mark.parametrize("is_minted", [False, True])
def test_an_invalid_uuid_is_never_asked_for(
    is_minted: bool, uuid: str, settings: Any, superset: SupersetEndpoint
) -> None:
    if is_minted:
        signing(settings, superset)
    with pytest.raises(SupersetMisconfigured, match="is not the UUID"):
        get(ONE, uuid)
    assert superset.requests == []


@pytest.mark.parametrize("is_minted", [False, True])
def test_a_token_without_clauses_is_refused(is_minted: bool, settings: Any, superset: SupersetEndpoint) -> None:
    if is_minted:
        signing(settings, superset)
    with pytest.raises(ValueError, match="without clauses"):
        get_guest_token("ada", [ONE], [])
    assert superset.requests == []


def test_a_token_lasts_as_long_as_superset_says_by_our_own_clock(superset: SupersetEndpoint) -> None:
    superset.guest_token_secs = 100
    superset.advance(3600)
    assert get().expires_at == pytest.approx(time.time() + 100, abs=5)


def test_a_token_is_not_in_its_repr() -> None:
    assert SECRET not in repr(guest_tokens.GuestToken(SECRET, 1.0))


# The login


def test_one_login_then_one_request_for_each_token(superset: SupersetEndpoint) -> None:
    for _ in range(5):
        get()
    assert superset.paths() == [*LOG_IN, *["guest_token"] * 5]


def test_the_connection_is_kept(superset: SupersetEndpoint) -> None:
    for _ in range(5):
        get()
    assert superset.connections == 1


ENDINGS: dict[str, Callable[[SupersetEndpoint], None]] = {
    "the access token has expired": lambda superset: superset.advance(901),
    "the CSRF token has expired": lambda superset: superset.advance(8 * 24 * 3600),
    "another secret key": lambda superset: superset.change_secret_key(),
    "a malformed access token": lambda superset: superset.plan(
        "guest_token", Reply(422, {"msg": "Not enough segments"})
    ),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("csrf_exempt", [False, True])
def test_a_login_that_has_ended_is_renewed_once(
    csrf_exempt: bool, end: Callable[[SupersetEndpoint], None], superset: SupersetEndpoint
) -> None:
    superset.csrf_exempt = csrf_exempt
    get()
    end(superset)
    for _ in range(2):
        assert superset.read_guest_token(get().token)
    assert superset.paths() == [*LOG_IN, "guest_token", "guest_token", *LOG_IN, "guest_token", "guest_token"]


def test_many_threads_log_in_once(superset: SupersetEndpoint) -> None:
    with ThreadPoolExecutor(8) as threads:
        superset.hold("login")
        started = [threads.submit(get) for _ in range(8)]
        superset.wait_for_held()
        superset.release()
        assert all(task.result() for task in started)
    assert sorted(superset.paths()) == sorted([*LOG_IN, *["guest_token"] * 8])


def test_many_threads_renew_a_login_once(superset: SupersetEndpoint) -> None:
    get()
    superset.advance(901)
    superset.clear()
    superset.hold("guest_token")
    with ThreadPoolExecutor(8) as threads:
        started = [threads.submit(get) for _ in range(8)]
        for _ in started:
            superset.wait_for_held()
        superset.release()
        assert all(task.result() for task in started)
    assert sorted(superset.paths()) == sorted([*LOG_IN, *["guest_token"] * 16])


def test_nobody_waits_for_ever_for_anothers_login(settings: Any, superset: SupersetEndpoint) -> None:
    settings.SUPERSET_CONFIG = superset.config(timeout_secs=0.2)
    by_another = service_session(SupersetConfig.from_settings())._lock
    timeout = pytest.raises(SupersetTimeout, match="did not log us in within")
    with ThreadPoolExecutor(1) as threads, by_another, timeout:
        threads.submit(get).result(timeout=30)
    assert superset.requests == []


FORK = """
import json, os, sys
import django
django.setup()
from django.conf import settings
from platform_plugin_aspects.dashboards.superset.guest_tokens import get_guest_token

settings.SUPERSET_CONFIG = json.loads(sys.argv[1])
token = lambda: get_guest_token("ada", [sys.argv[2]], ["1 = 1"])
token()
child = os.fork()
if child == 0:
    token()
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
token()
"""


def test_a_forked_process_logs_in_by_itself(settings: Any, superset: SupersetEndpoint) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = [json.dumps(settings.SUPERSET_CONFIG), ONE]
    subprocess.run([sys.executable, "-c", FORK, *arguments], env=environment, check=True)
    assert superset.paths() == [*LOG_IN, "guest_token", *LOG_IN, "guest_token", "guest_token"]


def test_another_account_logs_in_by_itself(settings: Any, superset: SupersetEndpoint) -> None:
    get()
    superset.accounts["other"] = ("other", {GRANT, READ})
    settings.SUPERSET_CONFIG = superset.config(username="other", password="other")
    get()
    assert superset.paths() == [*LOG_IN, "guest_token"] * 2


def test_an_account_that_may_not_read_does_where_guest_tokens_are_exempt_from_csrf_protection(
    superset: SupersetEndpoint,
) -> None:
    superset.accounts["superset"] = (superset.accounts["superset"][0], {GRANT})
    superset.csrf_exempt = True
    assert superset.read_guest_token(get().token)


def test_tokens_are_asked_for_over_https(
    settings: Any, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    with SupersetEndpoint(tls=certificate) as superset:
        superset.dashboards.add(ONE)
        settings.SUPERSET_CONFIG = superset.config()
        assert superset.read_guest_token(get(ONE).token)


def test_a_netrc_does_not_overrule_the_login(
    superset: SupersetEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert get()


# Failures


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


PAGE = "<html><h1>Bad Gateway from http://internal:8088/ for s3cret</h1></html>"
#: Step, answer, error, part of what the log says.
FAILURES: dict[str, tuple[str, Reply, type[SupersetError], str]] = {
    "starting": ("login", Reply(503, PAGE), SupersetUnavailable, "HTTP 503"),
    "bad gateway": ("csrf_token", Reply(502, PAGE), SupersetUnavailable, "HTTP 502"),
    "too often": ("guest_token", Reply(429, PAGE), SupersetUnavailable, "HTTP 429"),
    "gateway timeout": ("guest_token", Reply(504, PAGE), SupersetTimeout, "HTTP 504"),
    "login of another kind": ("login", Reply(400, {"message": {"provider": ["s3cret"]}}), SupersetRefused, "HTTP 400"),
    "fault at login": ("login", Reply(500, {"message": "Fatal s3cret"}), SupersetRefused, "HTTP 500"),
    "fault with a token": ("login", Reply(500, {"access_token": "s3cret"}), SupersetRefused, "HTTP 500"),
    "page instead of login": ("login", Reply(200, PAGE), SupersetRefused, "HTTP 200, without access_token"),
    "login without token": ("login", Reply(200, {"refresh_token": "s3cret"}), SupersetRefused, "without access_token"),
    "login with a list": ("login", Reply(200, ["s3cret"]), SupersetRefused, "without access_token"),
    "depth": ("login", Reply(200, "[" * 100_000), SupersetRefused, "without access_token"),
    "login with a number": ("login", Reply(200, {"access_token": 5}), SupersetRefused, "without access_token"),
    "page instead of CSRF token": ("csrf_token", Reply(200, PAGE), SupersetRefused, "without result"),
    "fault at the token": ("guest_token", Reply(500, {"message": "Fatal s3cret"}), SupersetRefused, "HTTP 500"),
    "page instead of token": ("guest_token", Reply(200, PAGE), SupersetRefused, "HTTP 200, without token"),
    "validator": ("guest_token", Reply(400, {"message": "s3cret failed"}), SupersetRefused, "HTTP 400"),
    "no JWT": ("guest_token", Reply(200, {"token": "s3cret"}), SupersetRefused, "not a JWT"),
    "no times": ("guest_token", Reply(200, {"token": jwt.encode({}, SECRET)}), SupersetRefused, "not a JWT with exp"),
    "odd times": (
        "guest_token",
        Reply(200, {"token": jwt.encode({"exp": 5, "iat": [1]}, SECRET)}),
        SupersetRefused,
        "not a JWT with exp",
    ),
    "redirect": (
        "login",
        Reply(302, "", {"Location": "https://elsewhere.example/"}),
        SupersetMisconfigured,
        "HTTP 302: correct internal_service_url",
    ),
    "redirect to nowhere": (
        "login",
        Reply(302, "", {"Location": "http://["}),
        SupersetMisconfigured,
        "HTTP 302: correct",
    ),
    "elsewhere": ("login", Reply(404, PAGE), SupersetMisconfigured, "HTTP 404: correct internal_service_url"),
}


@pytest.mark.parametrize(("step", "reply", "kind", "words"), FAILURES.values(), ids=FAILURES)
def test_failures_say_what_to_do_and_quote_nothing(
    step: str, reply: Reply, kind: type[SupersetError], words: str, superset: SupersetEndpoint
) -> None:
    superset.plan(step, reply)
    with pytest.raises(SupersetError) as caught:
        get()
    assert type(caught.value) is kind
    assert words in str(caught.value)
    for secret in ("s3cret", "internal:", "org = 'A'", "ada"):
        assert secret not in f"{caught.value!r}{caught.value.message}"
    assert get()  # and nothing bad is kept


@pytest.mark.parametrize("step", [*LOG_IN, "guest_token"])
def test_a_connection_that_is_cut_is_made_anew_once(step: str, superset: SupersetEndpoint) -> None:
    superset.plan(step, Reply(0))
    assert superset.read_guest_token(get().token)
    sessions.clear()
    superset.plan(step, Reply(0), Reply(0))
    with pytest.raises(SupersetUnavailable, match=f"{step}/? failed"):
        get()
    assert get()


NAMES = st.sampled_from(["access_token", "result", "token"])
VALUES = st.none() | st.booleans() | st.floats() | st.text()
JSON = VALUES | st.lists(VALUES) | st.dictionaries(NAMES, VALUES) | st.dictionaries(NAMES, st.text(), min_size=3)


@hypothesis_settings(max_examples=examples(150))
@given(
    step=st.sampled_from([*LOG_IN, "guest_token"]),
    status=st.just(200)
    | st.sampled_from([201, 301, 308, 400, 401, 403, 404, 405, 418, 422, 429, 500, 501, 502, 503, 504, 520]),
    body=st.text() | JSON,
)
def test_whatever_superset_answers_is_a_token_or_a_known_error(
    step: str, status: int, body: Any, superset: SupersetEndpoint
) -> None:
    sessions.clear()
    cache.clear()
    superset.reset()
    superset.dashboards |= {ONE, TWO}
    superset.plan(step, *[Reply(status, body)] * 2)
    with suppress(SupersetError):
        assert superset.read_guest_token(get().token)


def test_an_unreachable_superset_is_unavailable(settings: Any, superset: SupersetEndpoint, closed_port: int) -> None:
    settings.SUPERSET_CONFIG = superset.config(internal_service_url=f"http://127.0.0.1:{closed_port}")
    with pytest.raises(SupersetUnavailable, match="refused"):
        get()
    settings.SUPERSET_CONFIG = superset.config(internal_service_url="http://superset.invalid/")
    with pytest.raises(SupersetUnavailable):
        get()


def test_a_superset_that_comes_back_is_used_again(superset: SupersetEndpoint) -> None:
    get()
    superset.stop()
    with pytest.raises(SupersetUnavailable):
        get()
    superset.start()
    assert get()


@pytest.mark.parametrize("step", [*LOG_IN, "guest_token"])
def test_a_superset_that_does_not_answer_is_a_timeout(step: str, settings: Any, superset: SupersetEndpoint) -> None:
    settings.SUPERSET_CONFIG = superset.config(timeout_secs=0.2)
    superset.hold(step)
    with pytest.raises(SupersetTimeout, match=r"was not answered within 0\.2 s"):
        get()
    superset.release()
    settings.SUPERSET_CONFIG = superset.config()
    assert get()


def test_a_wrong_password_is_tried_once(settings: Any, superset: SupersetEndpoint) -> None:
    settings.SUPERSET_CONFIG = superset.config(password="wr0ng")
    with pytest.raises(SupersetMisconfigured, match="correct username and password in SUPERSET_CONFIG") as caught:
        get()
    assert "wr0ng" not in repr(caught.value)
    assert superset.paths() == ["login"]


@pytest.mark.parametrize(
    ("permissions", "words"),
    [({READ}, "can grant guest token on SecurityRestApi"), ({GRANT}, "can read on SecurityRestApi")],
)
def test_a_permission_that_the_account_lacks_is_named(
    permissions: set[str], words: str, superset: SupersetEndpoint
) -> None:
    superset.accounts["superset"] = (superset.accounts["superset"][0], permissions)
    with pytest.raises(SupersetRefused, match=words):
        get()
    assert superset.paths().count("login") <= 2


def test_a_login_that_is_refused_again_is_given_up(superset: SupersetEndpoint) -> None:
    superset.plan("guest_token", *[Reply(401, {"msg": "s3cret"})] * 2)
    with pytest.raises(SupersetRefused, match="HTTP 401 right after logging in"):
        get()
    assert superset.paths() == [*LOG_IN, "guest_token"] * 2
    assert get()


def test_an_untrusted_certificate_is_a_misconfiguration(settings: Any, certificate: tuple[Path, Path]) -> None:
    with SupersetEndpoint(tls=certificate) as superset:
        settings.SUPERSET_CONFIG = superset.config()
        with pytest.raises(SupersetMisconfigured, match=r"over TLS.*REQUESTS_CA_BUNDLE"):
            get()
        assert superset.requests == []


def test_an_address_that_superset_does_not_know_as_its_own_is_named(
    settings: Any, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    referrer = {"errors": [{"message": "400 Bad Request: The referrer does not match the host."}]}
    with SupersetEndpoint(tls=certificate) as superset:
        superset.dashboards.add(ONE)
        superset.plan("guest_token", *[Reply(400, referrer)] * 2)
        settings.SUPERSET_CONFIG = superset.config()
        with pytest.raises(SupersetRefused, match="the address by which Superset knows itself"):
            get(ONE)


def test_messages_for_people_differ_from_what_the_log_says() -> None:
    kinds = (SupersetUnavailable, SupersetTimeout, SupersetRefused, SupersetMisconfigured)
    assert {kind.code: kind.status for kind in kinds} == {
        "superset_unavailable": 503,
        "superset_timeout": 504,
        "superset_refused": 502,
        "superset_misconfigured": 502,
    }
    with override("en"):
        messages = {str(kind("inside").message) for kind in kinds}
    assert len(messages) == 4
    assert all("inside" not in message for message in messages)


# Dashboards that Superset does not know


def test_an_unknown_dashboard_is_named_once_and_left_out(
    superset: SupersetEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        claims = superset.read_guest_token(get(ONE, THREE, TWO).token)
        assert [resource["id"] for resource in claims["resources"]] == [ONE, TWO]
    (record,) = [record for record in caplog.records if record.name == guest_tokens.__name__]
    assert record.levelno == logging.ERROR
    assert f"no embedded dashboard {THREE}:" in record.getMessage()
    # The refusal, both halves of three and of the two that are left, and one token each time.
    assert superset.paths() == [*LOG_IN, *["guest_token"] * (1 + 3 + 3)]


def test_an_unknown_dashboard_is_asked_for_again_later(superset: SupersetEndpoint) -> None:
    get(ONE, THREE)
    superset.dashboards.add(THREE)
    cache.delete(f"platform_plugin_aspects.unknown_dashboard.{THREE}")  # as in five minutes
    claims = superset.read_guest_token(get(ONE, THREE).token)
    assert [resource["id"] for resource in claims["resources"]] == [ONE, THREE]


def test_a_token_for_unknown_dashboards_only_is_refused(superset: SupersetEndpoint) -> None:
    for _ in range(2):
        with pytest.raises(SupersetRefused, match="knows none of the dashboards"):
            get(THREE)
    assert superset.paths() == [*LOG_IN, "guest_token"]


def test_a_dashboard_that_appears_meanwhile_is_not_called_unknown(
    superset: SupersetEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    superset.plan("guest_token", Reply(400, {"message": "EmbeddedDashboard not found."}))
    claims = superset.read_guest_token(get(ONE, TWO).token)
    assert len(claims["resources"]) == 2
    assert [record for record in caplog.records if record.name == guest_tokens.__name__] == []
