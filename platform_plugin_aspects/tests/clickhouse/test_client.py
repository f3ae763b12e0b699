"""The ClickHouse client: what it sends, what its errors say, and what it never says."""

from __future__ import annotations

import base64
import logging
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_plugin_aspects.clickhouse import client as client_module
from platform_plugin_aspects.clickhouse.client import ClickHouse, close_clients, get_client, quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.errors import (
    PASSING,
    ROW_FAULTS,
    Failure,
    Misconfigured,
    Rejected,
    Unavailable,
    Unclear,
)
from platform_plugin_aspects.clickhouse.schema import create_missing
from platform_plugin_aspects.load_test.tables import all_tables
from platform_plugin_aspects.tests.conftest import rows
from test_utils.clickhouse_endpoint import ClickHouseEndpoint

TAXONOMY = (("id", "Int32"), ("name", "String"), ("dump_id", "UUID"), ("time_last_dumped", "String"))
PASSWORD = "pa55 w/ö:rd@?"


@pytest.fixture(autouse=True)
def _no_clients_left() -> Iterator[None]:
    yield
    close_clients()


@pytest.fixture(params=["http", "chdb"])
def client(request: pytest.FixtureRequest, clickhouse: ClickHouse) -> ClickHouse:
    """A client, over HTTP as the restricted user and of the embedded engine."""
    if request.param == "http":
        request.getfixturevalue("clickhouse_http")
    return get_client(Connection.from_settings())


def insert(client: ClickHouse, *names: Any, table: str = "taxonomy", first: int = 1) -> None:
    count = len(names)
    data = [range(first, first + count), names, [uuid.uuid4()] * count, ["2026"] * count]
    client.insert(table, TAXONOMY, data)


ACTIONS: dict[str, Callable[[ClickHouse], Any]] = {
    "select": lambda client: client.select("SELECT 1"),
    "insert": lambda client: insert(client, "a"),
    "delete": lambda client: client.delete("taxonomy", "id", "Int32", [1]),
}
each_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)


# The same over HTTP and embedded


def test_insert_select_and_delete(client: ClickHouse) -> None:
    insert(client, "a", "it's", "\\N")
    client.delete("taxonomy", "name", "String", ["it's"])
    assert [row["name"] for row in rows(client, "taxonomy", order="id")] == ["a", "\\N"]
    assert client.select("SELECT {a:String}, {b:Int32}", {"a": "'; --", "b": 3}) == [("'; --", 3)]


def test_columns_are_named_in_inserts(client: ClickHouse) -> None:
    swapped = [("time_last_dumped", "String"), ("name", "String"), ("id", "Int32"), ("dump_id", "UUID")]
    client.insert("taxonomy", swapped, [["2026"], ["name"], [7], [uuid.uuid4()]])
    assert [(row["id"], row["name"], row["time_last_dumped"]) for row in rows(client, "taxonomy")] == [
        (7, "name", "2026")
    ]


def test_an_insert_is_whole_or_not_at_all(client: ClickHouse) -> None:
    with pytest.raises(Rejected) as caught:
        insert(client, *["fine"] * 100, "secret \ud800")
    assert "secret" not in repr(caught.value)
    assert rows(client, "taxonomy") == []


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, "secret", None, 1.5j])
def test_a_value_that_does_not_fit_its_type_is_the_rows_fault(value: Any, client: ClickHouse) -> None:
    with pytest.raises(Rejected) as caught:
        client.insert("taxonomy", TAXONOMY, [[1, value], ["a", "b"], [uuid.uuid4()] * 2, ["2026"] * 2])
    assert "secret" not in repr(caught.value)
    assert rows(client, "taxonomy") == []


def test_columns_of_the_database(client: ClickHouse) -> None:
    assert client.columns()["taxonomy"] == list(TAXONOMY)
    assert set(client.columns()) == {table.name for table in all_tables()}


