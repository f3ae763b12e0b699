"""Dashboards in a page: the custom element ``<aspects-dashboards>`` and its configuration.

The element is defined by static/platform_plugin_aspects/dist/aspects-dashboards.js, which each page loads once or more.
All its texts come from here, so that one catalog of translations serves Python and JavaScript.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.shortcuts import resolve_url
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from platform_plugin_aspects.dashboards.dashboard_settings import Dashboard
from platform_plugin_aspects.dashboards.superset.config import service_url

log = logging.getLogger(__name__)

#: The static file that defines the element. npm builds it, so an installation may lack it.
SCRIPT = "platform_plugin_aspects/dist/aspects-dashboards.js"
#: The beginning of the slugs of the plugin's own dashboards.
OWN_SLUGS = "aspects-"
SCRIPT_MISSING = f"The static file {SCRIPT} is missing from this installation: pages show no dashboards."
SCRIPT_REMEDY = (
    "Build the package with `make wheel`, install the wheel in dist/, and run collectstatic. "
    "In an editable installation, run `make bundle`."
)


def script_url() -> str | None:
    """The address of the script that defines the element; None where the installation lacks the script."""
    return static(SCRIPT) if finders.find(SCRIPT) else None


def embed_config(dashboards: Sequence[Dashboard], guest_token_url: str, summary_url: str = "") -> dict[str, Any]:
    """The configuration of the element, as it goes into its attribute ``data-config``.

    Both URLs are addresses of our own on the page's host, which answer errors with ``{"detail", "code"}``.
    ``guest_token_url`` answers a GET with ``{"guestToken"}``, ``summary_url`` with the numbers above the dashboards;
    empty: no numbers. Without Superset there are no dashboards, and its address is empty. Raises SupersetMisconfigured.
    """
    url = service_url()
    link = {"url": f"{url}login/openedxsso", "text": _("View dashboards in Superset")}
    return {
        "supersetUrl": url,
        "guestTokenUrl": guest_token_url,
        "summaryUrl": summary_url,
        "dashboards": [
            {"uuid": dashboard.uuid, "name": dashboard.name, "slug": _board(dashboard)}
            for dashboard in (dashboards if url else ())
        ],
        "loginUrl": resolve_url(settings.LOGIN_URL),
        "link": link if url and settings.SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK else None,
        "sdkUrl": settings.ASPECTS_SUPERSET_SDK_URL,
        "stylesheetUrl": static("platform_plugin_aspects/css/dashboards.css"),
        "messages": {
            "tabs": _("Dashboards"),
            "empty": _("There are no dashboards to show."),
            "loading": _("Loading the dashboard…"),
            "slow": _("This takes longer than usual. Please wait…"),
            "unanswered": _(
                "The dashboard did not load. Please try again, and tell the site's administrators if this persists."
            ),
            "failed": _("The dashboard cannot be shown at the moment. Please try again in a few minutes."),
            "offline": _("The server cannot be reached. Please check your connection and try again."),
            "session_expired": _("Your session has ended. Please log in again."),
            "forbidden": _("You do not have permission to see this dashboard."),
            "retry": _("Try again"),
            "log_in": _("Go to the login page"),
            "new_window": _("(opens in a new window)"),
            "numbers": _("The course in numbers"),
            "numbers_loading": _("Loading the numbers…"),
            "numbers_failed": _("The numbers cannot be read at the moment. Please try again in a few minutes."),
            # The browser puts the name in.
            "numbers_show": _("Show the dashboard “{name}”"),
            "definition": _("What this number means"),
            "copy": _("Copy"),
            "copied": _("Copied"),
        },
    }


def _board(dashboard: Dashboard) -> str:
    """The slug by which numbers name the board that they lead to: without the language, and short for our own."""
    return dashboard.slug.removesuffix(f"-{dashboard.language}").removeprefix(OWN_SLUGS)


def element(config: dict[str, Any]) -> SafeString:
    """The element as HTML, safe in any page, or a notice where the installation lacks the script.

    Browsers show the text inside the element until the script has run, so it is for those where no script runs.
    """
    if script_url() is None:
        log.error("%s %s", SCRIPT_MISSING, SCRIPT_REMEDY)
        return format_html(
            "<p>{}</p>",
            _(
                "The dashboards cannot be shown: their script is missing from this installation. "
                "Please tell the site's administrators."
            ),
        )
    link = config["link"]
    return format_html(
        '<aspects-dashboards data-config="{}"><p>{} {}</p></aspects-dashboards>',
        json.dumps(config),
        _("The dashboards need JavaScript. If this text stays, their script did not load."),
        format_html('<a href="{}">{}</a>', link["url"], link["text"]) if link else "",
    )
