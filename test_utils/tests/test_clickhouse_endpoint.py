"""clickhouse-connect, unchanged, against the endpoint; what clickhouse-connect cannot send goes by plain requests."""

from __future__ import annotations

import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import clickhouse_connect
import lz4.frame
import pytest
import requests
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from hypothesis import given, settings
from hypothesis import strategies as st

from test_utils.clickhouse_endpoint import ClickHouseEndpoint, ClickHouseError, Fault, load_users
from test_utils.clickhouse_endpoint.bodies import choose_encoding, decompress
from test_utils.clickhouse_endpoint.sql import parse
from test_utils.properties import examples

REPOSITORY = Path(__file__).resolve().parents[2]
AWKWARD = ["", "NULL", "\\N", "a'b\"c`", "\t\n\r\\", "\0", "é😀‮مرحبا", "a;b -- c", "{x:String}", "‍", "\u2028"]
ADMIN = {"X-ClickHouse-User": "ch_admin", "X-ClickHouse-Key": "admin-password"}
PASSWORD = b"it's"  # of users that tests make
CMS = {"X-ClickHouse-User": "ch_cms", "X-ClickHouse-Key": "password"}


def connect(endpoint: ClickHouseEndpoint, database: str = "", **options: Any) -> Client:
    """A client of clickhouse-connect as the plugin's user, or as whom the options say."""
    credentials = {"username": "ch_cms", "password": "password"}
    return clickhouse_connect.get_client(
        host=endpoint.host, port=endpoint.port, database=database, **credentials | options
    )


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseEndpoint, clickhouse_database: str) -> Iterator[Client]:
    """A client of the plugin's user in a database with the table `people`."""
    clickhouse_endpoint.engine.query(
        f"CREATE TABLE {clickhouse_database}.people (id Int32, name String, mode LowCardinality(String), dump_id UUID)"
        " ENGINE = ReplacingMergeTree ORDER BY id"
    )
    client = connect(clickhouse_endpoint, clickhouse_database)
    clickhouse_endpoint.clear()
    yield client
    client.close()


def insert(client: Client, *names: str, **options: Any) -> Any:
    rows = [[number, name, "audit", UUID(int=number)] for number, name in enumerate(names)]
    return client.insert("people", rows, column_names=["id", "name", "mode", "dump_id"], **options)


def names(client: Client) -> list[str]:
    return [name for (name,) in client.query("SELECT name FROM people ORDER BY id").result_rows]


def codes(error: pytest.ExceptionInfo[DatabaseError]) -> tuple[int | None, str | None]:
    return error.value.code, error.value.name


