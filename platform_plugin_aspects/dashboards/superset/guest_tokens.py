"""Guest tokens: asked of Superset with the service account, or signed here with the secret that both share.

A guest may read any column of a dashboard's datasets: only the row-level clauses in the token hold back other courses'
rows. Superset joins them by AND and checks nothing, so they come from ``clauses_for`` and are never left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

import jwt

from platform_plugin_aspects import optional_cache
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import (
    SupersetMisconfigured,
    SupersetRefused,
    SupersetUnavailable,
)
from platform_plugin_aspects.dashboards.superset.session import ServiceSession, service_session, token_of
from platform_plugin_aspects.dashboards.superset.transport import Deadline
from platform_plugin_aspects.redaction import Hidden

GUEST_TOKEN = "api/v1/security/guest_token/"
#: How long a dashboard that Superset does not know is left out before it is asked for again.
UNKNOWN_SECS = 300
#: The mark of the one request that finds out which dashboards are unknown; how long others wait for it, and how often
#: they look.
SEARCH = "platform_plugin_aspects.finding_unknown_dashboards"
SEARCH_WAIT_SECS = 1.0
LOOK_SECS = 0.02

logger = logging.getLogger(__name__)


class UnknownDashboard(SupersetRefused):
    """Superset has no embedded dashboard with one of the UUIDs."""


@dataclass(frozen=True)
class GuestToken:
    """A token for the browser, and when it ends by this machine's clock, in seconds since 1970."""

    token: str = field(repr=False)
    expires_at: float


#: Asks Superset for a token for these dashboards: ``request_token`` with all but them given.
Ask = Callable[[Sequence[str]], GuestToken]


def get_guest_token(username: str, dashboard_uuids: Sequence[str], clauses: Sequence[str]) -> GuestToken:
    """A new token that opens the embedded dashboards with those UUIDs, where all of the ``clauses`` hold.

    Superset refuses a token for several dashboards when it does not know one of them: that one is left out, and an
    error in the log names it.

    Raises ValueError without clauses, with which Superset would show every row, and SupersetError.
    """
    if not clauses:
        raise ValueError("A guest token without clauses would show the rows of every course")
    config = SupersetConfig.from_settings()
    uuids = [_canonical(uuid) for uuid in dashboard_uuids]
    if config.guest_token_secret:
        return sign(config, username, uuids, clauses)
    service = service_session(config)
    deadline = service.deadline()
    return _for_known(partial(request_token, service, username, clauses=clauses, deadline=deadline), uuids, deadline)


def _canonical(text: str) -> str:
    # Superset issues a token for anything, but it compares text: other spellings open nothing, and a number would open
    # the dashboard with that primary key, be it embedded or not.
    try:
        return str(UUID(text))
    except ValueError:
        raise SupersetMisconfigured(f"{text!r} is not the UUID of an embedded dashboard") from None


def _guest(username: str, uuids: Sequence[str], clauses: Sequence[str], name_of_rules: str) -> dict[str, Any]:
    return {
        "user": {"username": username},
        "resources": [{"type": "dashboard", "id": uuid} for uuid in uuids],
        # Never for one dataset: Superset would then not apply a clause that fails to parse.
        name_of_rules: [{"clause": clause} for clause in clauses],
    }


def sign(config: SupersetConfig, username: str, uuids: Sequence[str], clauses: Sequence[str]) -> GuestToken:
    """A token as ``get_guest_token`` gives it, made with the secret that is shared with Superset."""
    expires_at = time.time() + config.guest_token_lifetime_secs
    claims = {
        **_guest(username, uuids, clauses, "rls_rules"),
        "type": "guest",
        "aud": config.guest_token_audience,
        # Superset does not ask for it, and would accept a token without it for ever. No "iat": if our clock were ahead
        # of its own, Superset would refuse the token.
        "exp": expires_at,
    }
    try:
        token = jwt.encode(claims, config.guest_token_secret, config.guest_token_algorithm)
    except jwt.InvalidKeyError:
        raise SupersetMisconfigured(
            "guest_token_secret in SUPERSET_CONFIG is a key pair or certificate: it must be Superset's "
            "GUEST_TOKEN_JWT_SECRET"
        ) from None
    return GuestToken(token, expires_at)


