"""`python -m test_utils.demo [--folder FOLDER] [--serve]`: live the day, tell it, check it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from platform_plugin_aspects.clickhouse.errors import Failure
from test_utils.demo import command, site
from test_utils.demo.paper import Paper


def main() -> int:
    """Return the exit code: 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m test_utils.demo", description=main.__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=site.ROOT / ".demo",
        help="where the demo keeps its database, courses and ClickHouse; wiped first (default: .demo)",
    )
    parser.add_argument("--serve", action="store_true", help="then serve the site's pages on 127.0.0.1 until Ctrl-C")
    options = parser.parse_args()
    folder = options.folder.resolve()
    # Names of learners are in every script there is; a pipe may be set to ASCII.
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        site.wipe(folder)
        # At once: whoever uses it while the day goes on reads that a demo is running.
        script = command.write(folder)
        site.save_settings(folder)
        site.start(folder)
        from test_utils.demo.day import Day

        paper = Paper()
        day = Day(folder, paper, script)
        day.live()
        if options.serve:
            from test_utils.demo.serve import serve

            serve(folder, day, paper)
    except (site.DemoFailed, Failure) as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
