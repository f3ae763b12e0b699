"""Whether browsers show a page of Superset in a frame of another page.

The rules are those of Content Security Policy Level 3, section 6.4.2 ("frame-ancestors") and, where no policy has that
directive, of X-Frame-Options (HTML Standard, section 7.4.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

PORTS = {"http": 80, "https": 443}
_HOST_SOURCE = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*(?:\.[^:/]+)?|[^:/*]+)(?::(?P<port>[0-9]{1,5}|\*))?(?:/.*)?"
)


def may_frame(framer: str, framed: str, headers: Mapping[str, str]) -> bool:
    """Whether the page at the address ``framer`` may frame the one at ``framed``, which came with those headers."""
    around, inside = urlsplit(framer), urlsplit(framed)
    policies = list(_frame_ancestors(headers.get("Content-Security-Policy", "")))
    if policies:
        return all(any(_matches(source, around, inside) for source in sources) for sources in policies)
    options = {option.strip().upper() for option in headers.get("X-Frame-Options", "").split(",")}
    return "DENY" not in options and ("SAMEORIGIN" not in options or _origin(around) == _origin(inside))


def _frame_ancestors(header: str) -> Sequence[Sequence[str]]:
    """The sources in each policy's directive frame-ancestors, the first of a policy; a header may hold several."""
    found = []
    for policy in header.lower().split(","):
        directives = [directive.split() for directive in policy.split(";")]
        found += [directive[1:] for directive in directives if directive[:1] == ["frame-ancestors"]][:1]
    return found


def _matches(source: str, around: SplitResult, inside: SplitResult) -> bool:
    if source == "'self'":
        return _origin(around) == _origin(inside)
    if source == "*":
        return around.scheme in PORTS
    if source.endswith(":"):
        return _scheme_matches(source[:-1], around)
    given = _HOST_SOURCE.fullmatch(source)
    host = around.hostname or ""
    return (
        given is not None
        and _scheme_matches(given["scheme"] or inside.scheme, around)
        and (host.endswith(given["host"][1:]) if given["host"].startswith("*") else host == given["host"])
        and _port_matches(given["port"], around)
    )


def _scheme_matches(scheme: str, around: SplitResult) -> bool:
    return around.scheme == scheme or (scheme, around.scheme) == ("http", "https")


def _port_matches(port: str | None, around: SplitResult) -> bool:
    default = PORTS.get(around.scheme)
    return port == "*" or (around.port or default) == (int(port) if port else default)


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or PORTS.get(url.scheme)
