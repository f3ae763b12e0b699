"""Superset's connection to the reports in ClickHouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.dashboards.bundle.datasets import CACHE_SECS, VERSION
from platform_plugin_aspects.dashboards.bundle.identity import uuid_of
from platform_plugin_aspects.reporting.layout import database_of

NAME = "Aspects reports"
#: In place of the password: Superset then keeps the one that it has, or takes that of the import's request.
MASK = "XXXXXXXXXX"


@dataclass(frozen=True)
class DatabaseConnection:
    """ClickHouse's HTTP interface as Superset reaches it. ``database``: that of the reports. It has no password."""

    host: str
    port: int
    username: str
    database: str
    secure: bool = False
    name: str = NAME

    @classmethod
    def from_settings(cls, username: str, url: str = "") -> DatabaseConnection:
        """The configured ClickHouse, which ``username`` reads. ``url``: its address for Superset, where that differs.

        Raises Misconfigured for the embedded engine, for an address with a path, and for invalid settings.
        """
        connection = Connection.from_settings({"url": url or None})
        parts = urlsplit(connection.url)
        if connection.embedded_path is not None:
            raise Misconfigured(
                f"Superset cannot read {connection.place}, which is the embedded engine: name a ClickHouse server"
            )
        if parts.path.strip("/") or parts.query:
            raise Misconfigured(
                f"Superset cannot read {connection.place}: its driver knows no path. "
                "Name an address without one, as http(s)://host:port"
            )
        secure = parts.scheme == "https"
        port = parts.port or (8443 if secure else 8123)
        return cls(parts.hostname or "", port, username, database_of(connection), secure)

    @property
    def uuid(self) -> str:
        """Superset's UUID of the connection."""
        return uuid_of("database", "reports")

    @property
    def uri(self) -> str:
        """SQLAlchemy's address, with MASK for the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        secure = "?secure=true" if self.secure else ""
        place = f"{host}:{self.port}/{quote(self.database, safe='')}"
        return f"clickhousedb://{quote(self.username, safe='')}:{MASK}@{place}{secure}"

    def content(self) -> dict[str, Any]:
        """The content of its file. It can do nothing but read for datasets."""
        return {
            "database_name": self.name,
            "sqlalchemy_uri": self.uri,
            "cache_timeout": CACHE_SECS,
            "expose_in_sqllab": False,
            "allow_run_async": False,
            "allow_ctas": False,
            "allow_cvas": False,
            "allow_dml": False,
            "allow_csv_upload": False,
            "extra": {
                "allows_virtual_table_explore": False,
                "disable_data_preview": True,
                "engine_params": {},
                "metadata_params": {},
                "schemas_allowed_for_csv_upload": [],
            },
            "uuid": self.uuid,
            "version": VERSION,
        }
