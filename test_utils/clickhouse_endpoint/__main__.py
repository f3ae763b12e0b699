"""The endpoint as a process: python -m test_utils.clickhouse_endpoint --path DIR [--port N] ..."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from . import DEFAULT_USERS, ClickHouseEndpoint, load_users


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m test_utils.clickhouse_endpoint", description=__doc__)
    parser.add_argument("--path", required=True, help="folder of the engine's data; made if missing")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--users",
        help='JSON, or the path of a JSON file: {name: [password, "all" or {database: [privilege, ...]}]}',
    )
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="serve https with these PEM files")
    options = parser.parse_args()

    users = DEFAULT_USERS
    if options.users:
        text = options.users if options.users.lstrip().startswith("{") else Path(options.users).read_text()
        try:
            users = load_users(text)
        except ValueError as error:
            parser.error(f"--users: {error}")

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    tls = tuple(options.tls) if options.tls else None
    with ClickHouseEndpoint(options.path, options.port, users, options.host, tls) as endpoint:
        print(f"listening on {endpoint.url}", flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
