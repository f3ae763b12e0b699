"""Superset: whether it answers, has every dashboard, and lets browsers show them in the site's pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from http import HTTPStatus
from urllib.parse import urlsplit

import requests
from django.conf import settings

from platform_plugin_aspects.dashboards.dashboard_settings import INSTRUCTOR, Dashboard
from platform_plugin_aspects.dashboards.pages.framing import may_frame
from platform_plugin_aspects.dashboards.shown import listed
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig, is_configured
from platform_plugin_aspects.dashboards.superset.errors import SupersetError, SupersetMisconfigured, SupersetRefused
from platform_plugin_aspects.dashboards.superset.session import exchange
from platform_plugin_aspects.operations.doctor import guest_tokens
from platform_plugin_aspects.operations.doctor.findings import Examination, Finding, Mark, capitalized
from platform_plugin_aspects.operations.page_addresses import addresses, origin
from platform_plugin_aspects.reporting.layout import reports_are_on

#: Puts the plugin's own boards into Superset, and embeds them.
PROVISION = "aspects_provision --superset"
#: The flag of Superset that lets guests send subqueries.
SUBQUERIES = "ALLOW_ADHOC_SUBQUERY"


def examine(examination: Examination) -> Iterator[Finding]:
    """Ask Superset, as the plugin and as browsers do, for all that a page needs to show dashboards."""
    if not is_configured():
        shown = "pages show the numbers of courses alone" if reports_are_on() else "no reports are shown"
        yield Mark.NOTE(f"SUPERSET_CONFIG is not set: {shown}")
        return
    try:
        config = SupersetConfig.from_settings()
        found = listed()
    except SupersetMisconfigured as error:
        yield examination.because_of("Settings", "The settings of Superset are invalid", str(error))
        return
    for text in found.absent:
        yield Mark.PROBLEM(text.rstrip("."), f"Run {PROVISION}, or correct the setting")
    if not any(found.dashboards.values()):
        yield Mark.NOTE("No dashboards are configured")
        return
    try:
        yield from _look(config, found.dashboards)
    except SupersetError as error:
        remedy = error.remedy or "start Superset, or correct its address in SUPERSET_CONFIG; its log may say more"
        yield Mark.PROBLEM(error.problem, capitalized(remedy))


def _look(config: SupersetConfig, listed: Mapping[str, Sequence[Dashboard]]) -> Iterator[Finding]:
    dashboards = [dashboard for of_setting in listed.values() for dashboard in of_setting]
    refused: list[Dashboard] = []
    if config.guest_token_secret:
        token = guest_tokens.made_here(config)
        usable = guest_tokens.is_accepted(config, token)
    else:
        token, refused = guest_tokens.granted(config, dashboards)
        usable = bool(token)
    pages = {dashboard: _own_page(config, dashboard) for dashboard in dashboards}
    embedded = {dashboard: page for dashboard, page in pages.items() if page.status_code != HTTPStatus.NOT_FOUND}
    if not embedded and not _embeds(config, dashboards[0]):
        yield Mark.PROBLEM(
            "Superset does not embed dashboards",
            'Add "EMBEDDED_SUPERSET": True to FEATURE_FLAGS in Superset\'s configuration',
        )
        return
    if usable:
        yield Mark.OK(f"Superset {'accepts' if config.guest_token_secret else 'grants'} guest tokens")
    elif config.guest_token_secret:
        yield guest_tokens.refusal(config)
    if shown := [dashboard for dashboard in refused if dashboard in embedded]:
        yield Mark.PROBLEM(
            f"Superset grants no guest token for {len(shown)} dashboards that it embeds, among them {shown[0].name} "
            f"({shown[0].uuid})",
            "See that internal_service_url in SUPERSET_CONFIG names one Superset; its log may say more",
        )
    yield from _missing(listed, embedded)
    if embedded:
        if usable:
            yield from guest_tokens.guests(config, token, next(iter(embedded)))
        yield from _subqueries(embedded.values())
        yield from _refused(listed[INSTRUCTOR], embedded)
        yield from _framed(config, next(iter(embedded)))


def one(config: SupersetConfig, dashboard: Dashboard) -> Iterator[Finding]:
    """Whether guests open one dashboard, and pages may frame it. Raises SupersetError.

    Nothing is found while Superset embeds no dashboards: it then refuses every guest, whatever else is right.
    """
    if not _embeds(config, dashboard):
        return
    token = guest_tokens.made_here(config) if config.guest_token_secret else ""
    token = token or guest_tokens.granted(config, [dashboard])[0]
    yield from guest_tokens.guests(config, token, dashboard)
    yield from _framed(config, dashboard)


def _page(config: SupersetConfig, base_url: str, dashboard: Dashboard) -> requests.Response:
    """The answer that a browser gets for the frame in a page of the LMS."""
    referrer = f"{origin(settings.LMS_ROOT_URL)}/"
    return guest_tokens.get(config, f"{base_url}embedded/{dashboard.uuid}", Referer=referrer)


def _own_page(config: SupersetConfig, dashboard: Dashboard) -> requests.Response:
    """The same from Superset itself; SupersetRefused when it breaks."""
    page = _page(config, config.internal_service_url, dashboard)
    if page.status_code not in (HTTPStatus.OK, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        raise SupersetRefused(exchange(page), "look into Superset's log")
    return page


def _embeds(config: SupersetConfig, dashboard: Dashboard) -> bool:
    """Whether Superset's feature EMBEDDED_SUPERSET is on: without it, the answer is 404 before any login."""
    url = f"{config.internal_service_url}api/v1/embedded_dashboard/{dashboard.uuid}"
    return guest_tokens.get(config, url).status_code != HTTPStatus.NOT_FOUND


