"""One ClickHouse as EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG describes it.

Nothing outside this room knows whether it is a server (``http://``, ``https://``) or the embedded engine
(``chdb:///folder``).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.hidden import raises_without_frames
from platform_plugin_aspects.proxies import driver_proxy

#: The method that compresses requests to a server.
COMPRESSION = "lz4"


@dataclass(frozen=True)
class Connection:
    """One ClickHouse, as EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG describes it, with defaults for what it leaves out."""

    url: str = field(default="http://clickhouse:8123", repr=False)  # may hold credentials
    username: str = "ch_cms"
    password: str = field(default="", repr=False)
    database: str = "event_sink"
    timeout_secs: float = 5
    xapi_database: str = "xapi"
    xapi_table: str = "xapi_events_all"
    runs_table: str = "load_test_runs"
    stats_table: str = "load_test_stats"

    @classmethod
    @raises_without_frames(Misconfigured)
    def from_settings(cls, overrides: Mapping[str, Any] | None = None) -> Connection:
        """The configured connection; ``overrides`` (same keys, None means "as configured") win.

        Raises Misconfigured for a value that cannot be meant.
        """
        known = {f.name for f in fields(cls)}
        configured = getattr(settings, "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG", None) or {}
        if not isinstance(configured, Mapping):
            raise Misconfigured(
                "EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG must be a mapping with url, username, password, ..."
            )
        config = dict(configured)
        config.update({key: value for key, value in (overrides or {}).items() if value is not None})
        connection = cls(**{key: value for key, value in config.items() if key in known and value not in (None, "")})
        connection.check()
        try:
            timeout = float(connection.timeout_secs)
        except (TypeError, ValueError):
            timeout = 0
        if not 0 < timeout <= threading.TIMEOUT_MAX:
            raise Misconfigured(
                f"timeout_secs is {connection.timeout_secs!r}: it must be a number of seconds above 0 and at most "
                f"{threading.TIMEOUT_MAX:,.0f}"
            )
        return replace(connection, timeout_secs=timeout)

    def check(self) -> None:
        """Raise Misconfigured when the URL is of no known kind or the database has no usable name."""
        for setting in fields(self):
            if setting.name != "timeout_secs" and not isinstance(getattr(self, setting.name), str):
                raise Misconfigured(f"{setting.name} in EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG must be text")
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if any(map(str.isspace, self.url)) and not self.embedded_path:
            raise Misconfigured(f"The ClickHouse url {self.place!r} holds white space")
        if not usable and not self.embedded_path:
            raise Misconfigured(f"The ClickHouse url {self.place!r} is neither http(s)://host:port nor chdb:///folder")
        if not self.database or "\x00" in self.database:
            raise Misconfigured(f"{self.database!r} cannot be the name of a ClickHouse database")

    @property
    def embedded_path(self) -> str | None:
        """The folder of the embedded engine, or None when ClickHouse is a server."""
        return self.url.removeprefix("chdb://") if self.url.startswith("chdb:///") else None

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
        # Up to the last "@": passwords are not always quoted as they should be.
        scheme, slashes, rest = self.url.partition("//")
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"

    @property
    def proxy(self) -> str:
        """`` through the proxy ...`` where the environment names one for this server, else an empty text."""
        return driver_proxy(self.url) if self.embedded_path is None else ""
