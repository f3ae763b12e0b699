"""The proxies of the environment (http_proxy, https_proxy, no_proxy), for messages about requests that failed."""

from __future__ import annotations

from urllib.parse import urlsplit

from clickhouse_connect.driver.httputil import check_env_proxy
from requests.utils import get_environ_proxies, select_proxy

from platform_plugin_aspects.redaction import without_credentials


def driver_proxy(url: str) -> str:
    """`` through the proxy ...`` where ClickHouse's driver uses one for this URL, else an empty text."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return _through(check_env_proxy(parts.scheme, parts.hostname or "", port), parts.scheme)


def requests_proxy(url: str) -> str:
    """The same where the library requests uses one."""
    return _through(select_proxy(url, get_environ_proxies(url)), urlsplit(url).scheme)


def _through(proxy: str | None, scheme: str) -> str:
    return f" through the proxy {without_credentials(proxy)} ({scheme}_proxy, no_proxy)" if proxy else ""
