"""What a page needs to show dashboards: the custom element ``<aspects-dashboards>`` and its configuration.

The element is defined by static/platform_plugin_aspects/dist/aspects-dashboards.js, which each page loads once or more.
All its texts come from here, so that one catalog of translations serves Python and JavaScript.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from platform_plugin_aspects.superset.config import SupersetConfig
from platform_plugin_aspects.superset.dashboards import Dashboard

#: The static file that defines the element.
SCRIPT = "platform_plugin_aspects/dist/aspects-dashboards.js"


def script_url() -> str:
    """The address of the script that defines the element."""
    return static(SCRIPT)


def embed_config(dashboards: Sequence[Dashboard], guest_token_url: str) -> dict[str, Any]:
    """The configuration of the element, as it goes into its attribute ``data-config``.

    ``guest_token_url`` is an address of our own on the page's host, which answers a GET with ``{"guestToken"}``, or
    with ``{"detail", "code"}`` and an error status. Raises SupersetMisconfigured.
    """
    superset = SupersetConfig.from_settings()
    link = {"url": f"{superset.service_url}login/openedxsso", "text": _("View dashboards in Superset")}
    return {
        "supersetUrl": superset.service_url,
        "guestTokenUrl": guest_token_url,
        "dashboards": [{"uuid": dashboard.uuid, "name": dashboard.name} for dashboard in dashboards],
        "link": link if settings.SUPERSET_SHOW_INSTRUCTOR_DASHBOARD_LINK else None,
        "sdkUrl": settings.ASPECTS_SUPERSET_SDK_URL,
        "stylesheetUrl": static("platform_plugin_aspects/css/dashboards.css"),
        "messages": {
            "tabs": _("Dashboards"),
            "empty": _("There are no dashboards to show."),
            "loading": _("Loading the dashboard…"),
            "unanswered": _(
                "The dashboard did not load. Please try again, and tell the site's administrators if this persists."
            ),
            "failed": _("The dashboard cannot be shown at the moment. Please try again in a few minutes."),
            "offline": _("The server cannot be reached. Please check your connection and try again."),
            "session_expired": _("Your session has ended. Please log in again and reload this page."),
            "forbidden": _("You do not have permission to see this dashboard."),
            "retry": _("Try again"),
        },
    }


def element(config: dict[str, Any]) -> SafeString:
    """The element as HTML, safe in any page; what is inside it is for browsers without JavaScript."""
    link = config["link"]
    return format_html(
        '<aspects-dashboards data-config="{}"><p>{} {}</p></aspects-dashboards>',
        json.dumps(config),
        _("The dashboards need JavaScript."),
        format_html('<a href="{}">{}</a>', link["url"], link["text"]) if link else "",
    )
