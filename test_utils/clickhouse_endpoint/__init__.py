"""A small HTTP endpoint that speaks ClickHouse's HTTP interface over the embedded engine (chdb).

Clients talk to it as to a server: credentials, grants, databases, settings, parameters, compressed bodies,
error codes. It lacks sessions with a state, external data, checksummed blocks (compress=1) and roles. It answers
when the whole result is there, as a server does with wait_end_of_query=1.
"""

from .engine import Engine
from .errors import ClickHouseError
from .faults import Fault
from .grants import ALL, DEFAULT_USERS, READ_WRITE, load_users
from .server import ClickHouseEndpoint, Request

__all__ = [
    "ALL",
    "DEFAULT_USERS",
    "READ_WRITE",
    "ClickHouseEndpoint",
    "ClickHouseError",
    "Engine",
    "Fault",
    "Request",
    "load_users",
]
