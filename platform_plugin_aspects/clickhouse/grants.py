"""The plugin's user in ClickHouse, with the rights that the plugin uses and no others."""

from __future__ import annotations

import secrets
from hashlib import sha256

from platform_plugin_aspects.clickhouse.client import quote
from platform_plugin_aspects.clickhouse.connection import Connection
from platform_plugin_aspects.clickhouse.schema import on_cluster


def grant_statements(connection: Connection, cluster: str = "", *, deletes_statements: bool = False) -> list[str]:
    """CREATE USER for the user of ``connection``, and a GRANT for each database or table that it uses.

    ALTER DELETE removes retired learners; ``deletes_statements``: from the xAPI table, too. The load test's monitor
    reads that table. ON CLUSTER when ``cluster`` is a name.
    """
    name, password = connection.credentials
    user, on = quote(name), on_cluster(cluster)
    rights = {
        f"{quote(connection.database)}.*": "SELECT, INSERT, ALTER DELETE",
        f"{quote(connection.xapi_database)}.{quote(connection.xapi_table)}": "SELECT, INSERT"
        + (", ALTER DELETE" if deletes_statements else ""),
    }
    return [
        create_user_statement(name, password, cluster),
        *(f"GRANT{on} {privileges} ON {where} TO {user}" for where, privileges in rights.items()),
    ]


def create_user_statement(name: str, password: str, cluster: str = "") -> str:
    """CREATE USER IF NOT EXISTS. It holds a salted hash of the password, a different one each time."""
    salt = secrets.token_hex(16)
    digest = sha256((password + salt).encode()).hexdigest()
    identified = f"IDENTIFIED WITH sha256_hash BY '{digest}' SALT '{salt}'"
    return f"CREATE USER IF NOT EXISTS {quote(name)}{on_cluster(cluster)} {identified}"