@pytest.mark.parametrize(
    ("break_it", "code", "words"),
    [
        (lambda client: insert(client, "a", table="nowhere"), 60, "aspects_create_tables"),
        (lambda client: client.select(f"SELECT nothing FROM {client.qualified('taxonomy')}"), 47, "column is missing"),
        (lambda client: client.select("SELEC 1"), 62, "[Ss]yntax error"),
    ],
    ids=["missing table", "missing column", "syntax"],
)
def test_faults_of_the_set_up(break_it: Callable[..., Any], code: int, words: str, client: ClickHouse) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        break_it(client)
    assert caught.value.code == code


def test_a_missing_column_of_an_insert(client: ClickHouse) -> None:
    with pytest.raises(Misconfigured) as caught:
        client.insert("taxonomy", [("colour", "String")], [["red"]])
    assert caught.value.code in (16, 47)
    assert "a column is missing" in str(caught.value)


def test_an_unknown_database(client: ClickHouse) -> None:
    other = get_client(Connection.from_settings({"database": "event_sink_of_nobody"}))
    with pytest.raises(Misconfigured, match="the database is missing") as caught:
        insert(other, "a")
    assert caught.value.code == 81


def test_names_are_quoted(client: ClickHouse) -> None:
    assert quote("a`b\\c") == "`a\\`b\\\\c`"
    assert client.qualified("t`").endswith(".`t\\``")


# On the wire


