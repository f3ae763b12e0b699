"""Errors of connections to ClickHouse, Superset and Vector name the proxy in between."""

from __future__ import annotations

from typing import Any

import pytest

from platform_plugin_aspects.clickhouse.client import get_client
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import Failure
from platform_plugin_aspects.dashboards.superset.config import SupersetConfig
from platform_plugin_aspects.dashboards.superset.errors import SupersetError
from platform_plugin_aspects.dashboards.superset.session import ServiceSession
from platform_plugin_aspects.dashboards.superset.transport import Deadline
from platform_plugin_aspects.load_test.backends import BackendError
from platform_plugin_aspects.load_test.backends.vector import Vector
from platform_plugin_aspects.tests.operations.test_aspects_check import check, marked
from test_utils.superset_endpoint import SupersetEndpoint

#: Nobody listens there.
PROXY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", "http://user:s3cret@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "localhost,.internal")


def failure_at(url: str) -> str:
    with pytest.raises(Failure) as failure:
        get_client(Connection(url=url, timeout_secs=1))
    return str(failure.value)


def test_a_clickhouse_behind_a_proxy() -> None:
    said = failure_at("http://clickhouse.invalid:8123")
    assert f"at http://clickhouse.invalid:8123 through the proxy {PROXY} (http_proxy, no_proxy)" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("url", ["http://localhost:1", "http://clickhouse.internal:1", "https://127.0.0.1:1"])
def test_no_proxy_is_named_where_none_is_used(url: str) -> None:
    assert "through the proxy" not in failure_at(url)


def test_a_proxy_that_answers_for_clickhouse(monkeypatch: pytest.MonkeyPatch) -> None:
    with SupersetEndpoint() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        said = failure_at("http://clickhouse.invalid:8123")
    assert "answered HTTP 404, not as ClickHouse does" in said
    assert f"through the proxy {proxy.url} (http_proxy, no_proxy)" in said


@pytest.mark.django_db
def test_the_doctor_s_remedy_names_no_proxy(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "http://clickhouse.invalid:8123", "timeout_secs": 1}
    code, said = check("--only", "clickhouse")
    ((_section, text, remedy),) = marked(said, "problem")
    assert code == 1
    assert f"through the proxy {PROXY} (http_proxy, no_proxy)" in text
    assert remedy.endswith("; if the proxy is not meant for it, add clickhouse.invalid to no_proxy")


def test_a_superset_behind_a_proxy() -> None:
    url = "http://superset.invalid:8088/"
    with pytest.raises(SupersetError) as error:
        ServiceSession(SupersetConfig(url, url)).post("api/v1/x", {}, Deadline(5))
    assert f"POST {url}api/v1/security/login through the proxy {PROXY} (http_proxy, no_proxy) failed" in str(
        error.value
    )


def test_a_proxy_that_answers_for_superset(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://superset.invalid:8088/"
    with SupersetEndpoint() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with pytest.raises(SupersetError) as error:
            ServiceSession(SupersetConfig(url, url)).post("api/v1/x", {}, Deadline(5))
    assert f"through the proxy {proxy.url} (http_proxy, no_proxy) was answered with HTTP 404" in str(error.value)


def test_a_vector_behind_a_proxy() -> None:
    with pytest.raises(BackendError, match=r"through the proxy http://127\.0\.0\.1:1 \(http_proxy, no_proxy\)"):
        Vector("http://vector.invalid/graphql", None, None).sample()
