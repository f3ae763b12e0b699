"""Superset's REST API for one account: lists, objects and imports, as a command needs them.

Nothing is kept between runs. Every request has a deadline of its own, and an error never quotes what Superset said,
because that may quote the request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import jwt
import requests
from urllib3.filepost import encode_multipart_formdata

from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetForbidden,
    SupersetMisconfigured,
    SupersetRefused,
)
from platform_plugin_aspects.dashboards.superset.rison import SAFE, Value, rison
from platform_plugin_aspects.dashboards.superset.session import CSRF_TOKEN, LOGIN, bearer, exchange, send, token_of
from platform_plugin_aspects.dashboards.superset.transport import Deadline, new_session
from platform_plugin_aspects.proxies import requests_proxy
from platform_plugin_aspects.redaction import Hidden, HiddenBytes

#: Superset gives at most so many rows of a list at once.
PAGE_SIZE = 100
#: UUIDs in one request: the servers that Superset recommends refuse a request line of more than 4,094 characters.
UUIDS = 50
#: The shortest deadline of a request. Superset's forms are slower than its guest tokens.
LEAST_SECS = 30.0
#: The deadline of an import, which writes some hundred objects and asks ClickHouse for each table.
IMPORT_SECS = 300.0
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Account:
    """Somebody who may log in to Superset. ``source`` says where the password comes from, for messages."""

    username: str
    password: str = field(repr=False)
    source: str = "the options, the environment or the prompt"


class WrongPassword(SupersetMisconfigured):
    """Superset does not know the account, or its password is another one."""


class SupersetApi:
    """The API at ``url`` (which ends in ``/``), for one account, who is logged in with the first request.

    All methods raise SupersetError.
    """

    def __init__(self, url: str, account: Account, timeout_secs: float = LEAST_SECS):
        self.url = url
        self.account = account
        self._timeout_secs = max(timeout_secs, LEAST_SECS)

    @cached_property
    def _http(self) -> requests.Session:
        http = new_session()
        # Superset's protection against CSRF wants it over https.
        http.headers["Referer"] = self.url
        account = {"username": self.account.username, "password": Hidden(self.account.password), "provider": "db"}
        body = HiddenBytes(json.dumps(account).encode())
        response = send(http, "POST", self.url + LOGIN, self._deadline(), data=body, headers=JSON)
        _check_address(response)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise WrongPassword(
                f"Superset does not let {self.account.username!r} log in",
                f"correct the username and the password, which come from {self.account.source}",
            )
        self._access_token = token_of(response, "access_token")
        http.auth = bearer(self._access_token)
        response = send(http, "GET", self.url + CSRF_TOKEN, self._deadline())
        if response.status_code == HTTPStatus.FORBIDDEN:
            raise SupersetForbidden(
                f"Superset gives {self.account.username!r} no CSRF token, without which it takes no change",
                'give the account "can read on SecurityRestApi", or run the command with an administrator\'s log-in',
            )
        http.headers["X-CSRFToken"] = token_of(response, "result")
        return http

    def log_in(self) -> None:
        """Log in, unless that is done. Raises WrongPassword and other errors of Superset."""
        _ = self._http

    @property
    def user_id(self) -> int:
        """The account's primary key. It stands in the access token, and no right is needed to read it there."""
        self.log_in()
        claims = jwt.decode(self._access_token, options={"verify_signature": False})
        try:
            return int(claims["sub"])
        except (KeyError, ValueError):
            raise SupersetRefused("Superset sent an access token without the account's number") from None

    # Reading

    def get(self, path: str) -> dict[str, Any] | None:
        """The JSON at ``path`` (below ``api/v1/``), None where Superset has no such thing."""
        response = self._send("GET", path)
        return None if response.status_code == HTTPStatus.NOT_FOUND else self._content(response)

    def rows(
        self, path: str, columns: Sequence[str] = (), order: str = "", **filters: tuple[str, Value]
    ) -> list[dict[str, Any]]:
        """All rows of a list, page after page, by the column ``order``.

        ``filters``: column -> (Superset's operator, value). A list that may have several pages needs an order.
        """
        query: dict[str, Value] = {"page_size": PAGE_SIZE}
        if columns:
            query["columns"] = list(columns)
        if order:
            query |= {"order_column": order, "order_direction": "asc"}
        query["filters"] = [{"col": name, "opr": opr, "value": value} for name, (opr, value) in filters.items()]
        found: list[dict[str, Any]] = []
        while True:
            page = self.get(f"{path}?q={quote(rison({**query, 'page': len(found) // PAGE_SIZE}), SAFE)}")
            if page is None:
                raise SupersetMisconfigured(
                    f"Superset has no {self.url}api/v1/{path}",
                    "correct internal_service_url in SUPERSET_CONFIG, and leave FAB_ADD_SECURITY_API in Superset's "
                    "configuration at True",
                )
            rows = page.get("result", [])
            found += rows
            if len(rows) < PAGE_SIZE:
                return found

    def by_uuid(self, kind: str, uuids: Iterable[str], columns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """The datasets, charts, dashboards or databases with these UUIDs, by UUID. All have ``id``."""
        found = {}
        for some in chunks(sorted(uuids)):
            for row in self.rows(f"{kind}/", ["id", "uuid", *columns], uuid=("in", some)):
                found[str(row["uuid"])] = row
        return found

    # Writing

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to POST; ``body`` is sent as JSON."""
        return self._content(self.try_post(path, body))

    def try_post(self, path: str, body: Mapping[str, Any]) -> requests.Response:
        """Superset's answer to POST, which may be an error."""
        return self._send("POST", path, data=HiddenBytes(json.dumps(body).encode()), headers=JSON)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to PUT; ``body`` is sent as JSON."""
        return self._content(self._send("PUT", path, data=HiddenBytes(json.dumps(body).encode()), headers=JSON))

    def delete(self, kind: str, ids: Iterable[int]) -> None:
        """Delete the objects with these primary keys."""
        for some in chunks(sorted(ids)):
            self._content(self._send("DELETE", f"{kind}/?q={quote(rison(some), SAFE)}"))

    def import_assets(self, bundle: bytes, passwords: Mapping[str, str], is_part: bool = False) -> requests.Response:
        """Superset's answer to an import of a zip, which may be an error.

        ``passwords``: file in ``databases/`` -> password. ``is_part``: the zip names objects that are not in it, but
        in Superset.
        """
        file = ("aspects.zip", bundle, "application/zip")
        sparse = "true" if is_part else "false"
        body, kind = encode_multipart_formdata({"bundle": file, "passwords": json.dumps(passwords), "sparse": sparse})
        body = HiddenBytes(body)
        options = {"data": body, "headers": {"Content-Type": kind}}
        return self._send("POST", "assets/import/", Deadline(max(IMPORT_SECS, self._timeout_secs)), **options)

    # One request

    def _deadline(self) -> Deadline:
        return Deadline(self._timeout_secs)

    def _send(self, method: str, path: str, deadline: Deadline | None = None, **options: Any) -> requests.Response:
        url = f"{self.url}api/v1/{path}"
        response = send(self._http, method, url, deadline or self._deadline(), **options)
        if response.status_code == HTTPStatus.UNAUTHORIZED:  # the access token has expired: 15 minutes
            del self._http
            response = send(self._http, method, url, deadline or self._deadline(), **options)
        _check_address(response)
        return response

    def _content(self, response: requests.Response) -> dict[str, Any]:
        if response.status_code == HTTPStatus.FORBIDDEN:
            raise SupersetForbidden(
                f"Superset does not let {self.account.username!r} do this: {asked(response)}",
                "run the command with the log-in of an administrator of Superset",
            )
        if not response.ok:
            raise SupersetRefused(asked(response), "Superset's log says why")
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise SupersetRefused(f"{asked(response)}, but without JSON", "see that the address is Superset's")
        return content


def chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    """The values, as many at once as a request line holds."""
    for start in range(0, len(values), UUIDS):
        yield list(values[start : start + UUIDS])


def asked(response: requests.Response) -> str:
    """The request, without its query, and the status of its answer."""
    parts = urlsplit(str(response.request.url))
    url = f"{parts.scheme}://{parts.netloc}{parts.path}"
    return f"{response.request.method} {url}{requests_proxy(url)} was answered with HTTP {response.status_code}"


def _check_address(response: requests.Response) -> None:
    if response.is_redirect:
        raise SupersetMisconfigured(exchange(response), "correct internal_service_url in SUPERSET_CONFIG")
