"""The stand-in for Superset's security API answers as Superset 6.1 does.

Those called "answers" pass on a running Superset too, named by its address, an administrator, the password and the UUID
of an embedded dashboard: SUPERSET="http://127.0.0.1:8088 admin password uuid" pytest -k answers <this file>
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from test_utils.superset_endpoint import GRANT, READ, Reply, SupersetEndpoint

KNOWN, UNKNOWN = "c0e64194-33d1-4d5a-8c10-4f51530c5ee9", "abae8a25-1ba4-4653-81bd-d3937a162a11"


@dataclass
class Client:
    """Somebody who logs in to a Superset step by step."""

    url: str
    username: str
    password: str
    dashboard: str
    verify: str | bool = True
    http: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.url}/api/v1/security/{path}"
        return self.http.request(method, url, allow_redirects=False, verify=self.verify, **options)

    def log_in(self, **more: Any) -> dict[str, str]:
        account = {"username": self.username, "password": self.password, "provider": "db", "refresh": True}
        return dict(self.call("POST", "login", json={**account, **more}).json())

    def headers(self) -> dict[str, str]:
        """Headers of somebody who is logged in and has a CSRF token; its cookie stays in the session."""
        bearer = {"Authorization": f"Bearer {self.log_in()['access_token']}"}
        return {**bearer, "X-CSRFToken": self.call("GET", "csrf_token/", headers=bearer).json()["result"]}

    def body(self, *dashboards: str) -> dict[str, Any]:
        resources = [{"type": "dashboard", "id": dashboard} for dashboard in dashboards or (self.dashboard,)]
        return {"user": {"username": "ada"}, "resources": resources, "rls": [{"clause": "1 = 1"}]}

    def guest_token(self, headers: dict[str, str], **options: Any) -> requests.Response:
        return self.call("POST", "guest_token/", headers=headers, **{"json": self.body(), **options})


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Client:
    if running := os.environ.get("SUPERSET"):
        return Client(*running.split())
    endpoint: SupersetEndpoint = request.getfixturevalue("superset_endpoint")
    endpoint.dashboards.add(KNOWN)
    return Client(endpoint.url, "superset", endpoint.accounts["superset"][0], KNOWN)


MISSING = ["Missing data for required field."]
LOGINS: dict[str, tuple[dict[str, Any], int, Any]] = {
    "wrong password": ({"username": "superset", "password": "x", "provider": "db"}, 401, "Not authorized"),
    "unknown account": ({"username": "nobody", "password": "x", "provider": "db"}, 401, "Not authorized"),
    "no provider": ({"username": "superset", "password": "x"}, 500, "Fatal error"),
    "no account": ({"provider": "db"}, 400, {"username": MISSING, "password": MISSING}),
}


@pytest.mark.parametrize(("body", "status", "message"), LOGINS.values(), ids=LOGINS)
def test_answers_to_bad_logins(body: dict[str, Any], status: int, message: Any, client: Client) -> None:
    response = client.call("POST", "login", json=body)
    assert (response.status_code, response.json()) == (status, {"message": message})


def test_a_login_that_is_not_json_is_refused(client: Client) -> None:
    response = client.call("POST", "login", data="hello")
    assert (response.status_code, response.json()) == (400, {"message": "Request payload is not JSON"})


def test_answers_to_a_login(client: Client) -> None:
    assert set(client.log_in()) == {"access_token", "refresh_token"}
    assert set(client.log_in(refresh=False)) == {"access_token"}


def test_answers_with_a_guest_token(client: Client) -> None:
    headers = client.headers()
    for _ in range(2):  # the same login again
        response = client.guest_token(headers)
        assert response.status_code == 200
    claims = jwt.decode(response.json()["token"], options={"verify_signature": False})
    assert claims.pop("exp") - claims.pop("iat") == 300
    assert claims == {
        "user": {"username": "ada"},
        "resources": [{"type": "dashboard", "id": client.dashboard}],
        "rls_rules": [{"clause": "1 = 1"}],
        "aud": "http://0.0.0.0:8080/",
        "type": "guest",
    }


CSRF: dict[str, tuple[dict[str, str | None], bool, str]] = {
    "no token": ({"X-CSRFToken": None}, True, "The CSRF token is missing."),
    "before authentication": ({"X-CSRFToken": None, "Authorization": None}, True, "The CSRF token is missing."),
    "no cookie": ({}, False, "The CSRF session token is missing."),
    "no such token": ({"X-CSRFToken": "abc"}, True, "The CSRF token is invalid."),
}


@pytest.mark.parametrize(("change", "cookie", "message"), CSRF.values(), ids=CSRF)
def test_answers_without_csrf_token(change: dict[str, str | None], cookie: bool, message: str, client: Client) -> None:
    headers = client.headers()
    if not cookie:
        client.http.cookies.clear()
    response = client.guest_token({**headers, **change})
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == f"400 Bad Request: {message}"


def test_answers_to_the_csrf_token_of_another_session(client: Client) -> None:
    headers = client.headers()
    client.http.cookies.clear()
    client.headers()
    response = client.guest_token(headers)
    assert response.json()["errors"][0]["message"] == "400 Bad Request: The CSRF tokens do not match."


BEARERS: dict[str, tuple[str | None, int, str]] = {
    "none": (None, 401, "Missing Authorization Header"),
    "basic": (
        "Basic abc",
        401,
        "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
    ),
    "garbage": ("Bearer garbage", 422, "Not enough segments"),
    "signed by others": (
        f"Bearer {jwt.encode({'sub': '1'}, 'x' * 32, 'HS256')}",
        422,
        "Signature verification failed",
    ),
}


@pytest.mark.parametrize(("bearer", "status", "message"), BEARERS.values(), ids=BEARERS)
@pytest.mark.parametrize("path", ["guest_token/", "csrf_token/"])
def test_answers_to_bad_access_tokens(path: str, bearer: str | None, status: int, message: str, client: Client) -> None:
    headers = {**client.headers(), "Authorization": bearer}
    response = client.call("GET" if path == "csrf_token/" else "POST", path, headers=headers, json=client.body())
    assert (response.status_code, response.json()) == (status, {"msg": message})


def test_answers_to_tokens_of_the_other_kind(client: Client) -> None:
    tokens = client.log_in()
    access = {"Authorization": f"Bearer {tokens['access_token']}"}
    refresh = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    response = client.call("GET", "csrf_token/", headers=refresh)
    assert (response.status_code, response.json()) == (422, {"msg": "Only non-refresh tokens are allowed"})
    response = client.call("POST", "refresh", headers=access)
    assert (response.status_code, response.json()) == (422, {"msg": "Only refresh tokens are allowed"})
    response = client.call("POST", "refresh", headers=refresh)
    assert response.status_code == 200
    again = {"Authorization": f"Bearer {response.json()['access_token']}"}
    assert client.call("GET", "csrf_token/", headers=again).status_code == 200


def test_answers_to_unknown_dashboards(client: Client) -> None:
    headers = client.headers()
    for dashboards in ([UNKNOWN], [client.dashboard, UNKNOWN], ["hello"]):
        response = client.guest_token(headers, json=client.body(*dashboards))
        assert (response.status_code, response.json()) == (400, {"message": "EmbeddedDashboard not found."})
    assert client.guest_token(headers, json=client.body(client.dashboard.upper())).status_code == 200


@pytest.mark.parametrize(
    ("missing", "status", "message"),
    [
        ("user", 500, "Fatal error"),
        ("rls", 400, {"rls": MISSING}),
        ("resources", 400, {"resources": MISSING}),
    ],
)
def test_answers_to_incomplete_requests(missing: str, status: int, message: Any, client: Client) -> None:
    body = {name: value for name, value in client.body().items() if name != missing}
    response = client.guest_token(client.headers(), json=body)
    assert (response.status_code, response.json()) == (status, {"message": message})


@pytest.mark.parametrize(("method", "path"), [("GET", "csrf_token"), ("POST", "guest_token")])
def test_answers_without_slash(method: str, path: str, client: Client) -> None:
    response = client.call(method, path)
    assert response.status_code == 308
    assert response.headers["Location"] == f"{client.url}/api/v1/security/{path}/"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "guest_token/", 405), ("POST", "nothing/", 404)])
def test_unknown_paths_and_methods_get_the_status_of_superset(
    method: str, path: str, status: int, client: Client
) -> None:
    assert client.call(method, path, json={}).status_code == status


def test_answers_to_frames(client: Client) -> None:
    page = requests.get(f"{client.url}/embedded/{client.dashboard}", headers={"Referer": "https://lms.example/"})
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert requests.get(f"{client.url}/embedded/{UNKNOWN}").status_code == 404


def as_guest(client: Client, path: str, token: str | None) -> requests.Response:
    return requests.get(f"{client.url}/api/v1/{path}", headers={"X-GuestToken": token})


def test_answers_to_guests(client: Client) -> None:
    token = client.guest_token(client.headers()).json()["token"]
    assert as_guest(client, "me/", token).json()["result"]["username"] == "ada"
    assert (
        as_guest(client, f"embedded_dashboard/{client.dashboard}", token).json()["result"]["uuid"] == client.dashboard
    )
    assert as_guest(client, f"embedded_dashboard/{UNKNOWN}", token).status_code == 404


@pytest.mark.parametrize("token", [None, "garbage", jwt.encode({"type": "guest"}, "x" * 32, "HS256")])
@pytest.mark.parametrize("path", ["me/", f"embedded_dashboard/{UNKNOWN}"])
def test_without_a_guest_token_the_answer_is_401(path: str, token: str | None, client: Client) -> None:
    response = as_guest(client, path, token)
    assert (response.status_code, response.json()) == (401, {"msg": "Missing Authorization Header"})


# Orders that only the stand-in takes


def test_guests_without_rights_are_forbidden(client: Client, superset_endpoint: SupersetEndpoint) -> None:
    token = client.guest_token(client.headers()).json()["token"]
    superset_endpoint.guests_may_read = False
    for path in ("me/", f"embedded_dashboard/{KNOWN}"):
        response = as_guest(client, path, token)
        assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})


def test_without_the_feature_there_is_nothing_to_embed(client: Client, superset_endpoint: SupersetEndpoint) -> None:
    superset_endpoint.embeds = False
    token = client.guest_token(client.headers()).json()["token"]
    assert as_guest(client, "me/", token).status_code == 401
    assert as_guest(client, f"embedded_dashboard/{KNOWN}", None).status_code == 404
    assert requests.get(f"{client.url}/embedded/{KNOWN}").status_code == 404


@pytest.mark.parametrize(
    ("referrer", "status"), [("https://lms.example/", 200), ("https://lms.example:444/", 403), (None, 403)]
)
def test_allowed_domains(
    referrer: str | None, status: int, client: Client, superset_endpoint: SupersetEndpoint
) -> None:
    superset_endpoint.allowed_domains[KNOWN] = ["https://other.example", "https://lms.example"]
    assert requests.get(f"{client.url}/embedded/{KNOWN}", headers={"Referer": referrer}).status_code == status


@pytest.mark.parametrize(
    ("permissions", "csrf", "guest"), [({GRANT, READ}, 200, 200), ({READ}, 200, 403), ({GRANT}, 403, 400)]
)
def test_permissions(
    permissions: set[str], csrf: int, guest: int, client: Client, superset_endpoint: SupersetEndpoint
) -> None:
    superset_endpoint.accounts["superset"] = (client.password, permissions)
    bearer = {"Authorization": f"Bearer {client.log_in()['access_token']}"}
    response = client.call("GET", "csrf_token/", headers=bearer)
    assert response.status_code == csrf
    token = response.json().get("result", "")
    assert client.guest_token({**bearer, "X-CSRFToken": token}).status_code == guest
    superset_endpoint.csrf_exempt = True
    assert client.guest_token(bearer).status_code == (200 if GRANT in permissions else 403)


def test_time_passes_as_it_is_told_to(client: Client, superset_endpoint: SupersetEndpoint) -> None:
    headers = client.headers()
    superset_endpoint.advance(899)
    assert client.guest_token(headers).status_code == 200
    superset_endpoint.advance(1)
    response = client.guest_token(headers)
    assert (response.status_code, response.json()) == (401, {"msg": "Token has expired"})
    superset_endpoint.access_token_secs = 1e9
    headers = client.headers()
    superset_endpoint.advance(7 * 24 * 3600 + 1)
    response = client.guest_token(headers)
    assert response.json()["errors"][0]["message"] == "400 Bad Request: The CSRF token has expired."


def test_a_new_secret_key_ends_every_login(client: Client, superset_endpoint: SupersetEndpoint) -> None:
    headers = client.headers()
    superset_endpoint.change_secret_key()
    assert client.guest_token(headers).status_code == 400
    superset_endpoint.csrf_exempt = True
    assert client.guest_token(headers).status_code == 422


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Client]:
    with SupersetEndpoint(tls=certificate) as endpoint:
        endpoint.dashboards.add(KNOWN)
        client = Client(endpoint.url, "superset", endpoint.accounts["superset"][0], KNOWN, str(certificate[0]))
        yield client
        client.http.close()


@pytest.mark.parametrize(
    ("referrer", "message"),
    [
        (None, "The referrer header is missing."),
        ("https://lms.example/", "The referrer does not match the host."),
        ("{url}/some/page", None),
    ],
)
def test_over_https_the_referrer_must_be_superset(referrer: str | None, message: str | None, secure: Client) -> None:
    headers = {**secure.headers(), "Referer": referrer and referrer.format(url=secure.url)}
    response = secure.guest_token(headers)
    assert response.status_code == (400 if message else 200)
    if message:
        assert response.json()["errors"][0]["message"] == f"400 Bad Request: {message}"


def test_planned_replies_come_once(client: Client, superset_endpoint: SupersetEndpoint) -> None:
    superset_endpoint.plan("login", Reply(503, "<p>Busy"), Reply(0))
    response = client.call("POST", "login", json={})
    assert (response.status_code, response.text) == (503, "<p>Busy")
    with pytest.raises(requests.ConnectionError):
        client.call("POST", "login", json={})
    assert client.log_in()["access_token"]
    assert [request.status for request in superset_endpoint.requests] == [503, 0, 200]
    assert superset_endpoint.paths() == ["login"] * 3


def test_a_guest_token_is_read_as_superset_reads_it(client: Client, superset_endpoint: SupersetEndpoint) -> None:
    token = client.guest_token(client.headers()).json()["token"]
    assert superset_endpoint.read_guest_token(token)["user"] == {"username": "ada"}
    superset_endpoint.guest_token_audience = "elsewhere"
    with pytest.raises(jwt.InvalidAudienceError):
        superset_endpoint.read_guest_token(token)
