"""Superset's connection to the reports."""

from __future__ import annotations

from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.errors import Misconfigured
from platform_plugin_aspects.dashboards.bundle.database import DatabaseConnection
from platform_plugin_aspects.tests.dashboards.bundle.small_board import DATABASE


def test_the_connection_has_a_mask_for_its_password_and_no_rights() -> None:
    database = DATABASE.content()
    assert (
        database["sqlalchemy_uri"] == "clickhousedb://ch_report:XXXXXXXXXX@clickhouse.example.com:8123/aspects_reports"
    )
    assert not any(value for name, value in database.items() if name.startswith(("allow", "expose")))


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("http://ch:8124", "clickhousedb://r%40d:XXXXXXXXXX@ch:8124/reports"),
        (
            "https://user:secret@ch.example.com",
            "clickhousedb://r%40d:XXXXXXXXXX@ch.example.com:8443/reports?secure=true",
        ),
        ("http://[::1]:8123/", "clickhousedb://r%40d:XXXXXXXXXX@[::1]:8123/reports"),
    ],
)
def test_the_connection_is_that_of_the_settings(settings: Any, url: str, uri: str) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://elsewhere"}
    settings.ASPECTS_REPORTING_DATABASE = "reports"
    assert DatabaseConnection.from_settings("r@d", url).uri == uri
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": url}
    assert DatabaseConnection.from_settings("r@d").uri == uri


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("chdb:///var/clickhouse", "Superset cannot read chdb:///var/clickhouse, which is the embedded engine"),
        ("http://user:secret@proxy/clickhouse", "Superset cannot read http://proxy/clickhouse: its driver knows no"),
    ],
)
def test_an_address_that_superset_cannot_use_is_refused(settings: Any, url: str, message: str) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": url}
    with pytest.raises(Misconfigured) as raised:
        DatabaseConnection.from_settings("reader")
    assert str(raised.value).startswith(message)
    assert "secret" not in str(raised.value)
