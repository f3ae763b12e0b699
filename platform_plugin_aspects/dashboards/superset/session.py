"""The service account's session with Superset's REST API.

Logging in takes two requests and the hashing of a password, so each process logs in once and keeps
an access token (15 minutes, unless Superset is told otherwise) and a CSRF token with its cookie (a week).
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import requests

from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetMisconfigured,
    SupersetRefused,
    SupersetTimeout,
    SupersetUnavailable,
)
from platform_plugin_aspects.dashboards.superset.transport import MOST_BYTES, Deadline, TooLarge, new_session, request
from platform_plugin_aspects.errors import root_cause
from platform_plugin_aspects.proxies import requests_proxy
from platform_plugin_aspects.redaction import Hidden, HiddenBytes

LOGIN = "api/v1/security/login"
CSRF_TOKEN = "api/v1/security/csrf_token/"
#: Answers, mostly of proxies, that mean "later".
UNAVAILABLE = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE}
#: An expired access token, and one that is malformed or was signed with an older key.
BAD_ACCESS_TOKEN = {HTTPStatus.UNAUTHORIZED, HTTPStatus.UNPROCESSABLE_ENTITY}
#: The characters of tokens. Others are not allowed in a header.
TOKEN = re.compile(r"[\w.-]+", re.ASCII)


class ServiceSession:
    """The service account at one Superset, for all threads of a process.

    Only Superset knows when a login ends, so it is used until Superset refuses it; then one thread logs in again.
    """

    def __init__(self, config: SupersetConfig):
        self._config = config
        self._lock = threading.Lock()
        self._http: requests.Session | None = None

    def post(self, path: str, body: dict[str, Any], deadline: Deadline) -> requests.Response:
        """Superset's answer to the service account, who is logged in for it, and once again if need be.

        All of it ends by the ``deadline``. Raises SupersetError when there is no answer, or none that Superset's API
        would give.
        """
        http = self._logged_in(None, deadline)
        response = self._send(http, "POST", path, deadline, json=body)
        if _refuses_login(response):
            response = self._send(self._logged_in(http, deadline), "POST", path, deadline, json=body)
        if response.status_code in BAD_ACCESS_TOKEN:
            raise SupersetRefused(f"{exchange(response)} right after logging in")
        if _refuses_login(response):
            raise SupersetRefused(
                f"{exchange(response)}, because the request had no CSRF token or no referrer",
                'give the service account "can read on SecurityRestApi", or Superset\'s WTF_CSRF_EXEMPT_LIST the entry '
                '"superset.security.api.guest_token"; over https, internal_service_url in SUPERSET_CONFIG must be the '
                "address by which Superset knows itself",
            )
        return response

    def deadline(self) -> Deadline:
        """The end of an exchange that begins now."""
        return Deadline(self._config.timeout_secs)

    def _logged_in(self, refused: requests.Session | None, deadline: Deadline) -> requests.Session:
        """The login of this process; a new one if it is still the ``refused`` one."""
        current = self._http
        if current is not None and current is not refused:
            return current
        if not self._lock.acquire(timeout=deadline.left_or(0)):
            raise SupersetTimeout(f"Superset did not log us in within {deadline.seconds} s")
        try:
            if self._http is None or self._http is refused:
                self._http = self._log_in(deadline)
            return self._http
        finally:
            self._lock.release()

    def _log_in(self, deadline: Deadline) -> requests.Session:
        http = new_session()
        # Superset's protection against CSRF wants it over https.
        http.headers["Referer"] = self._config.internal_service_url
        account = {"username": self._config.username, "password": Hidden(self._config.password), "provider": "db"}
        body = HiddenBytes(json.dumps(account).encode())
        response = self._send(http, "POST", LOGIN, deadline, data=body, headers={"Content-Type": "application/json"})
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise SupersetMisconfigured(exchange(response), "correct username and password in SUPERSET_CONFIG")
        http.auth = bearer(token_of(response, "access_token"))
        response = self._send(http, "GET", CSRF_TOKEN, deadline)
        # An account that may not read it does without where Superset exempts guest tokens from CSRF protection.
        if response.status_code != HTTPStatus.FORBIDDEN:
            http.headers["X-CSRFToken"] = token_of(response, "result")
        return http

    def _send(
        self, http: requests.Session, method: str, path: str, deadline: Deadline, **options: Any
    ) -> requests.Response:
        response = send(http, method, self._config.internal_service_url + path, deadline, **options)
        if response.is_redirect or response.status_code == HTTPStatus.NOT_FOUND:
            raise SupersetMisconfigured(exchange(response), "correct internal_service_url in SUPERSET_CONFIG")
        return response


def send(http: requests.Session, method: str, url: str, deadline: Deadline, **options: Any) -> requests.Response:
    """Superset's answer, which may be an error or a redirect; ``http`` is of ``transport.new_session``.

    Raises SupersetUnavailable and SupersetTimeout when there is none, or only that of a proxy which waits for Superset,
    SupersetMisconfigured when TLS fails, and SupersetRefused when it is too large.
    """
    asked = f"{method} {url}{requests_proxy(url)}"
    try:
        response = request(http, method, url, deadline, **options)
    except (requests.Timeout, TimeoutError):
        raise SupersetTimeout(f"{asked} was not answered within {deadline.seconds} s") from None
    except TooLarge:
        size = f"{MOST_BYTES // 1024 // 1024} MiB"
        raise SupersetRefused(f"{asked} was answered with more than {size}") from None
    except requests.exceptions.SSLError as error:
        raise SupersetMisconfigured(
            f"{asked} failed over TLS: {error}",
            "correct the address in SUPERSET_CONFIG, or name the certificates to trust in REQUESTS_CA_BUNDLE",
        ) from None
    # ValueError: the environment names a proxy with an invalid address.
    except (requests.RequestException, ValueError) as error:
        raise SupersetUnavailable(f"{asked} failed: {root_cause(error)}") from None
    if response.status_code in UNAVAILABLE:
        raise SupersetUnavailable(exchange(response))
    if response.status_code == HTTPStatus.GATEWAY_TIMEOUT:
        raise SupersetTimeout(exchange(response))
    return response


#: By process and configuration: a session that was inherited through fork would share its sockets with the parent.
sessions: dict[tuple[int, SupersetConfig], ServiceSession] = {}


def service_session(config: SupersetConfig) -> ServiceSession:
    """The session of this process at that Superset."""
    return sessions.setdefault((os.getpid(), config), ServiceSession(config))


def token_of(response: requests.Response, name: str) -> Hidden:
    """The token called ``name`` in the JSON of a successful answer. Raises SupersetRefused for any other answer."""
    token = _text_of(response, name) if response.status_code == HTTPStatus.OK else None
    if token is None or not TOKEN.fullmatch(token):
        raise SupersetRefused(f"{exchange(response)}, without {name}")
    return token


def _text_of(response: requests.Response, name: str) -> Hidden | None:
    try:
        value = response.json()[name]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return Hidden(value) if isinstance(value, str) else None


def exchange(response: requests.Response) -> str:
    """The request and the status of its answer. Superset's text stays out, because it may quote the request."""
    url = str(response.request.url)
    return f"{response.request.method} {url}{requests_proxy(url)} was answered with HTTP {response.status_code}"


def _refuses_login(response: requests.Response) -> bool:
    if response.status_code == HTTPStatus.BAD_REQUEST:
        return re.search("CSRF|referrer", response.text) is not None
    return response.status_code in BAD_ACCESS_TOKEN


def bearer(access_token: Hidden) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Authentication for requests, which would let a .netrc overrule a mere header."""

    def authenticate(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = Hidden(f"Bearer {access_token}")
        if "Cookie" in request.headers:
            request.headers["Cookie"] = Hidden(request.headers["Cookie"])
        return request

    return authenticate