def _missing(
    listed: Mapping[str, Sequence[Dashboard]], embedded: Mapping[Dashboard, requests.Response]
) -> Iterator[Finding]:
    number = sum(map(len, listed.values()))
    if not embedded and number > 1:
        theirs = [name for name, boards in listed.items() if not all(board.is_own for board in boards)]
        remedies = [f"Run {PROVISION}"] if any(board.is_own for boards in listed.values() for board in boards) else []
        if theirs:
            remedies.append(f"Import them into Superset, embedded under the UUIDs in {' and '.join(theirs)}")
        yield Mark.PROBLEM(
            f"Superset has none of the {number} embedded dashboards and their translations", ". ".join(remedies)
        )
        return
    missing = [(name, board) for name, boards in listed.items() for board in boards if board not in embedded]
    for setting, dashboard in missing:
        if dashboard.is_own:
            yield Mark.PROBLEM(
                f"Superset has no embedded dashboard {dashboard.uuid}: the plugin's board {dashboard.name}"
                f" ({dashboard.slug}, {dashboard.language})",
                f"Run {PROVISION}",
            )
            continue
        of, further = "", ""
        if dashboard.language:
            of, further = f", translated ({dashboard.language})", ", or SUPERSET_DASHBOARD_LOCALES"
        yield Mark.PROBLEM(
            f"Superset has no embedded dashboard {dashboard.uuid}: {dashboard.name}{of}",
            f"Import it into Superset, embedded under this UUID, or correct {setting}{further}",
        )
    if embedded:
        yield Mark.OK(f"Superset has {len(embedded)} of the dashboards and their translations")


def _refused(dashboards: Sequence[Dashboard], embedded: Mapping[Dashboard, requests.Response]) -> Iterator[Finding]:
    """Dashboards that pages of the LMS show, and that Superset does not embed there."""
    lms = origin(settings.LMS_ROOT_URL)
    refused = [
        f"{dashboard.name} ({dashboard.uuid})"
        for dashboard in dashboards
        if dashboard in embedded and embedded[dashboard].status_code == HTTPStatus.FORBIDDEN
    ]
    if refused:
        yield Mark.PROBLEM(
            f"Superset does not embed in pages of {lms}: {', '.join(refused)}",
            f"Add {lms} to the allowed domains of each (in its menu in Superset, Embed dashboard), or empty them",
        )


class _Bootstrap(HTMLParser):
    """The JSON that Superset's page has for its own script."""

    data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.data = dict(attrs).get("data-bootstrap") or self.data


def _subqueries(pages: Iterable[requests.Response]) -> Iterator[Finding]:
    """The flag with which guests read past row-level clauses, where the page in the frame shows it."""
    page = next((page for page in pages if page.status_code == HTTPStatus.OK), None)
    if page is None:
        return
    try:
        reader = _Bootstrap()
        reader.feed(page.text)
        allowed = json.loads(reader.data)["common"]["feature_flags"][SUBQUERIES]
    except (ValueError, TypeError, KeyError, AssertionError, RecursionError):
        return
    if allowed:
        yield Mark.PROBLEM(
            f"Superset's flag {SUBQUERIES} is on: guests read all that Superset's user in ClickHouse may read",
            "Remove it from FEATURE_FLAGS in Superset's configuration",
        )


def _framed(config: SupersetConfig, dashboard: Dashboard) -> Iterator[Finding]:
    """Whether browsers show Superset in a frame of the LMS; for other pages, a note says so."""
    lms = settings.LMS_ROOT_URL
    if urlsplit(lms).scheme == "https" and urlsplit(config.service_url).scheme == "http":
        yield Mark.PROBLEM(
            f"Browsers do not show {config.service_url} in pages of {origin(lms)}: it is not https",
            "Serve Superset over https, and correct service_url in SUPERSET_CONFIG",
        )
        return
    mark, shown = Mark.OK, "Browsers may show Superset"
    try:
        page = _page(config, config.service_url, dashboard)
    except SupersetError as error:
        yield Mark.NOTE(f"The browsers' way to Superset, service_url, is closed from here: {error.problem}")
        page = _own_page(config, dashboard)
        # A proxy on the browsers' way may have its own headers.
        mark, shown = Mark.NOTE, "Superset itself may be shown"
    if page.status_code not in (HTTPStatus.OK, HTTPStatus.FORBIDDEN):
        yield Mark.PROBLEM(f"Browsers do not find Superset: {exchange(page)}", "Correct service_url in SUPERSET_CONFIG")
        return
    for url in addresses():
        shower = origin(url)
        if may_frame(url, config.service_url, page.headers):
            yield mark(f"{shown} in pages of {shower}")
        else:
            yield (Mark.PROBLEM if url == lms else Mark.NOTE)(
                f"Browsers do not show Superset in pages of {shower}: its Content-Security-Policy or X-Frame-Options "
                "forbids it",
                f'Add {shower} to "frame-ancestors" of the content_security_policy in TALISMAN_CONFIG of Superset\'s '
                "configuration, or where a proxy sets these headers",
            )
