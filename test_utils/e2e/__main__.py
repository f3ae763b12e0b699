"""Start the site and run the suite marked ``e2e`` on it, or wait.

`python -m test_utils.e2e FOLDER [arguments of pytest]` is called by run.sh. With `--wait` in their place it says where
everything is, for people and for benchmarks/guest_token.py, and waits for Ctrl-C. With `--pictures` it takes the
pictures of the documentation.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

import django

from test_utils.suite import run_tests

from .site import COURSE, COURSE_BOARD, LEARNER, TEAM, Site


def main(folder: Path, arguments: list[str]) -> int:
    """Return pytest's exit code."""
    site = Site(folder)
    # As an interrupt, so that the processes are ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    site.configure()
    django.setup()
    try:
        site.start(say)
        if arguments == ["--wait"]:
            print(json.dumps(addresses(site), indent=2), flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()
            return 0
        if arguments == ["--pictures"]:
            from .pictures import take_all

            take_all(site.show, say)
            return 0
        return run_tests("e2e", arguments, site)
    finally:
        site.kill()


def say(text: str) -> None:
    print(f"e2e: {text}", flush=True)


def addresses(site: Site) -> dict[str, str]:
    """URLs, accounts and passwords of this run."""
    account = site.show.tokens["SUPERSET_CONFIG"]
    return {
        "superset_url": site.superset.url,
        "superset_admin_password": site.superset.admin_password,
        "superset_username": account["username"],
        "superset_password": account["password"],
        "guest_token_secret": site.superset.guest_token_secret,
        "dashboard_uuid": COURSE_BOARD,
        "instructor_page": f"{site.lms.url}/courses/{COURSE}/instructor",
        **{f"password_of_{name}": site.passwords[name] for name in (*TEAM, LEARNER)},
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