def _for_known(ask: Ask, uuids: Sequence[str], deadline: Deadline) -> GuestToken:
    """A token for those of the dashboards that Superset knows; one request, unless one of them is newly missing."""
    known = _without_unknown(uuids)
    with suppress(UnknownDashboard):
        return ask(known)
    if not optional_cache.add(SEARCH, deadline.seconds):
        _wait_for_search(deadline)
        return ask(_without_unknown(uuids))
    missing: list[str] = []
    try:
        before, known = known, _without_unknown(uuids)
        if known != before:  # another request has found some since we looked
            with suppress(UnknownDashboard):
                return ask(known)
        for uuid in _unknown_among(ask, known):
            missing.append(uuid)
            # At once: what is found before the deadline needs not be found again.
            optional_cache.set_many({unknown_key(uuid): True}, UNKNOWN_SECS)
    finally:
        optional_cache.delete(SEARCH)
        if missing:
            logger.error(
                "Superset has no embedded dashboard %s: import it there and allow embedding, or correct its UUID in "
                "ASPECTS_INSTRUCTOR_DASHBOARDS, ASPECTS_IN_CONTEXT_DASHBOARDS or the XBlock. It is left out for %d s.",
                ", ".join(missing),
                UNKNOWN_SECS,
            )
    return ask([uuid for uuid in known if uuid not in missing])


def _without_unknown(uuids: Sequence[str]) -> list[str]:
    unknown = optional_cache.get_many([unknown_key(uuid) for uuid in uuids])
    return [uuid for uuid in uuids if unknown_key(uuid) not in unknown]


def unknown_key(uuid: str) -> str:
    """Under which it is remembered that Superset does not know a dashboard."""
    return f"platform_plugin_aspects.unknown_dashboard.{uuid}"


def _wait_for_search(deadline: Deadline) -> None:
    """Wait a moment for another request that finds out which dashboards are unknown. Raises SupersetUnavailable."""
    end = time.monotonic() + min(SEARCH_WAIT_SECS, deadline.left_or(0))
    while optional_cache.get(SEARCH):
        if time.monotonic() > end:
            raise SupersetUnavailable("Another request is finding out which dashboards Superset does not know")
        time.sleep(LOOK_SECS)


def _unknown_among(ask: Ask, uuids: Sequence[str]) -> Iterator[str]:
    """The dashboards that Superset does not know among those that it refused together: found by halving."""
    if len(uuids) == 1:
        yield from uuids
        return
    one, other = uuids[: len(uuids) // 2], uuids[len(uuids) // 2 :]
    is_one_known = _are_known(ask, one)
    if not is_one_known:
        yield from _unknown_among(ask, one)
    # If the one half is known, the other has unknown ones, unless these have appeared meanwhile.
    if (is_one_known and len(other) > 1) or not _are_known(ask, other):
        yield from _unknown_among(ask, other)


def _are_known(ask: Ask, uuids: Sequence[str]) -> bool:
    try:
        ask(uuids)
    except UnknownDashboard:
        return False
    return True


def request_token(
    service: ServiceSession, username: str, uuids: Sequence[str], clauses: Sequence[str], deadline: Deadline
) -> GuestToken:
    """A token as ``get_guest_token`` gives it, from Superset; UnknownDashboard where it does not know one of them."""
    if not uuids:
        raise SupersetRefused("Superset knows none of the dashboards")
    response = service.post(GUEST_TOKEN, _guest(username, uuids, clauses, "rls"), deadline)
    if response.status_code == HTTPStatus.BAD_REQUEST and "EmbeddedDashboard" in response.text:
        raise UnknownDashboard(f"Superset does not know one of the dashboards {', '.join(uuids)}")
    if response.status_code == HTTPStatus.FORBIDDEN:
        raise SupersetRefused(
            "Superset does not let the service account grant guest tokens",
            'give it "can grant guest token on SecurityRestApi"',
        )
    token = token_of(response, "token")
    return GuestToken(str(token), time.time() + _lifetime(token))


def _lifetime(token: Hidden) -> float:
    """Seconds between a token's two times, which are by Superset's clock."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return float(claims["exp"]) - float(claims["iat"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise SupersetRefused("Superset sent a guest token that is not a JWT with exp and iat") from None
