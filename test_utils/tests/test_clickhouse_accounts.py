"""Profiles, quotas and SHOW GRANTS of the endpoint, as ClickHouse has them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from test_utils.clickhouse_endpoint import ClickHouseEndpoint
from test_utils.tests.test_clickhouse_endpoint import connect

READER = (
    "CREATE USER IF NOT EXISTS `the reader` IDENTIFIED BY 'pw'",
    "CREATE SETTINGS PROFILE IF NOT EXISTS `the reader` SETTINGS readonly = 1, max_result_rows = 5000, "
    "max_execution_time = 60 TO `the reader`",
    "CREATE QUOTA IF NOT EXISTS `the reader` FOR INTERVAL 1 hour "
    "MAX queries = 12, execution_time = 3600 TO `the reader`",
)


@pytest.fixture
def admin(clickhouse_endpoint: ClickHouseEndpoint, clickhouse_database: str) -> Iterator[Client]:
    clickhouse_endpoint.engine.query(f"CREATE TABLE {clickhouse_database}.t (a Int8) ENGINE = MergeTree ORDER BY a")
    admin = connect(clickhouse_endpoint, username="ch_admin", password="admin-password")
    for statement in READER:
        admin.command(statement)
    admin.command(f"GRANT SELECT, dictGet ON {clickhouse_database}.t TO `the reader`")
    yield admin
    for what in ("USER", "SETTINGS PROFILE", "QUOTA"):
        admin.command(f"DROP {what} IF EXISTS `the reader`")
    admin.close()


@pytest.fixture
def reader(clickhouse_endpoint: ClickHouseEndpoint, admin: Client) -> Iterator[Client]:
    reader = connect(clickhouse_endpoint, username="the reader", password="pw")
    yield reader
    reader.close()


def code(client: Client, statement: str, **settings: int) -> int | None:
    """The code of the error of a statement; None without one."""
    try:
        client.query(statement, settings=settings)
    except DatabaseError as error:
        return error.code
    return None


def test_a_profile_of_a_reader_binds_it(
    clickhouse_endpoint: ClickHouseEndpoint, clickhouse_database: str, reader: Client
) -> None:
    assert code(reader, f"SELECT * FROM {clickhouse_database}.t") is None
    assert code(reader, "SELECT number FROM numbers(5001)") == 396
    assert code(reader, "SELECT number FROM numbers(5001) SETTINGS max_result_rows = 0") == 164
    assert code(reader, "SET max_result_rows = 0") == 164
    answer = clickhouse_endpoint.requests[-1].settings
    assert "max_result_rows" not in answer
    assert reader.query("SELECT value, readonly FROM system.settings WHERE name = 'max_result_rows'").result_rows == [
        ("5000", 1)
    ]


def test_settings_of_a_request_are_refused_too(clickhouse_endpoint: ClickHouseEndpoint, reader: Client) -> None:
    # The driver would not send them.
    parameters = {"query": "SELECT 1", "max_result_rows": "0"}
    said = requests.get(clickhouse_endpoint.url, params=parameters, auth=("the reader", "pw"), timeout=30)
    assert said.headers["X-ClickHouse-Exception-Code"] == "164"


def test_a_quota_ends(reader: Client) -> None:
    codes = [code(reader, "SELECT 1") for _ in range(12)]
    assert codes[0] is None
    assert codes[-1] == 201


def test_grants_are_shown(clickhouse_database: str, admin: Client, reader: Client) -> None:
    granted = f"GRANT SELECT, dictGet ON {clickhouse_database}.t TO `the reader`"
    assert reader.query("SHOW GRANTS").result_rows == [(granted,)]
    assert admin.query("SHOW GRANTS FOR `the reader`").result_rows == [(granted,)]
    assert admin.query("SHOW GRANTS").result_rows == [("GRANT ALL ON *.* TO ch_admin WITH GRANT OPTION",)]
    assert code(reader, "SHOW GRANTS FOR ch_cms") == 497
    assert code(reader, "SHOW GRANTS FOR `the reader`") is None
    assert code(admin, "SHOW GRANTS FOR nobody") == 192


def test_all_rights_are_revoked(admin: Client, reader: Client) -> None:
    admin.command("GRANT INSERT ON another.* TO `the reader`")
    admin.command("REVOKE ALL ON *.* FROM `the reader`")
    assert reader.query("SHOW GRANTS").result_rows == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CREATE SETTINGS PROFILE x SETTINGS readonly = 1 TO nobody", 192),
        ("CREATE SETTINGS PROFILE `the reader` SETTINGS readonly = 1 TO `the reader`", 493),
        ("CREATE SETTINGS PROFILE x SETTINGS max_memory_usage = 5 MAX 6 TO `the reader`", 48),
        ("CREATE QUOTA `the reader` FOR INTERVAL 1 hour MAX queries = 1 TO `the reader`", 493),
        ("CREATE QUOTA x FOR INTERVAL 1 hour MAX read_rows = 1 TO `the reader`", 48),
        ("CREATE QUOTA x KEYED BY ip_address FOR INTERVAL 1 hour MAX queries = 1 TO `the reader`", 48),
        ("DROP QUOTA x", 199),
        ("DROP SETTINGS PROFILE x", 180),
    ],
)
def test_what_cannot_be_done_is_said(admin: Client, statement: str, expected: int) -> None:
    assert code(admin, statement) == expected


def test_only_an_administrator_makes_users(clickhouse_endpoint: ClickHouseEndpoint) -> None:
    plugin = connect(clickhouse_endpoint)
    for statement in READER:
        assert code(plugin, statement) == 497


def test_another_password_is_given_to_a_user_who_keeps_their_rights(
    clickhouse_endpoint: ClickHouseEndpoint, clickhouse_database: str, admin: Client, reader: Client
) -> None:
    hashed = "c0ba3d9eca5e7ca7e7ab1cb3f8b3cb7db3dcb0bd7f1e8a2b1d0f8e5fbfc2a2d0"
    admin.command(f"ALTER USER `the reader` IDENTIFIED WITH sha256_hash BY '{hashed}' SALT 'ab'")
    assert code(reader, "SELECT 1") == 516
    admin.command("ALTER USER `the reader` IDENTIFIED BY 'another'")
    again = connect(clickhouse_endpoint, username="the reader", password="another")
    assert again.query(f"SELECT count() FROM {clickhouse_database}.t").result_rows == [(0,)]
    assert code(admin, "ALTER USER nobody IDENTIFIED BY 'x'") == 192


def test_profiles_and_quotas_are_listed_for_the_administrator(admin: Client, reader: Client) -> None:
    for table in ("settings_profiles", "quotas"):
        names = f"SELECT name FROM system.{table} WHERE name = 'the reader'"
        assert admin.query(names).result_rows == [("the reader",)]
        assert code(reader, names) == 497
    admin.command("DROP QUOTA `the reader`")
    assert admin.query("SELECT count() FROM system.quotas WHERE name = 'the reader'").result_rows == [(0,)]