def test_inserts_are_compressed_native_and_whole_in_one_request(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    clickhouse_http.clear()
    insert(client, *["a rather long name, again and again"] * 10_000)
    (request,) = clickhouse_http.requests
    assert request.statement == (
        f"INSERT INTO `{client.connection.database}`.`taxonomy` "
        "(`id`, `name`, `dump_id`, `time_last_dumped`) FORMAT Native"
    )
    assert (request.encoding, request.user, request.status) == ("lz4", "ch_cms", 200)
    assert request.bytes < 150_000
    assert not [name for name in request.settings if name.startswith("input_format_allow_errors")]


def test_nothing_is_described_and_no_database_is_selected(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    for action in ACTIONS.values():
        action(client)
    client.columns()
    requests = clickhouse_http.requests
    assert not [request.statement for request in requests if "DESCRIBE" in request.statement.upper()]
    assert {request.database for request in requests} == {""}
    assert {request.status for request in requests} == {200}
    # A session would forbid two threads to share the client.
    assert not [request for request in requests if "session_id" in request.settings]


def test_opening_asks_for_nothing_a_restricted_user_may_not_see(clickhouse_http: ClickHouseEndpoint) -> None:
    get_client(Connection.from_settings())
    assert {(request.user, request.status, request.code) for request in clickhouse_http.requests} == {
        ("ch_cms", 200, 0)
    }


def test_the_restricted_user_may_not_create_tables(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    with pytest.raises(Misconfigured, match="INSERT, SELECT and DELETE") as caught:
        create_missing(client, all_tables())
    assert caught.value.code == 497


# Faults


@each_action
@pytest.mark.parametrize("kind", ["refuse", "reset", "reset_after_execute", "502", "503", "504", "too_many_parts"])
def test_passing_faults(kind: str, action: Callable[..., Any], clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    clickhouse_http.fail(kind, times=None)
    with pytest.raises(Unavailable) as caught:
        action(client)
    assert clickhouse_http.url in str(caught.value)
    assert "while" in str(caught.value)
    clickhouse_http.heal()
    action(client)


PASSING_CODES = {159, 202, 209, 210, 241, 242, 252, 319, 999}
ROW_CODES = {6, 27, 53, 69, 70, 72}
OPERATOR_CODES = {
    516: "password",
    497: "grant",
    81: "database",
    60: "table",
    16: "column",
    192: "user",
    164: "readonly",
}
KINDS = {
    **dict.fromkeys(PASSING_CODES | PASSING, Unavailable),
    **dict.fromkeys(ROW_CODES | ROW_FAULTS, Rejected),
    **dict.fromkeys({*OPERATOR_CODES, 48}, Misconfigured),
    **dict.fromkeys({117, 427, 467, 676, 691, 32, 130, 395, 12345}, Unclear),
}


def test_codes_are_of_one_kind() -> None:
    assert not PASSING & ROW_FAULTS
    assert PASSING_CODES <= PASSING
    assert ROW_CODES <= ROW_FAULTS


def test_every_code_is_the_failure_that_says_what_to_do(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    for code, kind in KINDS.items():
        clickhouse_http.fail("exception", code=code, message="Cannot parse 'Zoë Example' as x", match="INSERT")
        with pytest.raises(Failure) as caught:
            insert(client, "a")
        assert (type(caught.value), caught.value.code) == (kind, code)
        assert f"code {code}" in str(caught.value)
        assert OPERATOR_CODES.get(code, "") in str(caught.value)
        # ClickHouse quotes values, which may be a learner's.
        assert kind is Misconfigured or "Zoë" not in str(caught.value)


def test_a_server_that_is_away_and_comes_back(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    clickhouse_http.stop()
    with pytest.raises(Unavailable, match="Connection refused"):
        insert(client, "a")
    clickhouse_http.start()
    insert(client, "a")
    assert len(rows(client, "taxonomy")) == 1


def test_a_client_that_could_not_be_opened_is_opened_later(clickhouse_http: ClickHouseEndpoint) -> None:
    clickhouse_http.stop()
    with pytest.raises(Unavailable, match="while connecting"):
        get_client(Connection.from_settings())
    clickhouse_http.start()
    assert get_client(Connection.from_settings()).select("SELECT 1") == [(1,)]


@pytest.mark.parametrize("action", [ACTIONS["select"], ACTIONS["insert"]], ids=["select", "insert"])
def test_the_timeout_for_an_answer(action: Callable[..., Any], clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings({"timeout_secs": 0.2}))
    # Without the timeout the answer would come, late: the request would not fail.
    clickhouse_http.fail("slow", times=None, seconds=10, match="SELECT 1|INSERT")
    with pytest.raises(Unavailable, match="timed out"):
        action(client)


def test_the_timeout_for_a_server_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unavailable, match="timed out"):
            ClickHouse(Connection(url=url, timeout_secs=1))


def test_a_slow_answer_within_the_timeout_is_an_answer(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings({"timeout_secs": 30}))
    clickhouse_http.fail("slow", seconds=0.05, match="SELECT 1")
    assert client.select("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("overrides", "kind", "words"),
    [
        ({"password": "wrong one"}, Misconfigured, 'wrong user or password: correct "username" and "password"'),
        ({"username": "nobody"}, Misconfigured, "wrong user or password"),
        ({"url": "http://host.invalid:8123"}, Unavailable, "http://host.invalid:8123"),
        ({"url": "{url}/clickhouse"}, Misconfigured, "answered HTTP 404, not as ClickHouse does"),
    ],
    ids=["password", "user", "host", "path"],
)
def test_wrong_configurations_are_told_apart(
    overrides: dict[str, str], kind: type[Failure], words: str, clickhouse_http: ClickHouseEndpoint
) -> None:
    values = {name: value.format(url=clickhouse_http.url) for name, value in overrides.items()}
    with pytest.raises(kind, match=words) as caught:
        get_client(Connection.from_settings(values))
    assert "wrong one" not in str(caught.value)


# https


@pytest.fixture
def https(
    clickhouse: ClickHouse, clickhouse_server: ClickHouseEndpoint, certificate: tuple[Path, Path], settings: Any
) -> Iterator[Connection]:
    """A connection to the same tables over TLS."""
    users = {"ch_cms": (PASSWORD, clickhouse_server.users["ch_cms"][1])}
    with ClickHouseEndpoint(clickhouse_server.engine.path, users=users, tls=certificate) as endpoint:
        yield Connection.from_settings({"url": endpoint.url, "username": "ch_cms", "password": PASSWORD})
        close_clients()


def test_https_with_a_certificate_that_the_system_trusts(
    https: Connection, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    client = get_client(https)
    insert(client, "over TLS")
    assert [row["name"] for row in rows(client, "taxonomy")] == ["over TLS"]


def test_https_with_a_certificate_that_nobody_trusts(https: Connection) -> None:
    with pytest.raises(Misconfigured, match="certificate verify failed"):
        get_client(https)


def test_https_to_a_port_that_speaks_plain_http(clickhouse_http: ClickHouseEndpoint) -> None:
    with pytest.raises(Misconfigured, match="cannot be reached"):
        get_client(Connection.from_settings({"url": clickhouse_http.url.replace("http:", "https:")}))


# Relations that exist and are not listed


def test_a_relation_that_the_user_may_not_read_is_told_from_one_that_is_not_there(
    clickhouse: ClickHouse, clickhouse_http: ClickHouseEndpoint
) -> None:
    password, granted = clickhouse_http.users["ch_cms"]
    database = Connection.from_settings().database
    clickhouse_http.users["ch_cms"] = (password, {f"{database}.taxonomy": ["SELECT"]})
    try:
        client = get_client(Connection.from_settings())
        assert list(client.columns()) == ["taxonomy"]
        assert client.refusal("taxonomy") is None
        assert client.refusal("no_such_table") is None
        assert client.refusal("taxonomy", "no_such_database") is None
        for hidden in (client.refusal("tag"), client.refusal("tag", database)):
            assert isinstance(hidden, Misconfigured)
            assert hidden.code == 497
        clickhouse_http.fail("exception", code=516)
        with pytest.raises(Misconfigured, match="wrong user or password"):
            client.refusal("tag")
    finally:
        clickhouse_http.users["ch_cms"] = (password, granted)


# No secret in any text


def _secrets(password: str) -> list[str]:
    return [password, base64.b64encode(f"ch_cms:{password}".encode()).decode()]


@pytest.mark.parametrize("where", ["setting", "url"])
@pytest.mark.parametrize("fault", ["none", "reset", "503", "516", "1000"])
def test_no_password_in_any_log_or_message(
    where: str, fault: str, clickhouse_http: ClickHouseEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    password = "s3cretive" if where == "url" else PASSWORD
    clickhouse_http.users["ch_cms"] = (password, clickhouse_http.users["ch_cms"][1])
    overrides = {"password": password}
    if where == "url":
        overrides = {"url": clickhouse_http.url.replace("//", f"//ch_cms:{password}@"), "password": "not this one"}
    caplog.set_level(logging.DEBUG)
    for name in ("clickhouse_connect", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    said = []
    try:
        connection = Connection.from_settings(overrides)
        client = get_client(connection)
        said += [repr(connection), str(connection), connection.place, repr(client)]
        if fault in ("reset", "503"):
            clickhouse_http.fail(fault, times=None)
        elif fault != "none":
            clickhouse_http.fail("exception", times=None, code=int(fault))
        for action in ACTIONS.values():
            try:
                action(client)
            except Failure as error:
                said += [str(error), repr(error), repr(error.__cause__)]
        assert len(said) == (4 if fault == "none" else 13)
    finally:
        clickhouse_http.users["ch_cms"] = ("password", clickhouse_http.users["ch_cms"][1])
    for text in (*said, caplog.text):
        assert not [secret for secret in _secrets(password) if secret in text]


@pytest.mark.parametrize(
    "url", ["http://u:hidden@host:1", "http://u:hid@hidden@host:1", "http://u:hid/hidden@host", "ftp://u:hidden@host"]
)
def test_credentials_in_a_url_are_never_shown(url: str) -> None:
    connection = Connection(url=url)
    assert "hidden" not in connection.place + repr(connection)
    assert connection.place.startswith(url.split(":")[0] + "://host")


def test_credentials_of_a_url_without_scheme_are_not_in_the_error(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"url": "u:hidden@host:8123"}
    with pytest.raises(Misconfigured, match=r"^The ClickHouse url 'host:8123' is neither"):
        Connection.from_settings()


# Configuration


def test_missing_keys_have_defaults(settings: Any) -> None:
    for config in ({}, None):
        settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = config
        assert Connection.from_settings() == Connection(
            url="http://clickhouse:8123",
            username="ch_cms",
            database="event_sink",
            timeout_secs=5.0,
            xapi_database="xapi",
            xapi_table="xapi_events_all",
            runs_table="load_test_runs",
            stats_table="load_test_stats",
        )


def test_keys_that_nobody_knows_and_nulls_are_left_alone(settings: Any) -> None:
    settings.EVENT_SINK_CLICKHOUSE_BACKEND_CONFIG = {"colour": "red", "database": None, "url": "http://a:1"}
    connection = Connection.from_settings({"url": None, "username": "other"})
    assert (connection.url, connection.database, connection.username) == ("http://a:1", "event_sink", "other")


@pytest.mark.parametrize(
    "url",
    [
        *("clickhouse:8123", "ftp://host", "tcp://clickhouse:9000", "://", " "),
        *("http://", "http:///x", "http://[::1", "http://host:0", "http://host:99999", "http://host:port"),
        *("chdb:", "chdb://path", 8123, ["http://host:8123"]),
    ],
)
def test_invalid_urls_are_refused(url: Any) -> None:
    with pytest.raises(Misconfigured, match="url"):
        Connection.from_settings({"url": url})


@pytest.mark.parametrize("timeout", [0, -1, "soon", 1e12, float("inf"), float("nan"), [5]])
def test_invalid_timeouts_are_refused(timeout: Any) -> None:
    with pytest.raises(Misconfigured, match="timeout_secs"):
        Connection.from_settings({"timeout_secs": timeout})


@pytest.mark.parametrize("values", [{"database": "a\x00b"}, {"database": 5}, {"password": 5}])
def test_invalid_texts_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Connection.from_settings(values)


@pytest.mark.parametrize(("timeout", "expected"), [("2.5", 2.5), (7, 7.0), (0.1, 0.1)])
def test_timeouts_may_be_numbers_or_texts(timeout: Any, expected: float) -> None:
    assert Connection.from_settings({"timeout_secs": timeout}).timeout_secs == expected


# One client per process and configuration


def test_one_client_per_configuration(clickhouse_http: ClickHouseEndpoint) -> None:
    client = get_client(Connection.from_settings())
    assert get_client(Connection.from_settings()) is client
    assert get_client(Connection.from_settings({"timeout_secs": 9})) is not client
    assert get_client(Connection.from_settings({"database": "other"})) is not client
    close_clients()
    assert get_client(Connection.from_settings()) is not client


FORK = """
import os, sys, threading
import django
django.setup()
from platform_plugin_aspects.clickhouse.client import close_clients, get_client
from platform_plugin_aspects.clickhouse.connection import Connection

connection = Connection(url=sys.argv[1], password="password", database=sys.argv[2])
parent = get_client(connection)
assert parent.select("SELECT 1") == [(1,)]
child = os.fork()
if child == 0:
    own = get_client(connection)
    right = own is not parent and get_client(connection) is own and own.select("SELECT 2") == [(2,)]
    close_clients()
    os._exit(0 if right else 1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert get_client(connection) is parent
assert parent.select("SELECT 3") == [(3,)]
print("both answered")
"""


def test_a_forked_process_opens_a_client_of_its_own(clickhouse_http: ClickHouseEndpoint) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    database = Connection.from_settings().database
    done = subprocess.run(
        [sys.executable, "-c", FORK, clickhouse_http.url, database],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "both answered"), done.stderr


def test_the_embedded_engine_has_to_be_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "chdb", None)
    for name in [name for name in sys.modules if name.startswith("chdb.")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Misconfigured, match=r"platform-plugin-aspects\[embedded\]"):
        client_module.ClickHouse(Connection(url=f"chdb://{tmp_path}"))
