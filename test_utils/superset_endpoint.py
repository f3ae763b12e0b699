"""A small HTTP endpoint that answers as Superset 6.1 does to a service account that wants guest tokens, and to browsers
that show an embedded dashboard, as far as these get without JavaScript.

Every status, header and body below was seen on a running Superset. The tokens are real JWTs. `objects` holds what
provisioning makes, and `superset_rest.py` answers for it. Accounts of other tests have permissions instead of roles.
"""

from __future__ import annotations

import json
import math
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from test_utils.http_endpoint import Handler, HttpEndpoint
from test_utils.superset_objects import Objects
from test_utils.superset_rest import MOST_LINE, Rest, is_rest

REST = "/api/v1/"
API = f"{REST}security/"
EMBEDDED, EMBEDDED_API, ME = "/embedded/", "/api/v1/embedded_dashboard/", "/api/v1/me/"
GRANT, READ = "can_grant_guest_token", "can_read"
CSRF_SECS = 7 * 24 * 3600
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """A request and how it was answered. `status` is 0 if the connection was cut."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    status: int


@dataclass(frozen=True)
class Reply:
    """An answer; `body` is sent as JSON unless it is text."""

    status: int
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class _Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, body: Any):
        self.reply = Reply(status, body)


def _message(status: int, message: Any) -> _Refused:
    return _Refused(status, {"message": message})


def _bad_jwt(status: int, message: str) -> _Refused:
    return _Refused(status, {"msg": message})


def _error(status: HTTPStatus, message: str) -> _Refused:
    issue = {"code": 1011, "message": "Issue 1011 - Superset encountered an unexpected error."}
    return _Refused(
        status,
        {
            "errors": [
                {
                    "message": f"{status} {status.phrase}: {message}",
                    "error_type": "GENERIC_BACKEND_ERROR",
                    "level": "error",
                    "extra": {"issue_codes": [issue]},
                }
            ]
        },
    )


def is_write_request(method: str, path: str) -> bool:
    """Whether a request changes what Superset holds. Some POSTs do not: those of sessions, tokens and tests."""
    reads = ("login", "refresh", "csrf_token", "guest_token", "test_connection", "chart/data")
    return method != "GET" and not path.rstrip("/").endswith(reads)


class _Handler(Handler):
    @property
    def endpoint(self) -> SupersetEndpoint:
        return self.server.endpoint

    def do_GET(self) -> None:
        with self.endpoint.serving():
            self._serve()

    do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        self.raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.body = json.loads(self.raw) if self.raw else None
        except ValueError:
            self.body = None
        self.endpoint.wait_while_held(self.path)
        reply = self.endpoint.planned_reply(self.path)
        is_write = is_write_request(self.command, self.path)
        if self.endpoint.is_dead() or (reply is not None and not reply.status):
            self._log(0)
            self.cut()
            return
        if reply is None:
            try:
                reply = self._answer()
            except _Refused as refused:
                reply = refused.reply
        if is_write and self.endpoint.dies_with_this_write():
            self._log(0)
            self.cut()
            return
        content, kind = (reply.body, HTML) if isinstance(reply.body, str) else (json.dumps(reply.body), JSON)
        self._log(reply.status)
        self.send_response_only(reply.status)
        for name, value in {
            "Content-Type": kind,
            **self.endpoint.framing,
            **reply.headers,
            "Content-Length": str(len(content.encode())),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content.encode())

    def _log(self, status: int) -> None:
        self.endpoint.log(Request(self.command, self.path, dict(self.headers), self.body, status))

    def _answer(self) -> Reply:
        routes: dict[str, tuple[str, Callable[[], Reply]]] = {
            f"{API}login": ("POST", self._login),
            f"{API}refresh": ("POST", self._refresh),
            f"{API}csrf_token/": ("GET", self._csrf_token),
            f"{API}guest_token/": ("POST", self._guest_token),
        }
        for place, answer_for in {EMBEDDED: self._embedded, EMBEDDED_API: self._embedded_api}.items():
            if self.path.startswith(place):
                return answer_for(self.path.removeprefix(place))
        if self.path == ME:
            return Reply(200, {"result": {"username": self._guest()["user"]["username"]}})
        if self.path == f"{ME}roles/":
            self._guest()
            return Reply(200, {"result": {"roles": {self.endpoint.guest_role: []}}})
        if self.path.endswith("/charts") and "X-GuestToken" in self.headers:
            return self._charts(int(self.path.removeprefix(f"{REST}dashboard/").removesuffix("/charts")))
        rest = self._rest()
        if rest is not None:
            return rest
        if f"{self.path}/" in routes:
            location = f"{self.endpoint.url}{self.path}/"
            return Reply(308, "<!doctype html><title>Redirecting...</title>", {"Location": location})
        if self.path not in routes:
            return Reply(404, "<!doctype html><title>404: Not found</title>")
        method, answer = routes[self.path]
        if self.command != method:
            raise _error(HTTPStatus.METHOD_NOT_ALLOWED, "The method is not allowed for the requested URL.")
        return answer()

    def _rest(self) -> Reply | None:
        """The answer of the API that provisioning uses; None for all else."""
        if self.path == f"{REST}chart/data":
            return self._chart_data()
        if not is_rest(self.path):
            return None
        if len(self.requestline) > MOST_LINE:
            return Reply(414, "<html><title>URI Too Long</title></html>")
        if self.command != "GET" and "import" not in self.path:
            self._check_csrf()
        user = self.endpoint.number_of(self._account("access"))
        found = Rest(self.endpoint.objects).answer(self.command, self.path, self.headers, self.raw, user)
        return found and Reply(*found)

    def _charts(self, dashboard: int) -> Reply:
        """The charts of a dashboard, as a guest reads them."""
        self._guest()
        objects = self.endpoint.objects
        charts = [objects.chart[number] for number in objects.dashboard[dashboard]["charts"]]
        forms = [{**json.loads(row["params"]), "datasource": f"{row['dataset']}__table"} for row in charts]
        named = [{"id": row["id"], "slice_name": row["slice_name"]} for row in charts]
        return Reply(200, {"result": [{**row, "form_data": form} for row, form in zip(named, forms, strict=True)]})

    def _chart_data(self) -> Reply:
        """Rows for a guest, who may ask a chart of the token's dashboards for what it was saved with.

        Accounts may ask any dataset of a connection that they may use, as far as row rules let them.
        """
        if "X-GuestToken" not in self.headers:
            self._check_csrf()
            user = self.endpoint.number_of(self._account("access"))
            return Reply(*Rest(self.endpoint.objects).chart_data(self.body, user))
        self._guest()
        form, objects = self.body["form_data"], self.endpoint.objects
        chart = objects.chart[form["slice_id"]]
        saved = json.loads(chart["query_context"] or "{}").get("queries", [])
        if form["slice_id"] not in objects.dashboard[form["dashboardId"]]["charts"] or self.body["queries"] != saved:
            raise _error(HTTPStatus.FORBIDDEN, "Guest user cannot modify chart payload")
        return Reply(200, {"result": [{"data": [], "status": "success"}]})

    def _login(self) -> Reply:
        if self.body is None:
            raise _message(400, "Request payload is not JSON")
        missing = {"username", "password"} - set(self.body)
        if missing:
            raise _message(400, {name: ["Missing data for required field."] for name in sorted(missing)})
        if "provider" not in self.body:
            raise _message(500, "Fatal error")
        if not self.endpoint.has_password(self.body["username"], self.body["password"]):
            raise _message(401, "Not authorized")
        tokens = {"access_token": self.endpoint.bearer_token("access", self.body["username"])}
        if self.body.get("refresh"):
            tokens["refresh_token"] = self.endpoint.bearer_token("refresh", self.body["username"])
        return Reply(200, tokens)

    def _refresh(self) -> Reply:
        return Reply(200, {"access_token": self.endpoint.bearer_token("access", self._account("refresh"))})

    def _csrf_token(self) -> Reply:
        self._permit(READ)
        csrf = uuid.uuid4().hex
        cookie = f"session={self.endpoint.sign({'csrf': csrf})}; HttpOnly; Path=/; SameSite=Lax"
        token = self.endpoint.sign({"csrf": csrf, "at": self.endpoint.now()})
        return Reply(200, {"result": token}, {"Set-Cookie": cookie})

    def _guest_token(self) -> Reply:
        if not self.endpoint.csrf_exempt:
            self._check_csrf()
        self._permit(GRANT)
        body = self.body
        if body is None or "user" not in body:
            raise _message(500, "Fatal error")
        missing = {"resources", "rls"} - set(body)
        if missing:
            raise _message(400, {name: ["Missing data for required field."] for name in sorted(missing)})
        known = self.endpoint.embedded_uuids()
        if any(resource["id"].lower() not in known for resource in body["resources"]):
            raise _message(400, "EmbeddedDashboard not found.")
        now = self.endpoint.now()
        claims = {
            "user": body["user"],
            "resources": body["resources"],
            "rls_rules": body["rls"],
            "iat": now,
            "exp": now + self.endpoint.guest_token_secs,
            "aud": self.endpoint.guest_token_audience,
            "type": "guest",
        }
        return Reply(200, {"token": jwt.encode(claims, self.endpoint.guest_token_secret, "HS256")})

    def _embedded(self, dashboard: str) -> Reply:
        """The page in the frame; it asks for the rest with the guest token."""
        if not self.endpoint.embeds or dashboard not in self.endpoint.dashboards:
            return Reply(404, "<!doctype html><title>404: Not found</title>")
        domains = [urlsplit(domain)[:2] for domain in self.endpoint.allowed_domains.get(dashboard, ())]
        if domains and urlsplit(self.headers.get("Referer", ""))[:2] not in domains:
            raise _error(HTTPStatus.FORBIDDEN, "You don't have the permission to access the requested resource.")
        bootstrap = json.dumps({"common": {"feature_flags": self.endpoint.feature_flags}})
        return Reply(
            200, f'<!DOCTYPE html><title>Superset</title><div id="app" data-bootstrap="{escape(bootstrap)}"></div>'
        )

    def _embedded_api(self, dashboard: str) -> Reply:
        if not self.endpoint.embeds:
            raise _message(404, "Not found")
        self._guest()
        if dashboard not in self.endpoint.embedded_uuids():
            raise _message(404, "Not found")
        embedded = self.endpoint.objects.embedded.items()
        numbers = [number for number, row in embedded if row["uuid"] == dashboard]
        more = {"dashboard_id": str(numbers[0])} if numbers else {}
        return Reply(200, {"result": {"uuid": dashboard, **more}})

    def _guest(self) -> dict[str, Any]:
        """The claims of the guest token, if that is good for anything."""
        try:
            claims = self.endpoint.read_guest_token(self.headers.get("X-GuestToken", ""))
        except (jwt.PyJWTError, KeyError):
            claims = {}
        if not claims or not self.endpoint.embeds:
            raise _bad_jwt(401, "Missing Authorization Header")
        if not self.endpoint.guests_may_read:
            raise _message(403, "Forbidden")
        return claims

    def _check_csrf(self) -> None:
        """Before authentication, as Superset does."""
        bad = HTTPStatus.BAD_REQUEST
        header = self.headers.get("X-CSRFToken")
        if not header:
            raise _error(bad, "The CSRF token is missing.")
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("session")
        session = self.endpoint.read_signed(cookie.value) if cookie else None
        if session is None:
            raise _error(bad, "The CSRF session token is missing.")
        token = self.endpoint.read_signed(header)
        if token is None:
            raise _error(bad, "The CSRF token is invalid.")
        if token["at"] + CSRF_SECS < self.endpoint.now():
            raise _error(bad, "The CSRF token has expired.")
        if token["csrf"] != session["csrf"]:
            raise _error(bad, "The CSRF tokens do not match.")
        if self.endpoint.tls is not None:
            referrer = self.headers.get("Referer")
            if not referrer:
                raise _error(bad, "The referrer header is missing.")
            if urlsplit(referrer)[:2] != urlsplit(self.endpoint.url)[:2]:
                raise _error(bad, "The referrer does not match the host.")

    def _permit(self, permission: str) -> None:
        if not self.endpoint.may(self._account("access"), permission):
            raise _message(403, "Forbidden")

    def _account(self, kind: str) -> str:
        """The account of the bearer token."""
        header = self.headers.get("Authorization")
        if header is None:
            raise _bad_jwt(401, "Missing Authorization Header")
        scheme, _, token = header.partition(" ")
        if scheme != "Bearer":
            raise _bad_jwt(
                401, "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'"
            )
        if token.count(".") < 2:
            raise _bad_jwt(422, "Not enough segments")
        claims = self.endpoint.read_signed(token)
        if claims is None:
            raise _bad_jwt(422, "Signature verification failed")
        if claims["exp"] <= self.endpoint.now():
            raise _bad_jwt(401, "Token has expired")
        if claims.get("type") != kind:
            wanted = "refresh" if kind == "refresh" else "non-refresh"
            raise _bad_jwt(422, f"Only {wanted} tokens are allowed")
        return self.endpoint.name_of(int(claims["sub"]))


class SupersetEndpoint(HttpEndpoint[Request]):
    """Superset, with a clock that can be put forward, planned replies and requests that are held.

    `accounts`: {username: (password, permissions)}. `dashboards`: embedded UUIDs in lower case. `allowed_domains`: of
    each dashboard; those without may be embedded anywhere. `embeds`: the feature EMBEDDED_SUPERSET. `feature_flags`:
    all of them, as the page in the frame holds them. `framing`: the headers that say which pages may frame Superset.
    `guests_may_read`: whether the role of guests is of any use; `guest_role`: its name. `objects`: what provisioning
    makes, and the accounts with roles.
    """

    handler = _Handler

    def __init__(self, port: int = 0, tls: tuple[str | Path, str | Path] | None = None):
        super().__init__(port, tls=tls)
        self.dashboards: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """As just set up: the default account and configuration, without requests, planned replies and held ones."""
        self.clear()
        self.accounts: dict[str, tuple[str, set[str]]] = {"superset": ("s3cret-password", {GRANT, READ})}
        self.csrf_exempt = False
        self.access_token_secs = 900.0
        self.guest_token_secs = 300.0
        self.guest_token_audience = "http://0.0.0.0:8080/"
        self.guest_token_secret = "guest-token-secret-0123456789-abcdef"
        self.dashboards.clear()
        self.allowed_domains: dict[str, list[str]] = {}
        self.embeds = True
        self.feature_flags: Any = {"EMBEDDED_SUPERSET": True, "ALLOW_ADHOC_SUBQUERY": False}
        self.framing = {"X-Frame-Options": "SAMEORIGIN"}
        self.guests_may_read = True
        self.guest_role = "Aspects Guest"
        self.objects = Objects()
        self._numbers: dict[str, int] = {}
        self._writes_left: int | None = None
        self.change_secret_key()
        self._ahead = 0.0
        self._planned: list[tuple[str, Reply | None]] = []
        self._lock = threading.Lock()
        self._held = ""
        self._released = threading.Event()
        self._arrived = threading.Semaphore(0)

    def config(self, **more: Any) -> dict[str, Any]:
        """SUPERSET_CONFIG for this endpoint."""
        password, _permissions = self.accounts["superset"]
        return {"service_url": self.url, "username": "superset", "password": password, **more}

    def paths(self) -> list[str]:
        """The last words of the paths that were asked for, in order: login, csrf_token, guest_token."""
        return [request.path.removeprefix(API).strip("/") for request in self.requests]

    # Accounts: those of a test with permissions, and those of `objects` with roles

    def has_password(self, username: str, password: str) -> bool:
        user = self._user(username)
        if user is not None:
            return bool(user["active"] and user["password"] == password)
        return self.accounts.get(username, (None, ()))[0] == password

    def may(self, username: str, permission: str) -> bool:
        """Whether an account has a permission on SecurityRestApi."""
        user = self._user(username)
        if user is not None:
            return (permission, "SecurityRestApi") in self.objects.rights_of(user["id"])
        return permission in self.accounts[username][1]

    def number_of(self, username: str) -> int:
        user = self._user(username)
        return user["id"] if user is not None else self._numbers.setdefault(username, 1000 + len(self._numbers))

    def name_of(self, number: int) -> str:
        user = self.objects.users.get(number)
        return user["username"] if user else next(name for name, known in self._numbers.items() if known == number)

    def _user(self, username: str) -> dict[str, Any] | None:
        return next((user for user in self.objects.users.values() if user["username"] == username), None)

    def embedded_uuids(self) -> set[str]:
        return self.dashboards | {embedded["uuid"] for embedded in self.objects.embedded.values()}

    def writes(self) -> list[str]:
        """The requests that changed something, as "POST dashboard/1/embedded"."""
        return [
            f"{request.method} {urlsplit(request.path).path.removeprefix(REST)}"
            for request in self.requests
            if is_write_request(request.method, request.path)
        ]

    # Time and secrets

    def now(self) -> float:
        """The server's time."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the server's clock forward."""
        self._ahead += seconds

    def change_secret_key(self) -> None:
        """Invalidate all that the server has signed so far."""
        self._secret_key = uuid.uuid4().hex

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._secret_key, "HS256")

    def read_signed(self, token: str) -> dict[str, Any] | None:
        """The claims of what the server signed, else None. Whether they have expired is for its own clock to say."""
        try:
            return jwt.decode(token, self._secret_key, ["HS256"], options={"verify_exp": False})
        except jwt.PyJWTError:
            return None

    def bearer_token(self, kind: str, username: str) -> str:
        seconds = self.access_token_secs if kind == "access" else 30 * 24 * 3600
        sub = str(self.number_of(username))
        return self.sign({"type": kind, "sub": sub, "jti": uuid.uuid4().hex, "exp": self.now() + seconds})

    def read_guest_token(self, token: str) -> dict[str, Any]:
        """The claims of a guest token that the server accepts. Raises jwt.PyJWTError or KeyError for any other."""
        by_our_clock = {"verify_exp": False, "verify_iat": False}
        with warnings.catch_warnings(action="ignore"):  # PyJWT warns of short secrets, as Superset's default is.
            claims: dict[str, Any] = jwt.decode(
                token, self.guest_token_secret, ["HS256"], audience=self.guest_token_audience, options=by_our_clock
            )
        if not claims.get("iat", 0) <= self.now() < claims.get("exp", math.inf):
            raise jwt.InvalidTokenError("The token is not valid now")
        if claims["type"] != "guest" or None in (claims["user"], claims["resources"], claims["rls_rules"]):
            raise jwt.InvalidTokenError("This is not a guest token.")
        return claims

    # What goes wrong

    def plan(self, path: str, *replies: Reply | None) -> None:
        """Answer the next requests whose path contains `path` so. Status 0 resets the connection; None: as ever."""
        with self._lock:
            self._planned += [(path, reply) for reply in replies]

    def planned_reply(self, path: str) -> Reply | None:
        with self._lock:
            planned = next((plan for plan in self._planned if plan[0] in path), None)
            if planned is not None:
                self._planned.remove(planned)
            return planned and planned[1]

    def die_after(self, writes: int) -> None:
        """Do so many writes, lose the answer to the last of them, and cut all requests from then on."""
        self._writes_left = writes

    def revive(self) -> None:
        """Answer again."""
        self._writes_left = None

    def is_dead(self) -> bool:
        return self._writes_left == 0

    def dies_with_this_write(self) -> bool:
        if self._writes_left is None:
            return False
        self._writes_left -= 1
        return self._writes_left == 0

    def hold(self, path: str) -> None:
        """Do not answer requests whose path contains `path` until release()."""
        self._released.clear()
        self._held = path

    def wait_while_held(self, path: str) -> None:
        if self._held and self._held in path:
            self._arrived.release()
            self._released.wait()

    def wait_for_held(self) -> None:
        """Wait for one more request that is held."""
        assert self._arrived.acquire(timeout=60)

    def release(self) -> None:
        """Answer the held requests, and hold no more."""
        self._held = ""
        self._released.set()
