"""One ClickHouse as EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG describes it.

Nothing outside this room knows whether it is a server (``http://``, ``https://``) or the embedded engine
(``chdb:///folder``).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.mapping_settings import WrongValue, is_http, kind, read_mapping, seconds, text
from platform_plugin_aspects.proxies import driver_proxy
from platform_plugin_aspects.redaction import raises_without_frames, without_credentials

#: The method that compresses requests to a server.
COMPRESSION = "lz4"
SETTING = "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG"
#: The beginning of the embedded engine's URLs; its folder follows.
EMBEDDED = "chdb://"


def _url(value: Any) -> str:
    url = text(value)
    if not url.startswith(f"{EMBEDDED}/") and not is_http(url):
        fault = (
            "holds white space" if any(map(str.isspace, url)) else "is neither http(s)://host:port nor chdb:///folder"
        )
        raise Misconfigured(f"The ClickHouse url {without_credentials(url)!r} {fault}")
    return url


def _database(value: Any) -> str:
    if "\x00" in text(value):
        raise WrongValue(f"is {value!r}, which is not a name that a ClickHouse database can have")
    return str(value)


@dataclass(frozen=True)
class Connection:
    """One ClickHouse, as EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG describes it, with defaults for what it leaves out."""

    # The URL may hold credentials.
    url: str = field(default="http://clickhouse:8123", repr=False, metadata=kind(_url))
    username: str = "ch_cms"
    password: str = field(default="", repr=False)
    database: str = field(default="event_sink", metadata=kind(_database))
    timeout_secs: float = field(default=5.0, metadata=kind(seconds(0, threading.TIMEOUT_MAX)))
    xapi_database: str = "xapi"
    xapi_table: str = "xapi_events_all"
    runs_table: str = "load_test_runs"
    stats_table: str = "load_test_stats"

    @classmethod
    @raises_without_frames(Misconfigured)
    def from_settings(cls, overrides: Mapping[str, Any] | None = None) -> Connection:
        """The configured connection; ``overrides`` (same keys, None means "as configured") win.

        Raises Misconfigured for an invalid value.
        """
        return cls(**read_mapping(cls, SETTING, Misconfigured, overrides))

    @property
    def embedded_path(self) -> str | None:
        """The folder of the embedded engine, or None when ClickHouse is a server."""
        return self.url.removeprefix(EMBEDDED) if self.url.startswith(f"{EMBEDDED}/") else None

    @property
    def compression(self) -> str | None:
        """How inserts are compressed; None for the embedded engine, to which nothing travels."""
        return COMPRESSION if self.embedded_path is None else None

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password: those in the URL, where it has some."""
        parts = urlsplit(self.url)
        return unquote(parts.username or "") or self.username, unquote(parts.password or "") or self.password

    @property
    def place(self) -> str:
        """The URL without credentials, for messages."""
        return without_credentials(self.url)

    @property
    def proxy(self) -> str:
        """`` through the proxy ...`` where the environment names one for this server, else an empty text."""
        return driver_proxy(self.url) if self.embedded_path is None else ""
