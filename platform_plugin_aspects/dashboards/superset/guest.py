"""Requests to Superset with a guest token, by the way of a browser."""

from __future__ import annotations

from typing import Any

import requests

from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.session import send
from platform_plugin_aspects.dashboards.superset.transport import Deadline, new_session
from platform_plugin_aspects.redaction import Hidden

#: A chart may take as long as ClickHouse lets Superset's user.
CHART_SECS = 60.0


class Guest:
    """A guest of the Superset of ``config``. A context manager. Requests raise SupersetError without an answer."""

    def __init__(self, config: SupersetConfig, token: Hidden):
        self._url = config.internal_service_url
        self._http = new_session()
        self._http.headers["X-GuestToken"] = token

    def __enter__(self) -> Guest:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> requests.Response:
        """Superset's answer, which may be an error."""
        return send(self._http, "GET", f"{self._url}api/v1/{path}", Deadline(CHART_SECS))

    def post(self, path: str, body: Any) -> requests.Response:
        """Superset's answer, which may be an error."""
        return send(self._http, "POST", f"{self._url}api/v1/{path}", Deadline(CHART_SECS), json=body)
