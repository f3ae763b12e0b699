"""Guest tokens: whether Superset grants them, or accepts those made here, and what guests may do.

The expected answers are those of a running Superset 6.1.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import jwt
import requests

from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.superset.config import ALGORITHMS, SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetMisconfigured
from platform_plugin_aspects.dashboards.superset.guest_tokens import UnknownDashboard, request_token, sign
from platform_plugin_aspects.dashboards.superset.session import ServiceSession, exchange, send
from platform_plugin_aspects.dashboards.superset.transport import Deadline, new_session
from platform_plugin_aspects.operations.doctor.findings import Finding, Mark

ME = "api/v1/me/"
#: The user and the row-level clauses of the doctor's guest tokens.
GUEST = "aspects_check"
NO_ROWS = ("1 = 0",)
#: GUEST_TOKEN_JWT_SECRET, where Superset's operators have not set it.
DEFAULT_SECRET = "test-guest-secret-change-me"


def get(config: SupersetConfig, url: str, **headers: str) -> requests.Response:
    """Superset's answer to a browser without a session. Raises SupersetError if there is no answer."""
    # Without the cookies of earlier answers: Superset looks at guest tokens only where there is no session.
    with new_session() as http:
        return send(http, "GET", url, Deadline(config.timeout_secs), headers=headers)


def ask_as_guest(config: SupersetConfig, token: str, path: str) -> requests.Response:
    """The answer of Superset's API to a browser with this guest token."""
    return get(config, f"{config.internal_service_url}{path}", **{"X-GuestToken": token})


def granted(config: SupersetConfig, dashboards: Sequence[Dashboard]) -> tuple[str, list[Dashboard]]:
    """A guest token of Superset's, asked for with each dashboard, and the dashboards that Superset does not know.

    The token is "" when Superset knows none of them.
    """
    # Not the session of this process, which may have logged in before the password was changed.
    service = ServiceSession(config)
    token, unknown = "", []
    for dashboard in dashboards:
        try:
            token = request_token(service, GUEST, [dashboard.uuid], NO_ROWS, service.deadline()).token
        except UnknownDashboard:
            unknown.append(dashboard)
    return token, unknown


def made_here(config: SupersetConfig, **changes: Any) -> str:
    """A guest token made with the secret in SUPERSET_CONFIG, or with other values in its place."""
    with warnings.catch_warnings(action="ignore"):
        # PyJWT warns of short secrets, as Superset's default is. The system check W003 warns of the site's own.
        return sign(replace(config, **changes), GUEST, [], NO_ROWS).token


def is_accepted(config: SupersetConfig, token: str) -> bool:
    """Whether Superset accepts this token; SupersetMisconfigured if another server answers."""
    response = ask_as_guest(config, token, ME)
    if response.status_code == HTTPStatus.OK:
        # Superset can be set up to answer anonymous users, too.
        return f'"{GUEST}"' in response.text
    if response.status_code not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise SupersetMisconfigured(exchange(response), "correct internal_service_url in SUPERSET_CONFIG")
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return False
    # Forbidden: a guest whose role may not ask this, unless everybody is refused, by a proxy for example.
    response = ask_as_guest(config, "invalid", ME)
    return response.status_code != HTTPStatus.FORBIDDEN


def refusal(config: SupersetConfig) -> Finding:
    """Why Superset refuses the tokens made here. It does not say: try the values that operators leave unchanged."""
    if is_accepted(config, made_here(config, guest_token_secret=DEFAULT_SECRET, guest_token_algorithm="HS256")):
        return _default_secret("Set it to guest_token_secret of SUPERSET_CONFIG")
    urls = (config.service_url, config.internal_service_url)
    for audience in (SupersetConfig.guest_token_audience, *urls, *(url.rstrip("/") for url in urls)):
        if is_accepted(config, made_here(config, guest_token_audience=audience)):
            return Mark.PROBLEM(
                f"Superset refuses guest tokens for {config.guest_token_audience!r}, but not those for {audience!r}",
                f"Set guest_token_audience in SUPERSET_CONFIG to {audience!r}",
            )
    return Mark.PROBLEM(
        "Superset refuses guest tokens made with guest_token_secret",
        "Make guest_token_secret, guest_token_audience and guest_token_algorithm in SUPERSET_CONFIG what "
        "GUEST_TOKEN_JWT_SECRET, GUEST_TOKEN_JWT_AUDIENCE (or, without it, WEBDRIVER_BASEURL) and GUEST_TOKEN_JWT_ALGO "
        "are in Superset's configuration, and see that the clocks agree",
    )


def guests(config: SupersetConfig, token: str, dashboard: Dashboard) -> Iterator[Finding]:
    """Whether others can make this token too, and whether guests may open the dashboard."""
    if _is_made_with_default_secret(token):
        shared = ", and guest_token_secret to the same" if config.guest_token_secret else ""
        yield _default_secret(f"Set it to a long random text in Superset's configuration{shared}")
    response = ask_as_guest(config, token, f"api/v1/embedded_dashboard/{dashboard.uuid}")
    if response.status_code == HTTPStatus.FORBIDDEN:
        yield Mark.PROBLEM(
            "Guests may not read embedded dashboards in Superset",
            # A role that may not read datasets lets guests ask for any column (ADR 17).
            f"Set GUEST_ROLE_NAME in Superset's configuration to {config.guest_role!r}, the role that "
            'aspects_provision makes, or to a role with "can read" on EmbeddedDashboard, Dataset, Chart and Dashboard, '
            "and without datasource access",
        )
    elif response.status_code != HTTPStatus.OK:
        yield Mark.PROBLEM(
            f"Guests cannot open {dashboard.name} in Superset: {exchange(response)}",
            "Look into Superset's log, and see that nothing between removes the header X-GuestToken",
        )


def _is_made_with_default_secret(token: str) -> bool:
    with warnings.catch_warnings(action="ignore"), suppress(jwt.PyJWTError):
        jwt.decode(token, DEFAULT_SECRET, list(ALGORITHMS), options={"verify_aud": False, "verify_iat": False})
        return True
    return False


def _default_secret(remedy: str) -> Finding:
    return Mark.PROBLEM(
        "GUEST_TOKEN_JWT_SECRET is Superset's default, which is public: anybody can make tokens that show all rows",
        remedy,
    )
