"""Database connections of commands that wait: MySQL closes a connection that is idle for ``wait_timeout``."""

from __future__ import annotations

from typing import Any

from django.db import connections


def check_before_use() -> None:
    """Before its next query, test each open connection of this thread, and open it again if the server has closed it.

    Call it after every wait for something else. Sends no query itself. A connection within a transaction is left alone,
    because the transaction would be lost without anybody knowing.
    """
    # Not all of its attributes are in Django's types.
    connection: Any
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            # This is what CONN_HEALTH_CHECKS does, once per request.
            connection.health_check_enabled = True
            connection.health_check_done = False
