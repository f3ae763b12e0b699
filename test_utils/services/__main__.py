"""Start MariaDB, Redis (a broker and a cache) and the ClickHouse endpoint, then run the suite marked ``services``.

Called by run.sh: ``python -m test_utils.services FOLDER [pytest's arguments]``. Everything lives in FOLDER.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from test_utils.suite import run_tests

from .servers import Servers


def main(folder: Path, arguments: list[str]) -> int:
    """Run the suite; return pytest's exit code."""
    servers = Servers(folder)
    # As an interrupt, so that the servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.update(servers.environment())
    try:
        for server in servers.all:
            server.environment = dict(os.environ)
            server.launch()
        for server in servers.all:
            server.wait_until_ready()
        return run_tests("services", arguments, servers)
    finally:
        for server in reversed(servers.all):
            server.kill()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