class TestClient:
    """The ordinary life of a client."""

    def test_a_client_connects_and_sees_the_version_of_the_engine(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client
    ) -> None:
        assert client.ping()
        assert client.server_version == clickhouse_endpoint.engine.version
        assert client.command("SELECT 1") == 1
        assert client.command("SELECT currentDatabase()") == client.database

    @pytest.mark.parametrize("compress", ["lz4", "zstd", "gzip", True, False])
    def test_native_inserts_and_results_in_every_compression(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client, compress: str | bool
    ) -> None:
        mine = connect(clickhouse_endpoint, client.database, compress=compress)
        summary = insert(mine, *AWKWARD)
        assert summary.written_rows == len(AWKWARD)
        assert summary.query_id()
        assert names(mine) == AWKWARD
        assert mine.query("SELECT dump_id, mode FROM people ORDER BY id LIMIT 1").result_rows == [
            (UUID(int=0), "audit")
        ]
        (request,) = (each for each in clickhouse_endpoint.requests if each.statement.startswith("INSERT"))
        assert request.encoding == {True: "lz4", False: ""}.get(compress, compress)
        assert (request.user, request.database, request.status) == ("ch_cms", client.database, 200)
        assert request.statement.endswith("FORMAT Native")
        assert request.bytes > 0

    @given(rows=st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.text(), st.text(max_size=4), st.uuids())))
    @settings(max_examples=examples(25))
    def test_whatever_is_inserted_comes_back(self, client: Client, rows: list[tuple[Any, ...]]) -> None:
        marker = UUID(int=len(rows))
        client.command("ALTER TABLE people DELETE WHERE 1", settings={"mutations_sync": 1})
        if rows:
            client.insert("people", rows, column_names=["id", "name", "mode", "dump_id"])
        found = client.query("SELECT id, name, mode, dump_id FROM people").result_rows
        assert sorted(map(repr, found)) == sorted(map(repr, {row[0]: row for row in rows}.values()))
        assert client.query("SELECT {marker:UUID}", parameters={"marker": marker}).result_rows == [(marker,)]

    @pytest.mark.parametrize("form", [False, True])
    @given(text=st.text())
    @settings(max_examples=examples(25))
    def test_text_as_a_parameter(self, client: Client, form: bool, text: str) -> None:
        client.form_encode_query_params = form
        query = "SELECT {text:String} AS text, {ids:Array(Int64)} AS ids"
        assert client.query(query, parameters={"text": text, "ids": [1, -2]}).result_rows == [(text, [1, -2])]

    def test_long_parameters_are_sent_in_the_body(self, client: Client) -> None:
        ids = list(range(50_000))
        assert client.query("SELECT length({ids:Array(Int32)})", parameters={"ids": ids}).result_rows == [(50_000,)]

    def test_statements_of_other_kinds(self, client: Client) -> None:
        client.command("INSERT INTO people (id, name) VALUES (1, 'a;b'), (2, {name:String})", parameters={"name": "c"})
        client.command("INSERT INTO people (id, name) SELECT 3, 'd'")
        assert names(client) == ["a;b", "c", "d"]
        client.command("DELETE FROM people WHERE id = 1")
        client.command("ALTER TABLE people DELETE WHERE id = 2", settings={"mutations_sync": 1})
        assert names(client) == ["d"]
        assert client.command("EXISTS TABLE people") == 1
        assert client.query("DESCRIBE TABLE people").first_row[:2] == ("id", "Int32")
        assert client.query("WITH x AS (SELECT id FROM people) SELECT * FROM x").result_rows == [(3,)]
        assert client.query("SELECT name FROM people WHERE 0").result_rows == []
        assert client.query("SELECT name FROM people LIMIT 0").column_names == ("name",)
        assert client.raw_query("SELECT id FROM people", fmt="CSV") == b"3\n"
        with client.query_row_block_stream("SELECT number FROM numbers(200000)") as stream:
            assert sum(len(block) for block in stream) == 200_000

    def test_a_statement_without_rows_is_told_from_one_with_none(self, client: Client) -> None:
        assert client.command("SELECT id FROM people") == ""
        assert client.command("ALTER TABLE people DELETE WHERE 0").query_id()

    def test_settings(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        assert client.command("SELECT getSetting('max_threads')", settings={"max_threads": 3}) == 3
        assert clickhouse_endpoint.requests[-1].settings["max_threads"] == "3"
        assert client.command("SELECT getSetting('max_block_size')", settings={"max_threads": 3}) > 3
        for url in ("no_such_setting=1", "wrong-name=1"):
            answer = requests.get(f"{clickhouse_endpoint.url}/?query=SELECT+1&{url}", headers=CMS, timeout=30)
            assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (404, "115")

    def test_the_same_data_without_http(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        embedded = clickhouse_connect.get_client(dsn=clickhouse_endpoint.dsn, database=client.database)
        try:
            insert(embedded, "from inside")
            assert names(client) == ["from inside"]
            client.command("DELETE FROM people WHERE 1")
            assert names(embedded) == []
        finally:
            embedded.close()
        assert client.ping()

    def test_threads_insert_at_once(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        def work(number: int) -> None:
            mine = connect(clickhouse_endpoint, client.database)
            rows = [[number * 1000 + row, "x" * row, "v", UUID(int=row)] for row in range(100)]
            for start in range(0, 100, 20):
                mine.insert("people", rows[start : start + 20], column_names=["id", "name", "mode", "dump_id"])
            mine.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert client.query("SELECT count(), uniqExact(id) FROM people").result_rows == [(800, 800)]

    def test_two_requests_in_one_session(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        """As after a fork: two processes with one client. A server refuses that, so this does too."""
        url = f"{clickhouse_endpoint.url}/?session_id=shared&query="
        with clickhouse_endpoint.http_session("shared"):
            answer = requests.get(url + "SELECT+1", headers=CMS, timeout=30)
        assert answer.headers["X-ClickHouse-Exception-Code"] == "373"
        assert requests.get(url + "SELECT+1", headers=CMS, timeout=30).text == "1\n"

    def test_a_big_insert(self, client: Client) -> None:
        text = "x" * 1000
        rows = [[number, f"{number}{text}", "audit", UUID(int=1)] for number in range(100_000)]
        client.insert("people", rows, column_names=["id", "name", "mode", "dump_id"])
        assert client.query("SELECT count(), sum(length(name)) > 100000000 FROM people").result_rows == [
            (100_000, True)
        ]


class TestAccess:
    """Credentials and grants."""

    @pytest.fixture
    def forbidden(self, clickhouse_endpoint: ClickHouseEndpoint, clickhouse_database: str) -> Iterator[str]:
        """A database with a table `t` on which the plugin's user has no grants; views of it in the user's own."""
        clickhouse_endpoint.engine.query("CREATE DATABASE forbidden")
        clickhouse_endpoint.engine.query("CREATE TABLE forbidden.t (a Int8) ENGINE = MergeTree ORDER BY a")
        clickhouse_endpoint.engine.query("CREATE TABLE forbidden.j (k Int8, v Int8) ENGINE = Join(ANY, LEFT, k)")
        dictionary = "CREATE DICTIONARY {} (a UInt64, b Int8) PRIMARY KEY a SOURCE({}) LAYOUT(FLAT()) LIFETIME(0)"
        source = "CLICKHOUSE(QUERY 'SELECT 1 AS a, 2 AS b')"
        clickhouse_endpoint.engine.query(dictionary.format("forbidden.d", source))
        clickhouse_endpoint.engine.query(dictionary.format(f"{clickhouse_database}.own", source))
        view = f"CREATE VIEW {clickhouse_database}.{{}} {{}} AS SELECT a FROM forbidden.t"
        clickhouse_endpoint.engine.query(view.format("peeping", "SQL SECURITY INVOKER"))
        clickhouse_endpoint.engine.query(view.format("trusted", "DEFINER = CURRENT_USER SQL SECURITY DEFINER"))
        yield "forbidden"
        clickhouse_endpoint.engine.query("DROP DATABASE forbidden SYNC")

    def test_wrong_password(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        for credentials in ({"password": "wrong"}, {"username": "nobody"}):
            with pytest.raises(DatabaseError) as error:
                connect(clickhouse_endpoint, **credentials)
            assert codes(error) == (516, "AUTHENTICATION_FAILED")
            assert clickhouse_endpoint.requests[-1].status == 403

    @pytest.mark.parametrize(
        ("url", "headers", "auth", "expected"),
        [
            ("", {}, None, "default"),
            ("", CMS, None, "ch_cms"),
            ("", {}, ("ch_cms", "password"), "ch_cms"),
            ("&user=ch_cms&password=password", {}, None, "ch_cms"),
            ("&user=ch_cms", CMS, None, "two ways"),
            ("&user=ch_cms", {}, ("ch_cms", "password"), "two ways"),
            ("", {"X-ClickHouse-Key": "password"}, None, "empty user name"),
            ("", {"Authorization": "Bearer x"}, None, "'Bearer' HTTP Authorization scheme"),
            ("", {"Authorization": "Basic !"}, None, "not base64"),
        ],
    )
    def test_ways_to_say_who_one_is(
        self, clickhouse_endpoint: ClickHouseEndpoint, url: str, headers: dict[str, str], auth: Any, expected: str
    ) -> None:
        url = f"{clickhouse_endpoint.url}/?query=SELECT+1{url}"
        answer = requests.get(url, headers=headers, auth=auth, timeout=30)
        if answer.status_code == 200:
            assert clickhouse_endpoint.requests[-1].user == expected
        else:
            assert answer.status_code == 403
            assert answer.headers["X-ClickHouse-Exception-Code"] == "516"
            assert expected in answer.text

    def test_unknown_database_and_missing_table(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        with pytest.raises(DatabaseError) as error:
            connect(clickhouse_endpoint, "event_sink_nowhere")
        assert codes(error) == (81, "UNKNOWN_DATABASE")
        for statement in ("SELECT 1 FROM nowhere.t", "INSERT INTO nowhere.t VALUES (1)"):
            with pytest.raises(DatabaseError) as error:
                client.command(statement)
            assert codes(error) == (81, "UNKNOWN_DATABASE")
        for statement in ("SELECT 1 FROM nothing", "INSERT INTO nothing VALUES (1)"):
            with pytest.raises(DatabaseError) as error:
                client.command(statement)
            assert codes(error) == (60, "UNKNOWN_TABLE")
            assert clickhouse_endpoint.requests[-1].status == 404
        with pytest.raises(DatabaseError) as error:
            client.command("INSERT INTO people (nothing) VALUES (1)")
        assert codes(error) == (16, "NO_SUCH_COLUMN_IN_TABLE")

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE TABLE other (a Int8) ENGINE = Memory",
            "CREATE DATABASE other",
            "CREATE TEMPORARY TABLE other (a Int8)",
            "DROP TABLE people",
            "DROP DATABASE event_sink",
            "TRUNCATE TABLE people",
            "OPTIMIZE TABLE people FINAL",
            "RENAME TABLE people TO others",
            "ALTER TABLE people ADD COLUMN other String",
            "ALTER TABLE people DELETE WHERE 0, DROP COLUMN name",
            "ALTER TABLE people UPDATE name = '' WHERE 1",
            "SYSTEM FLUSH LOGS",
            "KILL MUTATION WHERE 0",
            "CHECK TABLE people",
            "SELECT count() FROM forbidden.t",
            "SELECT count() FROM people WHERE id IN (SELECT a FROM forbidden.t)",
            "WITH x AS (SELECT a FROM forbidden.t) SELECT * FROM x",
            "SELECT 1 UNION ALL SELECT a FROM forbidden.t",
            "INSERT INTO people (id) SELECT a FROM forbidden.t",
            "INSERT INTO forbidden.t VALUES (1)",
            "INSERT INTO FUNCTION file('x.csv') SELECT 1",
            "ALTER TABLE forbidden.t DELETE WHERE 1",
            "DELETE FROM forbidden.t WHERE 1",
            "DESCRIBE TABLE forbidden.t",
            "SHOW CREATE TABLE forbidden.t",
            "EXISTS DATABASE forbidden",
            "EXPLAIN SELECT a FROM forbidden.t",
            "SELECT * FROM system.parts",
            "SELECT * FROM system.mutations",
            "SELECT * FROM file('x.csv')",
            # Expressions read, too.
            "SELECT 1 IN forbidden.t",
            "SELECT id FROM people WHERE id NOT IN (forbidden.t)",
            "SELECT id FROM people WHERE globalIn(id, forbidden.t)",
            "SELECT (SELECT max(a) FROM forbidden.t)",
            "SELECT joinGet('forbidden.j', 'v', toInt8(1))",
            "SELECT joinGetOrNull(forbidden.j, 'v', toInt8(1))",
            "SELECT dictGet('forbidden.d', 'b', toUInt64(1))",
            "SELECT dictGetOrDefault(concat('forbidden', '.d'), 'b', toUInt64(1), 0)",
            "SELECT dictHas('forbidden.d', toUInt64(1))",
            "SELECT dictGet('own', 'b', toUInt64(1))",
            "SELECT * FROM dictionary('forbidden.d')",
            "SELECT a FROM peeping",
            "SELECT 1 IN peeping",
            "SELECT file('/etc/hostname')",
            "GRANT SELECT ON *.* TO ch_cms",
        ],
    )
    def test_what_the_plugins_user_may_not(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client, forbidden: str, statement: str
    ) -> None:
        with pytest.raises(DatabaseError) as error:
            client.command(statement)
        assert codes(error) == (497, "ACCESS_DENIED")
        assert clickhouse_endpoint.requests[-1].status == 403

    def test_what_it_may(self, client: Client, forbidden: str) -> None:
        for statement in ("SET max_threads = 1", "SHOW CREATE TABLE people", "SELECT 1 FROM information_schema.tables"):
            client.command(statement)
        expressions = "1 IN (1, 2), id IN [1], name IN (SELECT name FROM people), id IN (SELECT * FROM trusted)"
        client.query(f"WITH x AS (SELECT 1) SELECT {expressions}, id IN x FROM people")
        assert client.query("SELECT * FROM system.one, numbers(2) AS n").result_rows == [(0, 0), (0, 1)]
        listed = client.query("SELECT DISTINCT database FROM system.tables").result_rows
        assert (client.database,) in listed
        assert (forbidden,) not in listed
        assert client.query(f"SHOW TABLES FROM {forbidden}").result_rows == []

    def test_an_administrator_has_all_rights(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        admin = connect(clickhouse_endpoint, client.database, username="ch_admin", password="admin-password")
        admin.command("CREATE TABLE other (a Int8) ENGINE = MergeTree ORDER BY a")
        assert admin.query("SELECT count() FROM system.tables WHERE name = 'other'").result_rows == [(1,)]
        admin.command("TRUNCATE TABLE other")
        admin.command("DROP TABLE other SYNC")

    @pytest.fixture
    def admin(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> Iterator[Client]:
        """An administrator, who makes no user but `new`."""
        admin = connect(clickhouse_endpoint, client.database, username="ch_admin", password="admin-password")
        yield admin
        admin.command("DROP USER IF EXISTS `new`")
        admin.close()

    @pytest.mark.parametrize(
        "identified",
        [
            "BY 'it''s'",
            "WITH sha256_password BY 'it\\'s'",
            f"WITH sha256_hash BY '{sha256(PASSWORD).hexdigest()}'",
            f"WITH sha256_hash BY '{sha256(PASSWORD + b'salt').hexdigest().upper()}' SALT 'salt'",
        ],
    )
    def test_users_are_made_and_given_rights(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client, admin: Client, forbidden: str, identified: str
    ) -> None:
        admin.command(f"CREATE USER new IDENTIFIED {identified}")
        admin.command("CREATE USER IF NOT EXISTS new IDENTIFIED BY 'another'")
        with pytest.raises(DatabaseError) as error:
            connect(clickhouse_endpoint, username="new", password="another")
        assert codes(error) == (516, "AUTHENTICATION_FAILED")
        new = connect(clickhouse_endpoint, username="new", password=PASSWORD.decode())
        people = f"`{client.database}`.people"

        def may(statement: str) -> bool:
            try:
                new.command(statement)
            except DatabaseError as error:
                return error.code != 497
            return True

        inserting, reading = f"INSERT INTO {people} (id) VALUES (1)", f"SELECT id FROM {people}"
        assert (may(inserting), may(reading)) == (False, False)
        admin.command(f"GRANT INSERT, DELETE ON {client.database}.* TO `new`;")
        admin.command("GRANT SELECT ON elsewhere.people TO new")
        assert (may(inserting), may(reading)) == (True, False)
        assert may(f"ALTER TABLE {people} DELETE WHERE 0")
        admin.command(f"GRANT SELECT ON {people} TO new")
        assert may(reading)
        admin.command(f"REVOKE INSERT, ALTER DELETE ON {client.database}.* FROM new")
        assert (may(inserting), may(reading)) == (False, True)
        assert not may(f"SELECT a FROM {forbidden}.t")
        tables = new.query("SELECT database, name FROM system.tables WHERE database != 'system'").result_rows
        assert tables == [(client.database, "people")]
        admin.command("DROP USER new")
        with pytest.raises(DatabaseError) as error:
            new.command(reading)
        assert error.value.code == 516

    @pytest.mark.parametrize(
        ("statement", "code"),
        [
            ("CREATE USER ch_cms IDENTIFIED BY 'x'", 493),
            ("DROP USER nobody", 192),
            ("GRANT SELECT ON a.b TO nobody", 192),
            ("GRANT SELEC ON a.b TO ch_cms", 62),
            ("GRANT SELECT(a) ON a.b TO ch_cms", 48),
            ("GRANT SELECT ON a.b TO ch_cms WITH GRANT OPTION", 48),
            ("GRANT ON CLUSTER main SELECT ON a.b TO ch_cms", 48),
            ("REVOKE SELECT ON event_sink.tag FROM ch_cms", 48),
            ("CREATE USER new IDENTIFIED BY 'x' SETTINGS readonly = 2", 48),
        ],
    )
    def test_what_cannot_be_done_with_users_is_said(self, admin: Client, statement: str, code: int) -> None:
        with pytest.raises(DatabaseError) as error:
            admin.command(statement)
        assert error.value.code == code
        assert "'x'" not in str(error.value)

    def test_users_from_json(self) -> None:
        users = load_users('{"a": ["", "all"], "b": ["pw", {"x": ["SELECT"]}]}')
        assert users == {"a": ("", "all"), "b": ("pw", {"x": ["SELECT"]})}
        with pytest.raises(ValueError, match="User 'a': give"):
            load_users('{"a": {"password": ""}}')


class TestHttp:
    """The interface itself, by plain requests."""

    def ask(self, endpoint: ClickHouseEndpoint, statement: str = "", **options: Any) -> requests.Response:
        options.setdefault("headers", ADMIN)
        method = options.pop("method", "POST")
        return requests.request(method, endpoint.url + options.pop("path", "/"), data=statement, timeout=60, **options)

    def test_health(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        for method, path, text in (
            ("GET", "/ping", "Ok.\n"),
            ("GET", "/", "Ok.\n"),
            ("HEAD", "/ping", ""),
            ("GET", "/replicas_status", "Ok.\n"),
        ):
            answer = self.ask(clickhouse_endpoint, method=method, path=path, headers={})
            assert (answer.status_code, answer.text) == (200, text), (method, path)
        assert self.ask(clickhouse_endpoint, method="GET", path="/nothing").status_code == 404

    def test_headers_of_an_answer(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        answer = self.ask(clickhouse_endpoint, "SELECT 1 AS a", params={"query_id": "mine"})
        assert answer.text == "1\n"
        assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
        assert answer.headers["X-ClickHouse-Format"] == "TabSeparated"
        assert answer.headers["X-ClickHouse-Timezone"] == clickhouse_endpoint.engine.timezone
        assert answer.headers["X-ClickHouse-Server-Display-Name"]
        assert json.loads(answer.headers["X-ClickHouse-Summary"])["result_rows"] == "1"
        assert "X-ClickHouse-Format" not in self.ask(clickhouse_endpoint, "SET max_threads = 1").headers

    def test_where_the_statement_comes_from(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        ask = self.ask
        assert ask(clickhouse_endpoint, method="GET", params={"query": "SELECT 1"}).text == "1\n"
        assert ask(clickhouse_endpoint, method="HEAD", params={"query": "SELECT 1"}).text == ""
        assert ask(clickhouse_endpoint, "1", params={"query": "SELECT"}).text == "1\n"
        assert ask(clickhouse_endpoint, "SELECT 1", params={"default_format": "CSVWithNames"}).text == '"1"\n1\n'
        assert ask(clickhouse_endpoint, "SELECT 1 AS a FORMAT JSONEachRow;").text == '{"a":1}\n'
        headers = ADMIN | {"X-ClickHouse-Format": "CSV", "X-ClickHouse-Database": "system"}
        assert ask(clickhouse_endpoint, "SELECT currentDatabase()", headers=headers).text == '"system"\n'
        files = {"query": (None, "SELECT {a:String}"), "param_a": (None, "é")}
        assert requests.post(clickhouse_endpoint.url, files=files, headers=ADMIN, timeout=30).text == "é\n"
        files = {"query": (None, "SELECT 'a\r\nb\rc\n'")}
        assert (
            requests.post(clickhouse_endpoint.url, files=files, headers=ADMIN, timeout=30).text == "a\\r\\nb\\rc\\n\n"
        )
        assert ask(clickhouse_endpoint, "SELECT {a:Int8}", params={"param_a": "7"}).text == "7\n"

    @pytest.mark.parametrize(
        ("encoding", "compress"),
        [
            ("", bytes),
            ("gzip", gzip.compress),
            ("deflate", zlib.compress),
            ("lz4", lz4.frame.compress),
            ("lz4", lambda body: lz4.frame.compress(body[:7]) + lz4.frame.compress(body[7:])),
        ],
    )
    @pytest.mark.parametrize("in_url", [False, True])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_inserting_csv(
        self,
        clickhouse_endpoint: ClickHouseEndpoint,
        client: Client,
        encoding: str,
        compress: Any,
        in_url: bool,
        chunked: bool,
    ) -> None:
        statement = "INSERT INTO people (id, name) SETTINGS max_threads = 1 FORMAT CSV"
        body = '1,"a ""quoted"""\n2,"two\nlines; and -- no comment"\n'
        params = {"database": client.database} | ({"query": statement} if in_url else {})
        data = compress((body if in_url else f"{statement}\n{body}").encode())
        answer = requests.post(
            clickhouse_endpoint.url,
            params=params,
            data=iter([data[:10], data[10:]]) if chunked else data,
            headers=CMS | ({"Content-Encoding": encoding} if encoding else {}),
            timeout=30,
        )
        assert (answer.status_code, answer.text) == (200, "")
        assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
        assert names(client) == ['a "quoted"', "two\nlines; and -- no comment"]
        assert clickhouse_endpoint.requests[-2].statement == statement

    @pytest.mark.parametrize("accepted", ["gzip", "deflate", "br, gzip;q=0.5", "lz4", "zstd"])
    def test_compressed_answers(self, clickhouse_endpoint: ClickHouseEndpoint, accepted: str) -> None:
        headers = ADMIN | {"Accept-Encoding": accepted}
        params = {"enable_http_compression": "1"}
        answer = requests.post(
            clickhouse_endpoint.url, "SELECT 'abc'", params=params, headers=headers, stream=True, timeout=30
        )
        encoding = answer.headers["Content-Encoding"]
        assert encoding in accepted
        assert b"".join(decompress([answer.raw.read(decode_content=False)], encoding)) == b"abc\n"
        plain = requests.post(clickhouse_endpoint.url, "SELECT 'abc'", headers=headers, timeout=30)
        assert "Content-Encoding" not in plain.headers

    @pytest.mark.parametrize("encoding", ["lz4", "zstd", "gzip", "deflate"])
    def test_a_body_that_cannot_be_decompressed_is_refused(
        self, clickhouse_endpoint: ClickHouseEndpoint, encoding: str
    ) -> None:
        headers = ADMIN | {"Content-Encoding": encoding}
        answer = self.ask(clickhouse_endpoint, "SELECT 1 in plain text", headers=headers)
        assert "Cannot decompress" in answer.text
        with requests.Session() as session:  # what was not read must not become the next request
            session.post(clickhouse_endpoint.url, b"x" * 2_000_000, headers=headers, timeout=30)
            assert session.post(clickhouse_endpoint.url, "SELECT 1", headers=ADMIN, timeout=30).text == "1\n"
        if encoding == "lz4":
            half = lz4.frame.compress(b"SELECT 1")[:-6]
            answer = requests.post(clickhouse_endpoint.url, half, headers=headers, timeout=30)
            assert "in the middle of a frame" in answer.text
        answer = self.ask(clickhouse_endpoint, "SELECT 1", headers=ADMIN | {"Content-Encoding": "xz"})
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (501, "48")

    @pytest.mark.parametrize(
        ("statement", "status", "code"),
        [
            ("", 400, 62),
            ("-- nothing", 400, 62),
            ("SELEC 1", 400, 62),
            ("1 + 1", 400, 62),
            ("SELECT 1; SELECT 2", 400, 62),
            ("SELECT nothing", 404, 47),
            ("SELECT no_such_function()", 404, 46),
            ("SELECT {a:Int8}", 500, 456),
            ("SELECT throwIf(1)", 500, 395),
            ("INSERT INTO nothing FORMAT CSV\n1", 404, 60),
        ],
    )
    def test_errors(self, clickhouse_endpoint: ClickHouseEndpoint, statement: str, status: int, code: int) -> None:
        answer = self.ask(clickhouse_endpoint, statement)
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (status, str(code))
        assert re.fullmatch(
            rf"Code: {code}\. DB::Exception: (?!Code).*\. \([A-Z_]+\) \(version [\d.]+ \(official build\)\)\n",
            answer.text,
            re.DOTALL,
        )
        assert clickhouse_endpoint.requests[-1].code == code
        assert self.ask(clickhouse_endpoint, "SELECT ';' ; -- the end").text == ";\n"

    def test_get_does_not_write(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        params = {"query": "INSERT INTO people (id) VALUES (1)", "database": client.database}
        answer = self.ask(clickhouse_endpoint, method="GET", params=params)
        assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
        assert names(client) == []

    def test_what_is_not_supported_says_so(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        for options in (
            {"params": {"compress": "1"}},
            {"params": {"decompress": "1"}},
            {"files": {"table": ("table", "1\n")}},
        ):
            answer = requests.post(clickhouse_endpoint.url, headers=ADMIN, timeout=30, **options)
            assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (501, "48")
        assert self.ask(clickhouse_endpoint, "SELECT 1", params={"compress": "0"}).status_code == 200

    def test_a_post_without_a_length(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        with socket.create_connection((clickhouse_endpoint.host, clickhouse_endpoint.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"411" in connection.recv(100)

    @pytest.mark.parametrize("framing", ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n40\r\n"])
    def test_a_client_that_leaves_in_the_middle_has_inserted_nothing(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client, framing: str
    ) -> None:
        statement = f"INSERT INTO {client.database}.people (id) FORMAT CSV\n1\n"
        with socket.create_connection((clickhouse_endpoint.host, clickhouse_endpoint.port)) as connection:
            connection.sendall(f"POST /?user=default HTTP/1.1\r\nHost: x\r\n{framing}{statement}".encode())
        clickhouse_endpoint.wait_until_idle()
        deadline = time.monotonic() + 10
        while not clickhouse_endpoint.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        assert clickhouse_endpoint.requests[-1].status == 0
        assert names(client) == []

    def test_an_insert_is_whole_or_nothing(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        rows = "".join(f"{number},{'x' * 50}\n" for number in range(200_000))
        statement = f"INSERT INTO {client.database}.people (id, name) FORMAT CSV\n"
        answer = self.ask(clickhouse_endpoint, statement + rows + "seven,x\n", headers=CMS)
        assert answer.headers["X-ClickHouse-Exception-Code"] == "27"
        assert names(client) == []
        native = b"\x02\x01\x02id\x05Int32\x01\x00\x00\x00\x04name\x06String\x05abc"  # the text should be longer
        answer = requests.post(
            clickhouse_endpoint.url, statement.replace("CSV", "Native").encode() + native, headers=CMS, timeout=30
        )
        assert answer.headers["X-ClickHouse-Exception-Code"] == "33"
        assert names(client) == []
        with pytest.raises(AttributeError):  # clickhouse-connect breaks its own request off
            client.insert("people", [[1, 2]], column_names=["id", "name"], column_type_names=["Int32", "String"])
        assert names(client) == []


class TestFaults:
    """Every fault, as often as asked for and not once more."""

    @pytest.mark.parametrize(
        ("kind", "options", "code", "status"),
        [
            ("refuse", {}, None, 0),
            ("reset", {}, None, 0),
            ("reset", {"match": "INSERT INTO"}, None, 0),
            ("502", {}, None, 502),
            (503, {}, None, 503),
            ("504", {"match": r"insert\s+into.*people"}, None, 504),
            ("too_many_parts", {}, 252, 500),
            ("exception", {"code": 241}, 241, 500),
            ("exception", {"code": 159}, 159, 408),
            ("exception", {"code": 242, "name": "TABLE_IS_READ_ONLY", "message": "Replica is lost"}, 242, 500),
        ],
    )
    def test_inserts_fail_twice_and_not_thrice(
        self,
        clickhouse_endpoint: ClickHouseEndpoint,
        client: Client,
        kind: str,
        options: dict[str, Any],
        code: int | None,
        status: int,
    ) -> None:
        tries = 2 if kind in ("refuse", "reset") else 1  # clickhouse-connect repeats by itself after a reset
        clickhouse_endpoint.fail(kind, times=2 * tries, **options)
        # With the types given, an insert is a single request.
        types = {"column_type_names": ["Int32", "String", "LowCardinality(String)", "UUID"]}
        for _ in range(2):
            with pytest.raises(DatabaseError) as error:
                insert(client, "a", **types)
            assert error.value.code == code
        insert(client, "b", **types)
        assert names(client) == ["b"]
        *failed, last = (each for each in clickhouse_endpoint.requests if "SELECT" not in each.statement)
        assert [(each.status, each.fault) for each in failed] == [(status, str(kind))] * 2 * tries
        assert (last.status, last.fault, last.user) == (200, "", "ch_cms")

    def test_a_statement_is_executed_though_the_answer_is_lost(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client
    ) -> None:
        clickhouse_endpoint.fail("reset_after_execute", times=2, match="INSERT")
        with pytest.raises(OperationalError):
            insert(client, "a")
        inserted = [each for each in clickhouse_endpoint.requests if each.statement.startswith("INSERT")]
        assert [each.status for each in inserted] == [0, 0]  # clickhouse-connect repeats an insert by itself
        assert set(names(client)) == {"a"}

    def test_a_refused_connection_is_new_each_time(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        clickhouse_endpoint.fail("refuse", times=2)
        for _ in range(2):
            with pytest.raises(requests.ConnectionError):
                requests.get(clickhouse_endpoint.url, timeout=30)
        assert requests.get(clickhouse_endpoint.url, timeout=30).status_code == 200
        assert [each.fault for each in clickhouse_endpoint.requests] == ["refuse", "refuse", ""]

    @pytest.mark.parametrize("kind", ["refuse", "reset", "reset_after_execute"])
    def test_a_reset_is_no_orderly_end(self, clickhouse_endpoint: ClickHouseEndpoint, kind: str) -> None:
        clickhouse_endpoint.fail(kind)
        with socket.create_connection((clickhouse_endpoint.host, clickhouse_endpoint.port)) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nSELECT 1")
            with pytest.raises(ConnectionResetError):
                connection.recv(100)

    def test_slow(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        started = time.monotonic()
        clickhouse_endpoint.fail("slow", seconds=0.3, match="SELECT 1")
        assert client.command("SELECT 1") == 1
        assert time.monotonic() - started > 0.3

    def test_one_answer_has_the_time_of_a_wrong_clock(
        self, clickhouse_endpoint: ClickHouseEndpoint, client: Client
    ) -> None:
        clickhouse_endpoint.fail("clock", seconds=-7200)
        ago = client.command("SELECT dateDiff('minute', now64(6), now())")
        assert ago in (119, 120)
        assert client.command("SELECT dateDiff('minute', now64(6), now())") == 0

    def test_a_client_with_less_patience(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        """The statement is executed all the same: an unknown state of the insert."""
        hasty = connect(clickhouse_endpoint, client.database, send_receive_timeout=2)
        clickhouse_endpoint.fail("slow", seconds=30, match="INSERT")
        with pytest.raises(OperationalError):
            insert(hasty, "a")
        assert names(client) == []
        clickhouse_endpoint.heal()
        clickhouse_endpoint.wait_until_idle(timeout=10)
        assert names(client) == ["a"]

    def test_waiting_for_the_end_has_an_end(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        clickhouse_endpoint.fail("slow", seconds=30)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.command, "SELECT 1")
            while clickhouse_endpoint.faults.pending:  # until the request has arrived
                time.sleep(0.01)
            with pytest.raises(TimeoutError, match="1 requests are still being served"):
                clickhouse_endpoint.wait_until_idle(timeout=0.05)
            clickhouse_endpoint.heal()
            assert answer.result() == 1

    def test_faults_are_met_in_turn_and_healed(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        clickhouse_endpoint.fail("exception", code=241, match="SELECT 2")
        clickhouse_endpoint.fail("exception", code=242, times=None)
        for statement, code in (("SELECT 1", 242), ("SELECT 2", 241), ("SELECT 2", 242), ("SELECT 1", 242)):
            with pytest.raises(DatabaseError) as error:
                client.command(statement)
            assert error.value.code == code
        clickhouse_endpoint.heal()
        assert client.command("SELECT 1") == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"kind": "explode"}, "There is no fault 'explode'; choose one of refuse"),
            ({"kind": "503", "options": {"seconds": 1}}, "Fault '503' has no option seconds"),
            ({"kind": "exception"}, "needs the number of a ClickHouse error"),
            ({"kind": "refuse", "match": "INSERT"}, "cannot match a statement"),
            ({"kind": "reset", "times": 0}, "times=0 would never fail"),
        ],
    )
    def test_faults_without_sense(self, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            Fault(**arguments)

    def test_a_match_may_be_no_expression(self) -> None:
        fault = Fault("reset", match="people (id")
        assert fault.concerns("INSERT INTO people (id) FORMAT Native")
        assert not fault.concerns("INSERT INTO people FORMAT Native")

    def test_stopped_and_started_again(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        port = clickhouse_endpoint.port
        clickhouse_endpoint.stop()
        clickhouse_endpoint.stop()
        assert not client.ping()
        with pytest.raises(OperationalError):
            insert(client, "a")
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            pass
        clickhouse_endpoint.start()
        clickhouse_endpoint.start()
        assert clickhouse_endpoint.port == port
        insert(client, "b")
        clickhouse_endpoint.restart()
        assert names(client) == ["b"]

    def test_stopped_under_a_request(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        with ThreadPoolExecutor(1) as pool:
            clickhouse_endpoint.fail("slow", seconds=30, match="INSERT")
            answer = pool.submit(insert, client, "a")
            while clickhouse_endpoint.faults.pending:  # until the request has arrived
                time.sleep(0.01)
            clickhouse_endpoint.stop()
            with pytest.raises(OperationalError):
                answer.result(timeout=10)
        clickhouse_endpoint.heal()
        clickhouse_endpoint.wait_until_idle()
        clickhouse_endpoint.start()
        assert names(client) == ["a"]


class TestControl:
    """The routes by which another process injects faults."""

    def test_faults_and_requests(self, clickhouse_endpoint: ClickHouseEndpoint, client: Client) -> None:
        url = clickhouse_endpoint.url
        fault = {"kind": "exception", "code": 252, "times": 5, "match": "INSERT"}
        assert requests.post(f"{url}/_faults", json=fault, headers=ADMIN, timeout=30).status_code == 200
        with pytest.raises(DatabaseError) as error:
            insert(client, "a")
        assert codes(error) == (252, "TOO_MANY_PARTS")
        logged = requests.get(f"{url}/_requests", headers=ADMIN, timeout=30).json()
        assert (logged[-1]["user"], logged[-1]["code"]) == ("ch_cms", 252)
        assert requests.delete(f"{url}/_requests", headers=ADMIN, timeout=30).status_code == 200
        assert clickhouse_endpoint.requests == []
        assert requests.delete(f"{url}/_faults", headers=ADMIN, timeout=30).status_code == 200
        insert(client, "b")

    def test_for_administrators_only(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        answer = requests.get(f"{clickhouse_endpoint.url}/_requests", headers=CMS, timeout=30)
        assert answer.headers["X-ClickHouse-Exception-Code"] == "497"

    @pytest.mark.parametrize("body", ["", "[]", "{}", '{"kind": "explode"}', '{"kind": "slow", "times": "x"}'])
    def test_what_is_no_fault(self, clickhouse_endpoint: ClickHouseEndpoint, body: str) -> None:
        answer = requests.post(f"{clickhouse_endpoint.url}/_faults", body, headers=ADMIN, timeout=30)
        assert (answer.status_code, answer.headers["X-ClickHouse-Exception-Code"]) == (400, "36")
        answer = requests.post(f"{clickhouse_endpoint.url}/_other", body, headers=ADMIN, timeout=30)
        assert "There is no POST /_other" in answer.text


class TestTls:
    def test_https(self, clickhouse_engine_path: Path, client: Client, certificate: tuple[Path, Path]) -> None:
        with ClickHouseEndpoint(clickhouse_engine_path, tls=certificate) as endpoint:
            assert endpoint.url.startswith("https://")
            options = {"secure": True, "username": "ch_admin", "password": "admin-password"}
            trusting = connect(endpoint, client.database, ca_cert=str(certificate[0]), **options)
            insert(trusting, *AWKWARD)
            assert names(client) == AWKWARD
            with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
                connect(endpoint, **options)
            with pytest.raises(OperationalError):
                connect(endpoint, username="ch_admin", password="admin-password")  # plain HTTP
            endpoint.fail("reset", times=None)
            with pytest.raises(OperationalError):
                insert(trusting, "a")
            endpoint.heal()
            assert trusting.ping()
            trusting.close()


class TestProcess:
    """python -m test_utils.clickhouse_endpoint"""

    def start(self, folder: Path, *arguments: str) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-m", "test_utils.clickhouse_endpoint", "--path", str(folder), *arguments]
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", process.stdout.readline())
        assert found
        return process, int(found[1])

    @pytest.mark.usefixtures("signals_are_heard")
    def test_the_program_starts_serves_and_stops_with_its_data_kept(self, tmp_path: Path) -> None:
        users = tmp_path / "users.json"
        users.write_text(json.dumps({"root": ["secret", "all"], "reader": ["", {"here": ["SELECT"]}]}))
        process, port = self.start(tmp_path / "data", "--users", str(users))
        try:
            root = clickhouse_connect.get_client(host="127.0.0.1", port=port, username="root", password="secret")
            root.command("CREATE DATABASE here")
            root.command("CREATE TABLE here.t (a Int32) ENGINE = MergeTree ORDER BY a")
            root.insert("here.t", [[1], [2]], column_names=["a"])
            answer = requests.post(
                f"http://127.0.0.1:{port}/_faults", json={"kind": "503"}, auth=("root", "secret"), timeout=30
            )
            assert answer.status_code == 200
            with pytest.raises(DatabaseError, match="503"):
                root.insert("here.t", [[3]], column_names=["a"], column_type_names=["Int32"])
            reader = clickhouse_connect.get_client(host="127.0.0.1", port=port, username="reader", password="")
            with pytest.raises(DatabaseError, match="ACCESS_DENIED"):
                reader.command("INSERT INTO here.t VALUES (3)")
        finally:
            process.send_signal(signal.SIGTERM)
            rest, _ = process.communicate(timeout=60)
        assert (process.returncode, rest) == (0, "")

        for end, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
            process, port = self.start(tmp_path / "data", "--port", str(port), "--users", users.read_text())
            try:
                assert reader.query("SELECT a FROM here.t ORDER BY a").result_rows == [(1,), (2,)]
            finally:
                process.send_signal(end)
                process.communicate(timeout=60)
            assert process.returncode == code
        root.close()
        reader.close()

    def test_wrong_users(self, tmp_path: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "test_utils.clickhouse_endpoint",
            "--path",
            str(tmp_path),
            "--users",
            '{"a": 1}',
        ]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "User 'a': give" in done.stderr


class TestParts:
    """Rules that are easier to show without a server."""

    @pytest.mark.parametrize(
        ("text", "statement", "data"),
        [
            (b"INSERT INTO t FORMAT CSV\n1", "INSERT INTO t FORMAT CSV", b"1"),
            (b'insert into t (`a)`, "b") format CSV  \r\n 1', 'insert into t (`a)`, "b") format CSV', b" 1"),
            (b"INSERT INTO t FORMAT CSV 1", "INSERT INTO t FORMAT CSV", b"1"),
            (b"INSERT INTO format.values (a) FORMAT Values (1)", "INSERT INTO format.values (a) FORMAT Values", b"(1)"),
            (
                b"/* FORMAT */ -- it's\nINSERT INTO t FORMAT Native\n\n",
                "/* FORMAT */ -- it's\nINSERT INTO t FORMAT Native",
                b"\n",
            ),
            (b"INSERT INTO t VALUES ('FORMAT CSV\n')", "INSERT INTO t VALUES ('FORMAT CSV\n')", None),
            (b"INSERT INTO t SELECT 1 FORMAT CSV", "INSERT INTO t SELECT 1 FORMAT CSV", None),
            (b"SELECT 'INSERT' FORMAT CSV", "SELECT 'INSERT' FORMAT CSV", None),
            (b"INSERT INTO t", "INSERT INTO t", None),
        ],
    )
    def test_where_data_begins(self, text: bytes, statement: str, data: bytes | None) -> None:
        parsed = parse(text)
        assert parsed.text == statement
        assert (None if parsed.data_start is None else text[parsed.data_start :]) == data

    def test_naming_the_source_of_the_data(self) -> None:
        parsed = parse(b"INSERT INTO t (a) SETTINGS max_threads=1 FORMAT CSV\n1")
        assert parsed.reading_from("/tmp/it's") == (
            b"INSERT INTO t (a)  FROM INFILE '/tmp/it\\'s' COMPRESSION 'none' SETTINGS max_threads=1 FORMAT CSV"
        )

    def test_choosing_an_encoding(self) -> None:
        assert choose_encoding("br, zstd;q=0.9, gzip") == "zstd"
        assert choose_encoding("identity") == ""

    def test_errors_of_the_engine(self) -> None:
        error = ClickHouseError.from_engine(
            "Code: 27. DB::Exception: Code: 27. DB::Exception: Not (that). (A_NAME) (version 26.9.2.1). (A_NAME)"
        )
        assert (error.code, error.name, str(error), error.status) == (27, "A_NAME", "Not (that)", 400)
        error = ClickHouseError.from_engine("Streaming failed: Code: 60. DB::Exception: No table. (UNKNOWN_TABLE)")
        assert (error.code, error.name, str(error), error.status) == (60, "UNKNOWN_TABLE", "No table", 404)
        error = ClickHouseError.from_engine("out of luck")
        assert (error.code, error.name, str(error), error.status) == (1001, "STD_EXCEPTION", "out of luck", 500)

    def test_rows_for_assertions(self, clickhouse_endpoint: ClickHouseEndpoint) -> None:
        query = clickhouse_endpoint.engine.query
        assert query("SELECT {a:Int64}, 'é\u2028\n', toUUID({b:String}), NULL, [1]", a=2**60, b=UUID(int=1)) == [
            (2**60, "é\u2028\n", str(UUID(int=1)), None, [1])
        ]
        assert query("SELECT 1 WHERE 0") == query("SET max_threads = 1") == []
        with pytest.raises(ClickHouseError, match="nowhere"):
            query("SELECT 1 FROM nowhere.t")

    def test_a_taken_port(self, clickhouse_endpoint: ClickHouseEndpoint, clickhouse_engine_path: Path) -> None:
        with (
            pytest.raises(OSError, match="in use"),
            ClickHouseEndpoint(clickhouse_engine_path, clickhouse_endpoint.port),
        ):
            pass

    def test_no_threads_are_left(self, clickhouse_engine_path: Path) -> None:
        before = threading.active_count()
        with ClickHouseEndpoint(clickhouse_engine_path) as endpoint:
            connect(endpoint, username="ch_admin", password="admin-password").close()
        deadline = time.monotonic() + 10
        while threading.active_count() > before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert threading.active_count() <= before
